import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf, UserError } from '../base/index.ts';

/** Shortest secret, in characters. */
const SECRET_MIN = 8;

/**
 * The secret that nodes of a cluster know each other by: the one given, the one in a file, or the one in the cluster
 * folder. Whoever holds the log makes one where there is none.
 *
 * @throws UserError  there is none, or it is too short
 */
export function clusterSecret(options: {
  readonly given?: string;
  readonly file?: string;
  readonly clusterDir: string;
  readonly holdsLog: boolean;
}): string {
  if (options.given !== undefined && options.given !== '') return checked(options.given, 'GRATICULE_CLUSTER_SECRET');
  if (options.file !== undefined) return checked(readSecret(options.file), `the secret in ${options.file}`);
  const own = secretFile(options.clusterDir);
  if (existsSync(own)) return checked(readSecret(own), `the secret in ${own}`);
  if (!options.holdsLog)
    throw new UserError(
      400,
      'no-secret',
      "this node needs the cluster's secret: give --secret-file with a copy of the file cluster/secret of the node that holds the log, or set GRATICULE_CLUSTER_SECRET",
    );
  const secret = randomBytes(32).toString('base64url');
  mkdirSync(options.clusterDir, { recursive: true });
  writeFileSync(own, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  return secret;
}

export function secretFile(clusterDir: string): string {
  return path.join(clusterDir, 'secret');
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new UserError(400, 'no-secret', `the file with the cluster's secret cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function checked(secret: string, where: string): string {
  if (secret.length >= SECRET_MIN) return secret;
  throw new UserError(400, 'weak-secret', `${where} is shorter than ${SECRET_MIN} characters`);
}
