import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours a text where it goes to a terminal that wants colours (NO_COLOR, dumb terminals and pipes do not). */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream, validateStream: true });
}

/** Rows in columns as wide as their widest cell; the first row is the heading. Colours do not count as width. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell));
  return rows
    .map((row, index) => {
      const cells = row.map((cell, i) => {
        const text = index === 0 ? styled('dim', cell) : cell;
        return i === row.length - 1 ? text : text + ' '.repeat(widths[i]! - width(cell));
      });
      return `${indent}${cells.join('   ')}`.trimEnd();
    })
    .join('\n');
}

/** Characters that a text takes on a terminal. */
export function width(cell: string): number {
  return [...cell.replace(/\u001b\[[0-9;]*m/g, '')].length;
}
