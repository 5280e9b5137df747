/** The page in a real browser, on the demo's data: nodes, layers, and maps drawn by the node of one's choice. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { type OpenPage, openPage, pageMissing } from './browser.ts';
import { demoDirectory, TestNode, workspaceXml } from './harness.ts';

const missing = pageMissing('index.html');

const folder = temporaryFolder('e2e');
let nodes: TestNode[] = [];
let { browser, page, problems } = {} as OpenPage;

before(async () => {
  if (missing) return;
  const base = await adjacentPorts(2);
  await demoDirectory(folder, 'A');
  const cors = ['--cors', '*'];
  const a = await new TestNode({ folder, name: 'A', port: base, more: cors }).ready();
  const b = await new TestNode({ folder, name: 'B', port: base + 1, logPort: base, more: cors }).ready();
  nodes = [a, b];
  ({ browser, page, problems } = await openPage(`${a.url}/`));
});
after(async () => {
  await browser?.close();
  await Promise.all(nodes.toReversed().map((node) => node.stop()));
});

const mapOf = (url: string, layer: string) => (response: { url(): string; ok(): boolean }) =>
  response.url().startsWith(`${url}/wms?`) && response.url().includes(`LAYERS=${encodeURIComponent(layer)}`);

test('shows the nodes in step, and every layer', { skip: missing }, async () => {
  for (const { name, url } of nodes) {
    const card = page.getByLabel(`Node ${name}`, { exact: true });
    await card.getByText('in-step').waitFor();
    await card.getByText(url).waitFor();
  }
  await page
    .getByRole('link', { name: /Countries/ })
    .first()
    .waitFor();
});

test('draws the chosen layer by the chosen node', { skip: missing }, async () => {
  const [a, b] = nodes as [TestNode, TestNode];
  const fromA = page.waitForResponse(mapOf(a.url, 'ne:countries'));
  await page.getByRole('link', { name: /ne:countries/ }).click();
  assert.equal((await fromA).headers()['content-type'], 'image/png');
  const fromB = page.waitForResponse(mapOf(b.url, 'ne:countries'));
  await page.getByLabel('Node that draws the map').getByText('B', { exact: true }).click();
  assert.equal((await fromB).headers()['content-type'], 'image/png');
});

test('asks for the map again when the node has applied a change', { skip: missing }, async () => {
  const [a, b] = nodes as [TestNode, TestNode];
  const again = page.waitForResponse(mapOf(b.url, 'ne:countries'));
  assert.equal((await a.rest('POST', '/workspaces', workspaceXml('seen'))).status, 201);
  await again;
});

test('finds layers by letters of their names', { skip: missing }, async () => {
  await page.getByLabel('Find a layer').fill('ocean');
  await eventually(async () =>
    assert.equal(await page.getByLabel('Layers', { exact: true }).getByRole('link').count(), 1),
  );
});

test('shows who changed what to an administrator, takes a change back, and pauses the node', {
  skip: missing,
}, async () => {
  const [a, b] = nodes as [TestNode, TestNode];
  assert.equal((await a.rest('POST', '/workspaces', workspaceXml('mistake'))).status, 201);
  await page.getByText('History', { exact: true }).click();
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Password', { exact: true }).fill('geoserver');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('Changes').getByText('POST /geoserver/rest/workspaces').first().click();
  await page.getByLabel('Differences').getByText('+  <name>mistake</name>').waitFor();
  await page.getByRole('button', { name: /Take this change back/ }).click();
  await page.getByRole('button', { name: 'Take back', exact: true }).click();
  await page
    .getByLabel('Changes')
    .getByText(/revert/i)
    .first()
    .waitFor();
  await eventually(async () => assert.equal((await b.rest('GET', '/workspaces/mistake')).status, 404));

  await page.getByLabel('Role of node A').click();
  await page.getByRole('menuitem', { name: /paused/ }).click();
  await page.getByLabel('Node A', { exact: true }).getByText('paused').first().waitFor();
  await page.getByLabel('Role of node A').click();
  await page.getByRole('menuitem', { name: /primary/ }).click();
  await page.getByLabel('Node A', { exact: true }).getByText('in-step').waitFor();
  // The refused password, and the list of changes while the node was paused: nothing else for the browser to say.
  assert.deepEqual(
    problems.splice(0).filter((text) => !/401|503/.test(text)),
    [],
  );
});

test('says nothing to the browser’s console', { skip: missing }, () => assert.deepEqual(problems, []));
