import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Logger, messageOf, UserError } from '../../base/index.ts';

/** `admin` may do everything; `viewer` sees the same and changes nothing. */
export type ConsoleUser = 'admin' | 'viewer';

/** Their passwords. */
export interface Accounts {
  readonly admin: string;
  /** Absent: there is no such account. */
  readonly viewer?: string;
}

export const PASSWORD_VARIABLES = {
  admin: 'GRATICULE_BROKER_PASSWORD',
  viewer: 'GRATICULE_BROKER_VIEWER_PASSWORD',
} as const satisfies Readonly<Record<ConsoleUser, string>>;

/** Where a password comes from. */
export interface PasswordSource {
  /** Of the environment; empty counts as absent. */
  readonly given: string | undefined;
  /** Where nothing is given: made when it is missing, with a random password and for this user alone. */
  readonly file: string;
}

const CHARACTERS_MIN = 8;
/** What everybody tries first. */
const GUESSED =
  /^(?:admin|administrator|viewer|prometheus|geoserver|graticule|broker|password|passwort|changeit|secret)\d*$/i;
const MADE_BYTES = 18;
/** How long another broker on the same folder may take to write the file that it has made. */
const WRITING_MS = 2_000;

/**
 * The accounts of a broker's console. Brokers that share the files share the passwords.
 *
 * @throws UserError  a password is too easily guessed, or both are the same; a file cannot be read or made
 */
export async function consoleAccounts(
  sources: { readonly admin: PasswordSource; readonly viewer?: PasswordSource },
  logger: Logger,
): Promise<Accounts> {
  const admin = await passwordOf('admin', sources.admin, logger);
  if (sources.viewer === undefined) return { admin };
  const viewer = await passwordOf('viewer', sources.viewer, logger);
  if (viewer === admin)
    throw new UserError(400, 'same-password', 'admin and viewer have the same password: give viewer one of its own');
  return { admin, viewer };
}

async function passwordOf(user: ConsoleUser, { given, file }: PasswordSource, logger: Logger): Promise<string> {
  const variable = PASSWORD_VARIABLES[user];
  if (given !== undefined && given !== '') {
    checkStrength(given, variable);
    logger.info('console-login', { user, password: variable });
    return given;
  }
  const { password, made } = await readOrMake(file).catch((cause: unknown) => {
    const text = `the file with the password of ${user} for the console cannot be used: ${messageOf(cause)}`;
    throw new UserError(400, 'no-password', `${text}; name another one, or set ${variable}`, { cause });
  });
  checkStrength(password, file);
  logger.info('console-login', { user, passwordFile: file, made });
  if ((statSync(file).mode & 0o044) !== 0) logger.warn('console-password-readable', { file, remedy: 'chmod 600' });
  return password;
}

async function readOrMake(file: string): Promise<{ readonly password: string; readonly made: boolean }> {
  let made = true;
  mkdirSync(path.dirname(file), { recursive: true });
  try {
    writeFileSync(file, `${randomBytes(MADE_BYTES).toString('base64url')}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    made = false;
  }
  for (const deadline = performance.now() + WRITING_MS; ; await pause(50)) {
    const password = readFileSync(file, 'utf8').trim();
    if (password !== '' || performance.now() > deadline) return { password, made };
  }
}

function checkStrength(password: string, where: string): void {
  if (password.length < CHARACTERS_MIN || GUESSED.test(password))
    throw new UserError(
      400,
      'weak-password',
      `the password in ${where} is too easily guessed: at least ${CHARACTERS_MIN} characters are expected, and no common word`,
    );
}
