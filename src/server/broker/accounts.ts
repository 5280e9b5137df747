import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Logger, messageOf, UserError } from '../../base/index.ts';

/** The one account of a broker's console. */
export const CONSOLE_USER = 'admin';
export const PASSWORD_VARIABLE = 'GRATICULE_BROKER_PASSWORD';

const CHARACTERS_MIN = 8;
/** What everybody tries first. */
const GUESSED = /^(?:admin|administrator|geoserver|graticule|broker|password|passwort|changeit|secret)\d*$/i;
const MADE_BYTES = 18;
/** How long another broker on the same folder may take to write the file that it has made. */
const WRITING_MS = 2_000;

/**
 * The password of the console: the one that is given, or that of a file, which is made where it is missing, with a random
 * password and for this user alone. Brokers that share the file share the password.
 *
 * @param given  of the environment; empty counts as absent
 * @throws UserError  what is given, or stands in the file, is too easily guessed; the file cannot be read or made
 */
export async function consolePassword(options: {
  readonly given: string | undefined;
  readonly file: string;
  readonly logger: Logger;
}): Promise<string> {
  const { given, file, logger } = options;
  if (given !== undefined && given !== '') {
    checkStrength(given, PASSWORD_VARIABLE);
    logger.info('console-login', { user: CONSOLE_USER, password: PASSWORD_VARIABLE });
    return given;
  }
  const { password, made } = await readOrMake(file).catch((cause: unknown) => {
    const text = `the file with the password of the console cannot be used: ${messageOf(cause)}`;
    throw new UserError(400, 'no-password', `${text}; name another one, or set ${PASSWORD_VARIABLE}`, { cause });
  });
  checkStrength(password, file);
  logger.info('console-login', { user: CONSOLE_USER, passwordFile: file, made });
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
