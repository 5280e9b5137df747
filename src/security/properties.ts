/**
 * Reads a Java properties file: `key=value`, `key:value` or `key value`, comments with # or !, lines continued by a
 * backslash, escapes. Entries keep their order; a key that is there twice keeps its first place and its last value.
 *
 * @see java.util.Properties.load
 */
export function parseProperties(bytes: Uint8Array): Map<string, string> {
  const entries = new Map<string, string>();
  const text = Buffer.from(bytes).toString('latin1');
  let line = '';
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const rest = natural.replace(/^[ \t\f]+/, '');
    if (line === '' && (rest === '' || rest.startsWith('#') || rest.startsWith('!'))) continue;
    line += rest;
    if (/(?:^|[^\\])(?:\\\\)*\\$/.test(line)) {
      line = line.slice(0, -1);
      continue;
    }
    add(entries, line);
    line = '';
  }
  if (line !== '') add(entries, line);
  return entries;
}

function add(entries: Map<string, string>, line: string): void {
  const key = /^(?:\\.|[^\\=: \t\f])*/s.exec(line)![0];
  const value = line.slice(key.length).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '');
  entries.set(unescaped(key), unescaped(value));
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code: string | undefined, character: string) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[character] ?? character;
  });
}
