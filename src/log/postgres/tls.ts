import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { messageOf } from '../../base/index.ts';
import { LogRefusedError } from '../errors.ts';
import type { PostgresPlace } from './url.ts';

/** `false`: without TLS. */
export type Encryption = false | ConnectionOptions;

/**
 * How to connect, in the order in which it is tried, as libpq does for each `sslmode`. Files are read each time, since
 * certificates are renewed. As in libpq, `require` with a file of authorities is `verify-ca`; unlike it, `verify-ca` and
 * `verify-full` without one trust the authorities that Node trusts.
 *
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 * @throws LogRefusedError  a file cannot be read
 */
export function encryptions(place: PostgresPlace): readonly Encryption[] {
  const { sslMode } = place;
  if (sslMode === 'disable' || place.servers.every(({ host }) => host.startsWith('/'))) return [false];
  const ca = authorities(place);
  const own = {
    ...(place.sslCert === undefined ? {} : { cert: pem(place.sslCert, 'sslcert') }),
    ...(place.sslKey === undefined ? {} : { key: pem(place.sslKey, 'sslkey') }),
  };
  const unverified = { ...own, rejectUnauthorized: false };
  const verified = { ...own, ...(ca === undefined ? {} : { ca }), rejectUnauthorized: true };
  const anyName = { ...verified, checkServerIdentity: () => undefined };
  switch (sslMode) {
    case 'allow':
      return [false, unverified];
    case 'prefer':
      return [unverified, false];
    case 'require':
      return [ca === undefined ? unverified : anyName];
    case 'verify-ca':
      return [anyName];
    case 'verify-full':
      return [verified];
  }
}

function authorities({ sslRootCert }: PostgresPlace): string | undefined {
  if (sslRootCert === 'system') return undefined;
  if (sslRootCert !== undefined) return pem(sslRootCert, 'sslrootcert');
  const usual = path.join(homedir(), '.postgresql', 'root.crt');
  return existsSync(usual) ? pem(usual, 'sslrootcert') : undefined;
}

function pem(file: string, parameter: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LogRefusedError(`${parameter} of the log's URL: ${messageOf(cause)}`, { cause });
  }
}
