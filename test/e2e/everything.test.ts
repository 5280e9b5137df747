/** Whatever a data directory holds besides the catalog's own objects: through REST, by hand, in both directions, to every node. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PNG } from 'pngjs';
import { isReplicated, type TreePath } from '../../src/tree/index.ts';
import { basic } from '../basic.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { equalTrees, getMap, nodeState, overview, startDemoCluster, type TestNode, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
let [a, b, c] = [] as unknown as [TestNode, TestNode, TestNode];

before(async () => {
  [a, b, c] = await startDemoCluster(folder);
});
after(async () => {
  await Promise.all([b.stop(), c.stop()]);
  await a.stop();
});

/** Bytes that no text is, the same each time. */
const binary = (seed: string, length: number) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash('sha256').update(`${seed}${i}`).digest()),
  ).subarray(0, length);

const dot = (() => {
  const png = new PNG({ width: 16, height: 16 });
  for (let i = 0; i < png.data.length; i += 4) png.data.set([0xd0, 0x10, 0x90, 0xff], i);
  return PNG.sync.write(png);
})();

const FILES: readonly (readonly [path: string, bytes: string | Uint8Array])[] = [
  ['styles/icons/dot.png', dot],
  ['styles/fonts/plan.ttf', binary('font', 90_000)],
  ['styles/plan.css', '* { fill: red }'],
  ['templates/content.ftl', '<#list features as feature>feature</#list>'],
  ['workspaces/plan/content.ftl', 'of a workspace'],
  ['user_projections/epsg.properties', '900100=PROJCS["own", AUTHORITY["EPSG","900100"]]\n'],
  ['palettes/safe.pal', '0xFF0000\n0x00FF00\n'],
  ['security/role/default/roles.xml', ''],
  ['security/filter/basic/config.xml', '<basicAuthentication><id>1</id><name>basic</name></basicAuthentication>'],
  ['security/config.xml', '<security><roleServiceName>default</roleServiceName><filterChain/></security>'],
  ['security/geoserver.jceks', binary('keystore', 2_000)],
  ['security/masterpw/default/passwd', binary('master', 64)],
  ['security/masterpw.digest', 'digest1:abc'],
  ['security/layers.properties', '*.*.r=*\nmode=CHALLENGE\n'],
  ['logs/PLAN_LOGGING.xml', '<Configuration/>'],
  ['logging.xml', '<logging><level>PLAN_LOGGING</level></logging>'],
  ['gwc-layers/LayerInfoImpl--1.xml', '<GeoServerTileLayer><id>LayerInfoImpl--1</id></GeoServerTileLayer>'],
  ['gwc-gs.xml', '<GeoServerGWCConfig><version>1.1.0</version></GeoServerGWCConfig>'],
  ['gwc/geowebcache.xml', '<gwcConfiguration/>'],
  ['coverages/mosaic/indexer.properties', 'Name=mosaic\n'],
  ['coverages/mosaic/sample_image.dat', binary('sample', 300)],
  ['data/plan/big.bin', binary('big', 3_000_000)],
  ['www/legend.html', '<p>legend</p>'],
];

/** All files of a data directory that belong to the tree, with their bytes' hashes. */
function treeOf(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const hashed = files
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
    .filter((name) => isReplicated(name as TreePath))
    .map(
      (name) =>
        [
          name,
          createHash('sha256')
            .update(readFileSync(path.join(dir, name)))
            .digest('hex'),
        ] as const,
    );
  return Object.fromEntries(hashed.sort());
}

async function sameFiles(): Promise<Record<string, string>> {
  await equalTrees(a.url, b.url, c.url);
  return eventually(async () => {
    for (const node of [a, b, c]) {
      const { status } = (await (await node.rest('GET', '/cluster/status.json')).json()) as {
        status: { unwritten: number };
      };
      assert.equal(status.unwritten, 0, node.name);
    }
    const [first, ...others] = [a, b, c].map((node) => treeOf(node.dataDir));
    for (const other of others) assert.deepEqual(other, first);
    return first!;
  });
}

const contentsOf = (name: string, bytes: string | Uint8Array): Buffer =>
  Buffer.from(name === 'security/role/default/roles.xml' ? readFileSync(path.join(folder, 'A', name)) : bytes);

test('every kind of file, put as a resource on one primary or the other, is on every node, byte for byte', async () => {
  assert.equal((await b.rest('POST', '/workspaces', workspaceXml('plan'))).status, 201);
  for (const [index, [name, bytes]] of FILES.entries()) {
    const node = index % 2 === 0 ? a : b;
    const answer = await node.rest('PUT', `/resource/${name}`, contentsOf(name, bytes), 'application/octet-stream');
    assert.ok(answer.ok, `${name}: ${answer.status} ${await answer.text()}`);
  }
  const files = await sameFiles();
  for (const [name, bytes] of FILES)
    assert.equal(files[name], createHash('sha256').update(contentsOf(name, bytes)).digest('hex'), name);
  for (const [index, [name]] of FILES.entries()) {
    const node = [b, c, a][index % 3]!;
    const read = await node.rest('GET', `/resource/${name}`);
    assert.equal(read.status, 200, name);
    assert.equal(
      createHash('sha256')
        .update(Buffer.from(await read.arrayBuffer()))
        .digest('hex'),
      files[name],
      name,
    );
  }
});

