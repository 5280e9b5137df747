import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FreshFiles, type Logger, messageOf, silentLogger, UserError } from '../base/index.ts';
import type { ClusterSecrets } from '../log/index.ts';

/** Shortest secret, in characters. */
const SECRET_MIN = 8;
/** Secrets in a file: two while they are exchanged; more are a mistake. */
const SECRETS_MAX = 10;

export interface SecretOptions {
  /** The secret itself, from the environment. */
  readonly given?: string;
  readonly file?: string;
  readonly clusterDir: string;
  /** Whoever holds the log makes a secret where there is none. */
  readonly holdsLog: boolean;
  readonly logger?: Logger;
}

/**
 * The secrets that nodes of a cluster know each other by: the one given, those in a file, or those in the cluster folder. A
 * file is read again when it has changed. It has one secret a line; lines that begin with # are comments.
 *
 * @throws UserError  there is none, or one is too short
 */
export function clusterSecrets(options: SecretOptions): ClusterSecrets {
  const { given, clusterDir, logger = silentLogger } = options;
  if (given !== undefined && given !== '') {
    const source = 'GRATICULE_CLUSTER_SECRET';
    return { accepted: [checked(given, source)], source };
  }
  const file = options.file ?? secretFile(clusterDir);
  if (options.file === undefined && !existsSync(file)) {
    if (!options.holdsLog)
      throw new UserError(
        400,
        'no-secret',
        "this node needs the cluster's secret: give --secret-file with a copy of the file cluster/secret of the node that holds the log, or set GRATICULE_CLUSTER_SECRET",
      );
    mkdirSync(clusterDir, { recursive: true });
    make(file);
  }
  let fresh: FreshFiles<readonly string[]>;
  try {
    fresh = new FreshFiles([file], ([text]) => secretsIn(text!, file), {
      onChange: (secrets) => logger.info('secrets-read', { file, secrets: secrets.length }),
      onTrouble: (error) =>
        logger.error('secrets-unusable', { file, reason: messageOf(error), goesOn: 'with the former' }),
    });
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(400, 'no-secret', `the file with the cluster's secret cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
  return {
    get accepted() {
      return fresh.value;
    },
    source: `the file ${file}`,
  };
}

/** Whole or not at all: of several that make it at the same time, one does. */
function make(file: string): void {
  const own = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(own, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(own, file);
  } catch (error) {
    // Not every drive has links.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') renameSync(own, file);
  } finally {
    rmSync(own, { force: true });
  }
}

export function secretFile(clusterDir: string): string {
  return path.join(clusterDir, 'secret');
}

/** @throws UserError  there is none, one is too short, or there are too many */
function secretsIn(text: string, file: string): readonly string[] {
  const secrets = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((secret) => checked(secret, `a secret in ${file}`));
  if (secrets.length === 0) throw new UserError(400, 'no-secret', `${file} holds no secret`);
  if (secrets.length > SECRETS_MAX)
    throw new UserError(
      400,
      'many-secrets',
      `${file} holds ${secrets.length} secrets; remove those that are not in use`,
    );
  return secrets;
}

function checked(secret: string, where: string): string {
  if (secret.length >= SECRET_MIN) return secret;
  throw new UserError(400, 'weak-secret', `${where} is shorter than ${SECRET_MIN} characters`);
}
