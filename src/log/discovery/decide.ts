import type { LogPlace, Neighbour } from './types.ts';

/** What a node knows when it decides where its log is. */
export interface Situation {
  readonly name: string;
  readonly instance: string;
  /** Whether it may start a log: by its role, and because its data directory belongs to none. */
  readonly candidate: boolean;
  /** Id of the log that its data directory belongs to. */
  readonly follows?: string;
  readonly neighbours: readonly Neighbour[];
  /** Whether it has listened long enough to have heard everybody. */
  readonly listened: boolean;
}

/**
 * Where the log is, from what is heard. Who belongs to a log goes to that one only. Who belongs to none goes to the one that is
 * heard; if there is none, the candidate that comes first by its name starts one, unless somebody belongs to a log already,
 * whose holder may come back.
 */
export function placeOfLog(situation: Situation): LogPlace {
  const { follows, neighbours, listened } = situation;
  const holders = neighbours.filter((each) => each.log !== undefined);
  if (follows !== undefined) {
    const mine = holders.filter((each) => each.log!.id === follows);
    if (mine.length > 0) return { kind: 'follow', urls: mine.map(urlOf) };
    return {
      kind: 'wait',
      reason:
        holders.length === 0
          ? `nobody is heard that holds the log ${follows}, which this node belongs to`
          : `this node belongs to the log ${follows}, and what is heard are others: ${holders.map(described).join('; ')}`,
    };
  }
  const logs = new Map(holders.map((each) => [each.log!.id ?? each.instance, each]));
  if (logs.size > 1)
    return {
      kind: 'several',
      reason:
        `${logs.size} logs of this group are heard, and this node must not choose: ` +
        `${[...logs.values()].map(described).join('; ')}. Stop those that are not meant to be, or say which with --log`,
    };
  if (holders.length > 0) return { kind: 'follow', urls: holders.map(urlOf) };
  if (!listened) return { kind: 'wait', reason: 'listening for the log of the group' };
  const member = neighbours.find((each) => each.follows !== undefined);
  if (member !== undefined)
    return {
      kind: 'wait',
      reason: `the node ${member.name} belongs to the log ${member.follows}, and nobody is heard that holds it`,
    };
  const [first] = [...neighbours.filter((each) => each.candidate), ...(situation.candidate ? [situation] : [])].sort(
    (a, b) => compare(a.name, b.name) || compare(a.instance, b.instance),
  );
  if (first === undefined)
    return {
      kind: 'wait',
      reason: 'nobody is heard that holds a log or may start one: that takes a node of role both',
    };
  if (first === situation) return { kind: 'start' };
  return { kind: 'wait', reason: `the log is for the node ${first.name} to start, whose name comes first` };
}

/** The URL at which a neighbour's log is reached from here. */
function urlOf({ log, address }: Neighbour): string {
  const url = new URL(log!.url);
  if (url.hostname === '0.0.0.0') url.hostname = address;
  return url.href;
}

function described(neighbour: Neighbour): string {
  return `${neighbour.log!.id ?? 'a new one'} at ${neighbour.name} (${urlOf(neighbour)})`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
