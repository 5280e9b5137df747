import type { TreePath } from '../../tree/index.ts';

/*
 * What history shows is masked for everybody: a password that was changed because it leaked must not be found in the diff of
 * its change. Rather too much is masked than too little.
 */

const MASK = '***';

/** Names of parameters, elements, attributes and properties that hold secrets. */
const SECRET_WORD = String.raw`[\w.\-]{0,64}(?:passw(?:or)?d|passwort|passphrase|pwd|secret|token|credential|api[ _-]?key|access[ _-]?key|auth[_-]?key|private[ _-]?key|storepass|headervalue|connection[_-]?string)[\w.\-]{0,32}`;
const SECRET_NAME = String.raw`(?:[\w.\-]{1,64}[: ]){0,4}${SECRET_WORD}`;

/** Files of `security/` whose text can be shown, passwords masked; of all others only that they changed. */
const SHOWN_IN_SECURITY = /(?:^|\/)(?:config\.xml|roles\.xml|(?:rest|layers|services)\.properties)$/i;
/** Key stores and certificates, wherever they lie. */
const KEY_FILE =
  /\.(?:jceks|jks|p12|pfx|key|pem|der|kdb)$|(?:^|\/)(?:users\.(?:xml|properties)|masterpw[^/]*|\.?pgpass|passwd)$/i;

/** Whether nothing of a file may be shown, not even a hash, which would let people check their guesses. */
export function isSecretFile(path: TreePath): boolean {
  return KEY_FILE.test(path) || (path.startsWith('security/') && !SHOWN_IN_SECURITY.test(path));
}

/** Each expression captures what comes before the secret, the secret, and what comes after it. */
const PATTERNS: readonly RegExp[] = [
  // <entry key="passwd">...</entry>
  new RegExp(
    String.raw`(<entry\b[^>]*\bkey\s*=\s*["']${SECRET_NAME}["'][^>]*(?<!/)>)((?:(?!</?entry\b)[\s\S])*)(</entry\s*>)`,
    'gi',
  ),
  // <string>passwd</string><string>...</string>
  new RegExp(
    String.raw`(<string>\s*${SECRET_NAME}\s*</string>\s*<string>)((?:(?!</?string\b)[\s\S])*)(</string\s*>)`,
    'gi',
  ),
  // <password>...</password>, of text alone
  new RegExp(
    String.raw`(<((?:[\w.\-]{1,32}:)?${SECRET_WORD})(?:\s[^>]*)?(?<!/)>)((?:[^<]|<!\[CDATA\[(?:(?!\]\]>|<!\[CDATA\[)[\s\S])*\]\]>)*)(</\2\s*>)`,
    'gi',
  ),
  // password="..."
  new RegExp(String.raw`(\s(?:${SECRET_NAME})\s*=\s*")([^"]*)(")`, 'gi'),
  new RegExp(String.raw`(\s(?:${SECRET_NAME})\s*=\s*')([^']*)(')`, 'gi'),
  // "password": "..." in JSON
  new RegExp(String.raw`("(?:${SECRET_NAME})"\s*:\s*")((?:[^"\\]|\\.)*)(")`, 'gi'),
  // password=... and password: ... on a line of its own
  new RegExp(String.raw`(^[ \t]*(?:${SECRET_NAME})[ \t]*[=:][ \t]*)([^\s<>"'][^<>\r\n]*)($)`, 'gim'),
  // ...?password=...&
  new RegExp(String.raw`([?&;](?:amp;)?(?:${SECRET_NAME})=)([^&;"'<>\s]*)()`, 'gi'),
  // https://user:password@host
  /(:\/\/[^\s:/@"'<>]*:)([^\s/@"'<>]+)(@)/g,
];

/**
 * Both texts without their secrets. A secret that is another one afterwards is marked so, and the line shows up in the diff.
 *
 * @param before, after  undefined when there is no such file
 */
export function maskSecrets(
  before: string | undefined,
  after: string | undefined,
): [string | undefined, string | undefined] {
  const old = before === undefined ? undefined : mask(before, () => MASK);
  const known = new Set(old?.secrets);
  const now =
    after === undefined
      ? undefined
      : mask(after, (secret) =>
          before === undefined || secret === '' || known.has(secret) ? MASK : `${MASK} (changed)`,
        );
  return [old?.text, now?.text];
}

function mask(text: string, replacement: (secret: string) => string): { text: string; secrets: readonly string[] } {
  const secrets: string[] = [];
  let masked = text;
  for (const pattern of PATTERNS)
    masked = masked.replace(pattern, (...groups) => {
      const parts = groups.slice(
        1,
        groups.findIndex((part) => typeof part === 'number'),
      ) as string[];
      const [opening, secret, closing] = [parts[0]!, parts.at(-2)!, parts.at(-1)!];
      if (secret === '' || secret.startsWith(MASK)) return groups[0] as string;
      secrets.push(secret);
      return opening + replacement(secret) + closing;
    });
  return { text: masked, secrets };
}
