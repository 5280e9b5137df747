/** A cluster over TLS: the log's node lets in nodes with a certificate only, and maps are served to everybody. */

import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { makeAuthority, makeCertificate, NO_OPENSSL, type Pair } from '../certificates.ts';
import { adjacentPorts } from '../free-ports.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { eventually } from '../waiting.ts';
import { ADMIN, PASSWORD, Program, rest, SECRET, workspaceXml } from './harness.ts';

const folder = temporaryFolder('e2e');
const programs: Program[] = [];
after(async () => {
  for (const program of programs.toReversed()) await program.stop();
});

function start(name: string, ...args: readonly string[]): Program {
  const own = ['--data-dir', path.join(folder, name), '--host', '127.0.0.1', '--name', name, '--render-processes', '1'];
  const program = new Program(['serve', ...own, ...args], {
    env: { GRATICULE_CLUSTER_SECRET: SECRET, GEOSERVER_ADMIN_PASSWORD: PASSWORD },
  });
  programs.push(program);
  return program;
}

test('a log that asks for certificates', { skip: NO_OPENSSL }, async () => {
  const port = await adjacentPorts(3);
  const authority = makeAuthority(folder, 'authority');
  const pair = (name: string, of: Pair = authority) => makeCertificate(folder, name, of);
  const [first, second, renewed] = [pair('first'), pair('second'), pair('renewed')];
  const stranger = pair('stranger', makeAuthority(folder, 'other-authority'));
  const { readFileSync } = await import('node:fs');
  const get = (resource: string) =>
    new Promise<{ status?: number; certificate: string }>((resolve, reject) => {
      const ca = readFileSync(authority.cert);
      const headers = { authorization: ADMIN };
      request({ host: 'localhost', port, path: `/geoserver${resource}`, ca, headers, agent: false }, (answer) => {
        const certificate = String((answer.socket as TLSSocket).getPeerCertificate().subject.CN);
        answer.resume().once('end', () => resolve({ status: answer.statusCode, certificate }));
      })
        .once('error', reject)
        .end();
    });

  const tls = (own: Pair, ca: Pair = authority) => [
    '--tls-client-cert',
    own.cert,
    '--tls-client-key',
    own.key,
    '--tls-ca',
    ca.cert,
  ];
  const log = ['--log', `wss://localhost:${port}`];
  const a = start(
    'A',
    ...['--port', String(port), '--tls-cert', first.cert, '--tls-key', first.key, '--tls-ca', authority.cert],
    '--require-client-cert',
  );
  await a.prints('"node-ready"');
  const urlB = `http://localhost:${port + 1}/geoserver`;
  const b = start('B', '--port', String(port + 1), ...log, ...tls(second), '--role', 'replica', '--forward-writes');
  const urlC = `http://localhost:${port + 2}/geoserver`;
  start('C', '--port', String(port + 2), ...log, ...tls(stranger));
  await b.prints('"node-ready"');

  // B passes the change on to A, whose certificate it trusts for that as well.
  await eventually(async () => {
    const answer = await rest(urlB, 'POST', '/workspaces', workspaceXml('secure'));
    assert.equal(answer.status, 201, await answer.text());
  });
  assert.deepEqual(await get('/rest/workspaces/secure.json'), { status: 200, certificate: 'first' });
  await eventually(async () => {
    assert.match(
      await (await fetch(`${urlC}/health/ready`)).text(),
      /certificate is not from an authority that the log trusts/,
    );
  });
  await a.prints(/"peer":"C","reason":"its certificate is not from an authority.*"peer-refused"/);

  renameSync(renewed.key, first.key);
  renameSync(renewed.cert, first.cert);
  assert.deepEqual(await get('/rest/workspaces/secure.json'), { status: 200, certificate: 'renewed' });
  assert.equal((await rest(urlB, 'POST', '/workspaces', workspaceXml('after'))).status, 201);
});
