/** Publishing by REST on one node, drawing on another; and requests that must change nothing. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { PNG } from 'pngjs';
import { gdalMissing } from '../gdal.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import {
  ADMIN,
  equalTrees,
  getMap,
  nodeState,
  startDemoCluster,
  type TestNode,
  workspaceXml,
  zippedLands,
} from './harness.ts';

const folder = temporaryFolder('e2e');
let [a, b, c] = [] as unknown as [TestNode, TestNode, TestNode];

before(async () => {
  [a, b, c] = await startDemoCluster(folder);
});
after(async () => {
  await Promise.all([b.stop(), c.stop()]);
  await a.stop();
});

const sld = (
  fill: string,
) => `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer><Name>x</Name><UserStyle>
  <FeatureTypeStyle><Rule><PolygonSymbolizer><Fill><CssParameter name="fill">${fill}</CssParameter></Fill></PolygonSymbolizer></Rule></FeatureTypeStyle>
  </UserStyle></NamedLayer></StyledLayerDescriptor>`;

/** Colour in the middle of a picture of Brazil. */
async function brazil(node: TestNode): Promise<string> {
  const bytes = await getMap(node.url, { layers: 'shop:lands', bbox: '-55,-12,-50,-7', width: '50', height: '50' });
  const { data } = PNG.sync.read(Buffer.from(bytes));
  return data.subarray((25 * 50 + 25) * 4, (25 * 50 + 25) * 4 + 3).toString('hex');
}

test('a shapefile that is published on A is drawn by C, with its style, and B changes the style', {
  skip: gdalMissing,
}, async () => {
  const zip = zippedLands(a);
  assert.equal((await a.rest('POST', '/workspaces', workspaceXml('shop'))).status, 201);
  const upload = await a.rest('PUT', '/workspaces/shop/datastores/lands/file.shp', zip, 'application/zip');
  assert.equal(upload.status, 201, await upload.text());
  const style = await a.rest('POST', '/styles?name=lands', sld('#ff0000'), 'application/vnd.ogc.sld+xml');
  assert.equal(style.status, 201, await style.text());
  const use = await a.rest(
    'PUT',
    '/layers/shop:lands',
    '<layer><defaultStyle><name>lands</name></defaultStyle></layer>',
  );
  assert.equal(use.status, 200, await use.text());
  await equalTrees(a.url, b.url, c.url);
  assert.equal(await brazil(c), 'ff0000');

  const change = await b.rest('PUT', '/styles/lands', sld('#0000ff'), 'application/vnd.ogc.sld+xml');
  assert.equal(change.status, 200, await change.text());
  await equalTrees(b.url, c.url);
  assert.equal(await brazil(c), '0000ff');
  assert.equal(await brazil(a), '0000ff');
});

test('a request that is wrong is told so in a clear way, and nothing changes', async () => {
  const bomb = `<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">${'bcdefghij'
    .split('')
    .map((name, index) => `<!ENTITY ${name} "${`&${'abcdefghi'[index]};`.repeat(10)}">`)
    .join('')}]><workspace><name>&j;</name></workspace>`;
  const external = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><workspace><name>&x;</name></workspace>';
  const before = await nodeState(a.url);
  const table: [
    what: string,
    method: string,
    resource: string,
    body: string | undefined,
    type: string,
    status: number[],
    text: RegExp,
  ][] = [
    ['malformed XML', 'POST', '/workspaces', '<workspace><name>x</workspace>', 'text/xml', [400], /line 1/],
    ['malformed JSON', 'POST', '/workspaces', '{"workspace":{"name":', 'application/json', [400], /./],
    ['an XML bomb', 'POST', '/workspaces', bomb, 'text/xml', [400], /document type/i],
    ['an external entity', 'POST', '/workspaces', external, 'text/xml', [400], /document type/i],
    ['an unknown workspace', 'GET', '/workspaces/nowhere.json', undefined, '', [404], /nowhere/],
    ['a duplicate name', 'POST', '/workspaces', workspaceXml('ne'), 'text/xml', [409], /ne/],
    [
      'a name that leaves the folder',
      'POST',
      '/workspaces',
      workspaceXml('../../evil'),
      'text/xml',
      [400, 403],
      /\.\.|name/,
    ],
    ['a path that leaves the folder', 'GET', '/workspaces/..%2f..%2fetc', undefined, '', [400, 404], /./],
    ['an empty body', 'POST', '/workspaces', '', 'text/xml', [400], /./],
    ['a content type that nobody reads', 'POST', '/workspaces', 'x', 'image/png', [415], /./],
  ];
  for (const [what, method, resource, body, type, statuses, text] of table) {
    const answer = await a.rest(method, resource, body, type);
    const said = await answer.text();
    assert.ok(statuses.includes(answer.status), `${what}: ${answer.status} ${said.slice(0, 300)}`);
    assert.match(said, text, what);
    assert.doesNotMatch(said, /root:|node_modules|\.ts:\d/, `${what}: nothing of the inside is told`);
  }
  assert.equal((await nodeState(a.url)).digest, before.digest);
});

test('a body of 100 MB is refused without being kept', async () => {
  const before = await nodeState(a.url);
  const status = await new Promise<number>((resolve, reject) => {
    const upload = request(
      `${a.url}/rest/workspaces`,
      { method: 'POST', headers: { authorization: ADMIN, 'content-type': 'text/xml' } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
        upload.destroy();
      },
    );
    let sent = 0;
    let answered = false;
    upload.on('response', () => {
      answered = true;
    });
    upload.on('error', (error) => answered || reject(error));
    const chunk = Buffer.alloc(1024 * 1024, 0x20);
    const more = () => {
      while (sent < 100 && !answered) {
        sent++;
        if (!upload.write(chunk)) return void upload.once('drain', more);
      }
      if (!answered) upload.end();
    };
    more();
  });
  assert.equal(status, 413);
  assert.equal((await nodeState(a.url)).digest, before.digest);
});
