/** `1.4 GB`: powers of 1024, three digits. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`;
}

/** A text of the broker's, as a sentence. */
export function sentence(text: string): string {
  return `${text.replace(/^./, (first) => first.toUpperCase())}.`;
}

export function countText(count: number): string {
  return count.toLocaleString('en');
}

/** A rate, with as many digits as say something. */
export function rateText(perSecond: number): string {
  if (perSecond === 0) return '0';
  return perSecond < 10 ? perSecond.toFixed(1) : countText(Math.round(perSecond));
}

/** How long ago, roughly: `4 s`, `12 min`, `3 h`, `2 d`. */
export function ageText(iso: string, nowMs = Date.now()): string {
  const seconds = Math.max(0, (nowMs - Date.parse(iso)) / 1000);
  if (Number.isNaN(seconds)) return '';
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** Today only the time. */
export function timeText(iso: string): string {
  const at = new Date(iso);
  const today = new Date().toDateString() === at.toDateString();
  return today ? at.toLocaleTimeString() : `${at.toLocaleDateString()} ${at.toLocaleTimeString()}`;
}

/** An IPv4 address as such. */
export function addressText(address: string): string {
  return address.replace(/^::ffff:/i, '');
}

/** Every request begins alike: the context path says nothing. */
export function whatText(why: string): string {
  return why.replace(/ \/[^/\s]+\/rest\//g, ' /rest/');
}
