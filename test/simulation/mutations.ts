/**
 * Faults put into the program on purpose, to see that the simulation finds them. Each is a wrapper around the disk, the log or
 * the node: the program itself knows nothing of them.
 */
import { type Clock, UnavailableError, UncertainError } from '../../src/base/index.ts';
import type { ClusterNode } from '../../src/cluster/index.ts';
import type { ChangeLog } from '../../src/log/index.ts';
import type { Position } from '../../src/tree/index.ts';
import type { Negligence } from './disk.ts';

export interface Mutation {
  readonly disk: Negligence;
  log(log: ChangeLog, options: { readonly clock: Clock }): ChangeLog;
  node(node: ClusterNode): ClusterNode;
}

const healthy: Mutation = { disk: {}, log: (log) => log, node: (node) => node };

export const MUTATIONS = {
  none: healthy,

  /** The contents of files are not synced before the position on disk says that they are there. */
  'skip-contents-sync': {
    ...healthy,
    disk: { contents: (path: string) => !path.includes('/cluster/') },
  },

  /** The state file is not synced before it takes the place of the old one. */
  'skip-state-sync': { ...healthy, disk: { contents: (path: string) => path.includes('/cluster/state.json') } },

  /** The folders of the files are not synced before the position on disk says that they are there. */
  'skip-folder-sync': { ...healthy, disk: { names: (folder: string) => !folder.endsWith('/cluster') } },

  /** A record is written wherever the log ends by now, not only where it was computed. */
  'append-without-compare': {
    ...healthy,
    log: (log) =>
      override(log, {
        async append(after, body) {
          for (let at = after; ; ) {
            const answer = await log.append(at, body);
            if (answer.kind === 'appended') return answer;
            at = answer.head;
          }
        },
      }),
  },

  /** An append is acknowledged as soon as it has been sent. */
  'acknowledge-early': {
    ...healthy,
    log: (log, { clock }) =>
      override(log, {
        async append(after, body) {
          if ((await log.head()) !== after) return log.append(after, body);
          void clock.sleep(30).then(() => log.append(after, body).catch(() => {}));
          return { kind: 'appended', position: (after + 1) as Position };
        },
      }),
  },

  /** After a lost answer, a record that was refused at its place is written again at the end. */
  'apply-twice': {
    ...healthy,
    log(log) {
      const sent = new Set<string>();
      return override(log, {
        async append(after, body) {
          const place = `${after} ${body.length}`;
          const isRetry = sent.has(place);
          sent.add(place);
          const answer = await log.append(after, body);
          return answer.kind === 'head-moved' && isRetry ? log.append(answer.head, body) : answer;
        },
      });
    },
  },

  /** A read that should see everything answered before does not ask how far the log is. */
  'skip-catch-up': {
    ...healthy,
    node: (node) => override(node, { catchUp: async () => node.position }),
  },

  /** Which changes were applied is not remembered: an `Idempotency-Key` is good for nothing. */
  'forget-keys': {
    ...healthy,
    node: (node) =>
      override(node, {
        write: ({ origin, ...request }) => {
          const { idempotencyKey: _, ...rest } = origin;
          return node.write({ ...request, origin: rest });
        },
      }),
  },

  /** A change whose fate is not known is reported as one that did not happen. */
  'deny-uncertainty': {
    ...healthy,
    log: (log) =>
      override(log, {
        append: (after, body) =>
          log.append(after, body).catch((error) => {
            throw error instanceof UncertainError
              ? new UnavailableError('log-unreachable', 'nothing was changed')
              : error;
          }),
      }),
  },
} as const satisfies Record<string, Mutation>;

export type MutationName = keyof typeof MUTATIONS;

/** The same object with other methods. */
function override<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(object, name) {
      const member = (methods as Record<string | symbol, unknown>)[name] ?? Reflect.get(object, name, object);
      return typeof member === 'function' && !Object.hasOwn(methods, name) ? member.bind(object) : member;
    },
  });
}
