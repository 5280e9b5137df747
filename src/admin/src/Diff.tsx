import { ScrollArea, Text } from '@mantine/core';

/** A unified diff, coloured by its lines. */
export function Diff({ text }: { text: string }) {
  if (text.trim() === '')
    return (
      <Text size="sm" c="dimmed">
        No file differs.
      </Text>
    );
  const lines = text.replace(/\n$/, '').split('\n');
  const shown = lines.slice(0, LINES_MAX);
  return (
    <ScrollArea type="auto" className="diff" aria-label="Differences">
      <pre>
        {shown.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines of one diff never move
          <span key={index} className={kindOf(line)}>
            {line}
            {'\n'}
          </span>
        ))}
      </pre>
      {lines.length > shown.length && (
        <Text size="sm" c="dimmed">
          and {lines.length - shown.length} more lines
        </Text>
      )}
    </ScrollArea>
  );
}

const LINES_MAX = 3000;

function kindOf(line: string): string | undefined {
  if (/^(?:diff |--- |\+\+\+ |index |===)/.test(line)) return 'diff-file';
  if (line.startsWith('@@')) return 'diff-place';
  if (line.startsWith('+')) return 'diff-added';
  if (line.startsWith('-')) return 'diff-removed';
  return undefined;
}
