/** Certificates for tests, made by the program `openssl`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** Why tests that need certificates cannot run here; undefined when they can. */
export const NO_OPENSSL =
  spawnSync('openssl', ['version']).status === 0 ? undefined : 'the program openssl is not installed';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes an authority; `name.crt` and `name.key` in the folder. */
export function makeAuthority(folder: string, name: string): Pair {
  const pair = { cert: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) };
  openssl('req', '-x509', ...newKey, '-days', '30', '-subj', `/CN=${name}`, '-keyout', pair.key, '-out', pair.cert);
  return pair;
}

/** Makes a certificate for this machine; `name.crt` and `name.key` in the folder. */
export function makeCertificate(
  folder: string,
  name: string,
  authority: Pair,
  options: { readonly expired?: boolean; readonly hosts?: string } = {},
): Pair {
  const pair = { cert: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) };
  const [request, extensions] = [path.join(folder, `${name}.csr`), path.join(folder, `${name}.ext`)];
  writeFileSync(extensions, `subjectAltName=${options.hosts ?? 'DNS:localhost,IP:127.0.0.1'}\n`);
  openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', pair.key, '-out', request);
  const authorityFiles = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial'];
  // A validity that ended before it began is past.
  const days = options.expired ? ['-days', '-1'] : ['-days', '30'];
  openssl('x509', '-req', '-in', request, ...authorityFiles, ...days, '-extfile', extensions, '-out', pair.cert);
  return pair;
}
