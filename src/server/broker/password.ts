import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Logger, UserError } from '../../base/index.ts';

/** The one account of a broker's console. */
export const CONSOLE_USER = 'admin';
export const PASSWORD_VARIABLE = 'GRATICULE_BROKER_PASSWORD';

const PASSWORD_FILE = 'console-password';
const CHARACTERS_MIN = 8;
/** What everybody tries first. */
const GUESSED = /^(?:admin|administrator|geoserver|graticule|broker|password|passwort|changeit|secret)\d*$/i;
const MADE_BYTES = 18;
/** How long another broker on the same folder may take to write the file that it has made. */
const WRITING_MS = 2_000;

/**
 * The password of the console: the one that is given, or that of the file `console-password` in a folder, which is made at the
 * first start with a random one that only this user may read. Brokers that share the folder share the password.
 *
 * @param given  of the environment; empty counts as absent
 * @throws UserError  what is given, or stands in the file, is too easily guessed
 */
export async function consolePassword(options: {
  readonly given: string | undefined;
  readonly folder: string;
  readonly logger: Logger;
}): Promise<string> {
  const { given, folder, logger } = options;
  if (given !== undefined && given !== '') {
    checkStrength(given, PASSWORD_VARIABLE);
    logger.info('console-login', { user: CONSOLE_USER, password: PASSWORD_VARIABLE });
    return given;
  }
  const file = path.join(folder, PASSWORD_FILE);
  mkdirSync(folder, { recursive: true });
  let made = true;
  try {
    writeFileSync(file, `${randomBytes(MADE_BYTES).toString('base64url')}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    made = false;
  }
  const password = await readPassword(file);
  checkStrength(password, file);
  logger.info('console-login', { user: CONSOLE_USER, passwordFile: file, made });
  if ((statSync(file).mode & 0o044) !== 0) logger.warn('console-password-readable', { file, remedy: 'chmod 600' });
  return password;
}

async function readPassword(file: string): Promise<string> {
  for (const deadline = performance.now() + WRITING_MS; ; await pause(50)) {
    const password = readFileSync(file, 'utf8').trim();
    if (password !== '' || performance.now() > deadline) return password;
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
