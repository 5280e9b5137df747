/** Java's patterns for numbers (`#,##0.00`) and dates (`yyyy-MM-dd`), as far as styles use them. */

/**
 * Formats a number by a pattern of Java's DecimalFormat: prefix, `#,##0.00`, `%`, exponent, suffix, and one for
 * negative numbers after `;`. Rounds half to even, as Java does.
 */
export function formatNumber(pattern: string, value: number, language?: string): string {
  const [positive = '', negative] = pattern.split(';');
  const parts = /^((?:'[^']*'|[^#0.,'])*)([#0,]*)(\.([#0]*))?(E0+)?((?:'[^']*'|[^'])*)$/.exec(positive);
  if (parts === null) return String(value);
  const [, prefix = '', whole = '', , fraction = '', exponent, suffix = ''] = parts;
  const unquote = (text: string) => text.replace(/'([^']*)'/g, (_, inner: string) => (inner === '' ? "'" : inner));
  const percent = suffix.includes('%') || prefix.includes('%');
  const magnitude = Math.abs(value) * (percent ? 100 : 1);
  const zeros = (text: string) => (text.match(/0/g) ?? []).length;
  const grouped = whole.includes(',');
  let digits: string;
  if (exponent !== undefined) {
    digits = magnitude.toExponential(fraction.length).toUpperCase().replace('E+', 'E');
  } else {
    digits = new Intl.NumberFormat(language ?? 'en', {
      minimumIntegerDigits: Math.max(1, zeros(whole)),
      minimumFractionDigits: zeros(fraction),
      maximumFractionDigits: fraction.length,
      useGrouping: grouped,
      roundingMode: 'halfEven',
    }).format(magnitude);
    if (zeros(whole) === 0 && fraction.length > 0) digits = digits.replace(/^0(?=\D)/, '');
  }
  if (value >= 0 || Object.is(value, 0)) return unquote(prefix) + digits + unquote(suffix);
  if (negative !== undefined) {
    const [, before = '', after = ''] = /^((?:'[^']*'|[^#0.,'])*)[#0.,]*(.*)$/.exec(negative) ?? [];
    return unquote(before) + digits + unquote(after);
  }
  return `-${unquote(prefix)}${digits}${unquote(suffix)}`;
}

const FIELD = /'((?:[^']|'')*)'|([A-Za-z])\2*/g;

/** Formats a date by a pattern of Java's SimpleDateFormat, in UTC. */
export function formatDate(pattern: string, date: Date): string {
  const pad = (n: number, width: number) => String(n).padStart(width, '0');
  const name = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en', { timeZone: 'UTC', ...options }).format(date);
  return pattern.replace(FIELD, (field: string, quoted: string | undefined, letter: string | undefined) => {
    if (letter === undefined) return quoted === '' ? "'" : quoted!.replaceAll("''", "'");
    const width = field.length;
    switch (letter) {
      case 'y':
        return width === 2 ? pad(date.getUTCFullYear() % 100, 2) : pad(date.getUTCFullYear(), width);
      case 'M':
        if (width >= 3) return name({ month: width === 3 ? 'short' : 'long' });
        return pad(date.getUTCMonth() + 1, width);
      case 'd':
        return pad(date.getUTCDate(), width);
      case 'E':
        return name({ weekday: width <= 3 ? 'short' : 'long' });
      case 'H':
        return pad(date.getUTCHours(), width);
      case 'h':
        return pad(date.getUTCHours() % 12 || 12, width);
      case 'm':
        return pad(date.getUTCMinutes(), width);
      case 's':
        return pad(date.getUTCSeconds(), width);
      case 'S':
        return pad(date.getUTCMilliseconds(), width);
      case 'a':
        return date.getUTCHours() < 12 ? 'AM' : 'PM';
      case 'X':
        return 'Z';
      case 'Z':
        return '+0000';
      case 'z':
        return 'UTC';
      default:
        return field;
    }
  });
}

const WIDTHS: Readonly<Record<string, string>> = {
  y: 'year',
  M: 'month',
  d: 'day',
  H: 'hour',
  m: 'minute',
  s: 'second',
};

/** Reads a date that was written by a pattern of numbers; undefined when it is not. */
export function parseDateAs(pattern: string, text: string): Date | undefined {
  const names: string[] = [];
  let last = 0;
  let source = '';
  const literal = (s: string) => s.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  for (const match of pattern.matchAll(FIELD)) {
    source += literal(pattern.slice(last, match.index));
    last = match.index + match[0].length;
    const letter = match[2];
    if (letter === undefined) source += literal(match[1] === '' ? "'" : match[1]!);
    else if (letter in WIDTHS) {
      names.push(WIDTHS[letter]!);
      source += `(\\d{1,${letter === 'y' ? 4 : 2}})`;
    } else return undefined;
  }
  const found = new RegExp(`^${source}${literal(pattern.slice(last))}$`).exec(text.trim());
  if (found === null) return undefined;
  const value = (name: string, fallback: number) => {
    const i = names.indexOf(name);
    return i === -1 ? fallback : Number(found[i + 1]);
  };
  return new Date(
    Date.UTC(
      value('year', 1970),
      value('month', 1) - 1,
      value('day', 1),
      value('hour', 0),
      value('minute', 0),
      value('second', 0),
    ),
  );
}
