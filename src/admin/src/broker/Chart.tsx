import { Group, Paper, Text } from '@mantine/core';
import { WINDOW_MS } from './polling.ts';

const WIDTH = 240;
const HEIGHT = 56;
const SPAN_MIN_MS = 60_000;

/** A small chart of the last minutes: what it is, how much now, and how much at most. */
export function Chart({
  title,
  points,
  text,
  color,
}: {
  title: string;
  /** Ascending in time. */
  points: readonly { readonly at: number; readonly value: number }[];
  text(value: number): string;
  /** A colour of the theme. */
  color: string;
}) {
  const end = points.at(-1)?.at ?? 0;
  const most = Math.max(0, ...points.map(({ value }) => value));
  const scale = most > 0 ? (HEIGHT - 4) / most : 0;
  // A page that was just opened does not show four empty minutes.
  const spanMs = Math.min(WINDOW_MS, Math.max(SPAN_MIN_MS, end - (points[0]?.at ?? 0)));
  const minutes = `${Math.round(spanMs / 60_000)} min`;
  const x = (at: number) => WIDTH - ((end - at) / spanMs) * WIDTH;
  const y = (value: number) => HEIGHT - 1 - value * scale;
  const line = points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const stroke = `var(--mantine-color-${color}-6)`;
  const now = points.at(-1)?.value ?? 0;
  return (
    <Paper withBorder p="xs" component="figure" m={0}>
      <Group justify="space-between" gap="xs" wrap="nowrap" component="figcaption">
        <Text size="xs" c="dimmed" className="cut" title={title}>
          {title}
        </Text>
        <Text size="xs" c="dimmed" className="figures" style={{ whiteSpace: 'nowrap' }}>
          {most > 0 && (
            <>
              max {text(most)}
              <span className="wide"> in {minutes}</span>
            </>
          )}
        </Text>
      </Group>
      <Text fw={600} size="lg" className="figures">
        {text(now)}
      </Text>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="chart"
        role="img"
        aria-label={`${title}: ${text(now)} now, ${text(most)} at most in ${minutes}`}
      >
        <line x1="0" x2={WIDTH} y1={HEIGHT - 1} y2={HEIGHT - 1} className="chart-base" />
        {points.length > 1 && (
          <>
            <polygon
              points={`${x(points[0]!.at).toFixed(1)},${HEIGHT - 1} ${line} ${WIDTH},${HEIGHT - 1}`}
              fill={stroke}
              opacity={0.15}
            />
            <polyline
              points={line}
              fill="none"
              stroke={stroke}
              strokeWidth={1.5}
              vectorEffect="non-scaling-stroke"
              strokeLinejoin="round"
            />
          </>
        )}
      </svg>
    </Paper>
  );
}
