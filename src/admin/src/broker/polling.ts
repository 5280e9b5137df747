import { useCallback, useEffect, useRef, useState } from 'react';
import { ask, type BrokerStatus, ConsoleError, type GroupStatus } from './api.ts';
import { slowestLag } from './attention.ts';

/** What happened between two looks at a group. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly appendsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly readsPerSecond: number;
  readonly conflictsPerSecond: number;
  /** Records that the slowest connected node is behind. */
  readonly lag: number;
}

export type Console =
  | {
      readonly state: 'loading';
      /** Why it takes so long. */
      readonly lost?: string;
    }
  | { readonly state: 'signed-out' }
  | {
      readonly state: 'shown';
      readonly status: BrokerStatus;
      /** Undefined while another broker is active. */
      readonly groups: readonly GroupStatus[] | undefined;
      readonly samples: ReadonlyMap<string, readonly Sample[]>;
      /** Why it is not of this moment. */
      readonly lost?: string;
    };

/** So much of the past is drawn. */
export const WINDOW_MS = 5 * 60_000;
const POLL_MS = 2000;
const SLOW_MS = 5000;
const POLL_HIDDEN_MS = 10_000;

/** Asks the broker every two seconds while the page is visible. */
export function useConsole(): { readonly console: Console; refresh(): void; signedOut(): void } {
  const [shown, setShown] = useState<Console>({ state: 'loading' });
  const [round, setRound] = useState(0);
  const samples = useRef(new Map<string, Sample[]>());
  const last = useRef(new Map<string, { at: number; group: GroupStatus }>());
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round begins at once
  useEffect(() => {
    let stopped = false;
    let timer: number | undefined;
    const lose = (lost: string) =>
      setShown((before) => (stopped || before.state === 'signed-out' ? before : { ...before, lost }));
    const look = async () => {
      // One that stands still takes the connection and never answers.
      const slow = window.setTimeout(() => lose(`the broker has not answered for ${SLOW_MS / 1000} seconds`), SLOW_MS);
      try {
        const status = await ask<BrokerStatus>('');
        const groups =
          status.state === 'active'
            ? await ask<{ groups: readonly GroupStatus[] }>('/groups').then(
                (answer) => answer.groups,
                (error: unknown) => {
                  if (error instanceof ConsoleError && error.active) return undefined;
                  throw error;
                },
              )
            : undefined;
        if (stopped) return;
        keepSamples(groups ?? [], last.current, samples.current);
        setShown({ state: 'shown', status, groups, samples: new Map(samples.current) });
      } catch (error) {
        if (stopped) return;
        if (error instanceof ConsoleError && error.status === 401) return setShown({ state: 'signed-out' });
        lose(error instanceof Error ? error.message : String(error));
      } finally {
        window.clearTimeout(slow);
      }
      timer = window.setTimeout(look, document.hidden ? POLL_HIDDEN_MS : POLL_MS);
    };
    void look();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [round]);
  const refresh = useCallback(() => setRound((before) => before + 1), []);
  const signedOut = useCallback(() => setShown({ state: 'signed-out' }), []);
  return { console: shown, refresh, signedOut };
}

function keepSamples(
  groups: readonly GroupStatus[],
  last: Map<string, { at: number; group: GroupStatus }>,
  samples: Map<string, Sample[]>,
): void {
  const at = Date.now();
  for (const group of groups) {
    const before = last.get(group.group);
    last.set(group.group, { at, group });
    const seconds = before === undefined ? 0 : (at - before.at) / 1000;
    // Two looks in a row, or counts that begin anew with another active broker, say nothing about a rate.
    if (before === undefined || seconds < 0.5 || group.rates.appends < before.group.rates.appends) continue;
    const rate = (of: keyof GroupStatus['rates']) => Math.max(0, group.rates[of] - before.group.rates[of]) / seconds;
    const kept = (samples.get(group.group) ?? []).filter((sample) => sample.at > at - WINDOW_MS);
    kept.push({
      at,
      appendsPerSecond: rate('appends'),
      bytesPerSecond: rate('appendedBytes'),
      readsPerSecond: rate('readRecords'),
      conflictsPerSecond: rate('conflicts'),
      lag: slowestLag(group.nodes),
    });
    samples.set(group.group, kept);
  }
}