test('settings, default workspace and default store are everybody’s', async () => {
  const ok = async (answer: Promise<Response>) =>
    assert.ok((await answer).ok, `${(await answer).status} ${(await answer).url}`);
  await ok(b.rest('PUT', '/workspaces/default', '<workspace><name>plan</name></workspace>'));
  await ok(a.rest('PUT', '/services/wms/settings', '<wms><maxBuffer>33</maxBuffer></wms>'));
  await ok(
    b.rest(
      'PUT',
      '/services/wfs/workspaces/plan/settings',
      '<wfs><enabled>true</enabled><maxFeatures>77</maxFeatures></wfs>',
    ),
  );
  await ok(
    a.rest('PUT', '/logging', '<logging><level>VERBOSE_LOGGING</level><stdOutLogging>false</stdOutLogging></logging>'),
  );
  await ok(
    b.rest(
      'POST',
      '/workspaces/plan/settings',
      '<settings><contact><contactPerson>Ann</contactPerson></contact></settings>',
    ),
  );
  await sameFiles();
  const said = async (node: TestNode, resource: string) => (await node.rest('GET', `${resource}.json`)).text();
  for (const node of [a, b, c]) {
    assert.match(await said(node, '/workspaces/default'), /"plan"/);
    assert.match(await said(node, '/services/wms/settings'), /"maxBuffer":33/);
    assert.match(await said(node, '/services/wfs/workspaces/plan/settings'), /"maxFeatures":77/);
    assert.match(await said(node, '/logging'), /VERBOSE_LOGGING/);
    assert.match(await said(node, '/workspaces/plan/settings'), /Ann/);
  }
});

test('a user made by one node’s files logs in at another', async () => {
  const users = (await (await a.rest('GET', '/resource/security/usergroup/default/users.xml')).text()).replace(
    '</users>',
    '<user enabled="true" name="eve" password="plain:secret-of-eve"/></users>',
  );
  const roles = (await (await a.rest('GET', '/resource/security/role/default/roles.xml')).text()).replace(
    '</userList>',
    '<userRoles username="eve"><roleRef roleID="ADMIN"/></userRoles></userList>',
  );
  const login = (node: TestNode, password: string) =>
    fetch(`${node.url}/rest/workspaces.json`, {
      headers: { authorization: basic('eve', password) },
    });
  assert.equal((await login(c, 'secret-of-eve')).status, 401);
  assert.ok((await b.rest('PUT', '/resource/security/usergroup/default/users.xml', users)).ok);
  assert.ok((await a.rest('PUT', '/resource/security/role/default/roles.xml', roles)).ok);
  await sameFiles();
  for (const node of [a, b, c]) {
    assert.equal((await login(node, 'secret-of-eve')).status, 200, node.name);
    assert.equal((await login(node, 'wrong')).status, 401, node.name);
  }
});

test('a style is drawn with its icon by a node that was told of neither', async () => {
  const sld = `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:xlink="http://www.w3.org/1999/xlink">
    <NamedLayer><Name>dots</Name><UserStyle><FeatureTypeStyle><Rule><PointSymbolizer><Graphic>
    <ExternalGraphic><OnlineResource xlink:type="simple" xlink:href="icons/dot.png"/><Format>image/png</Format></ExternalGraphic>
    <Size>16</Size></Graphic></PointSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>`;
  assert.equal((await b.rest('POST', '/styles?name=dots', sld, 'application/vnd.ogc.sld+xml')).status, 201);
  const { position } = await nodeState(b.url);
  await eventually(async () => assert.ok((await nodeState(c.url)).position >= position));
  const layer = (await overview(c.url)).layers.find(({ name }) => /places|cities/.test(name));
  assert.ok(layer, 'the demo has a layer of points');
  const drawn = await getMap(c.url, { layers: layer.name, styles: 'dots' });
  const { data } = PNG.sync.read(Buffer.from(drawn));
  let magenta = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i] === 0xd0 && data[i + 1] === 0x10 && data[i + 2] === 0x90) magenta++;
  assert.ok(magenta > 200, `${magenta} pixels of the icon`);
});

test('files laid down by hand on a primary are everybody’s after a reload; on a replica they are put back', async () => {
  mkdirSync(path.join(b.dataDir, 'templates/de'), { recursive: true });
  writeFileSync(path.join(b.dataDir, 'templates/de/header.ftl'), 'Kopf');
  writeFileSync(path.join(b.dataDir, 'palettes/safe.pal'), '0x0000FF\n');
  cpSync(path.join(b.dataDir, 'styles/icons'), path.join(b.dataDir, 'styles/icons2'), { recursive: true });
  rmSync(path.join(b.dataDir, 'www'), { recursive: true });
  const published = await b.rest('POST', '/reload');
  assert.equal(published.status, 200);
  const files = await sameFiles();
  assert.ok(files['templates/de/header.ftl'] && files['styles/icons2/dot.png'] && !files['www/legend.html']);

  writeFileSync(path.join(c.dataDir, 'palettes/safe.pal'), 'not wanted');
  assert.equal((await c.rest('POST', '/reload')).status, 200);
  assert.deepEqual(await sameFiles(), files);
});

test('what is deleted or moved is so everywhere', async () => {
  assert.ok((await a.rest('DELETE', '/resource/styles/icons2')).ok);
  assert.ok(
    (await b.rest('PUT', '/resource/templates/en/header.ftl?operation=move', '/templates/de/header.ftl', 'text/plain'))
      .ok,
  );
  const files = await sameFiles();
  assert.ok(!files['styles/icons2/dot.png'] && !files['templates/de/header.ftl'] && files['templates/en/header.ftl']);
});
