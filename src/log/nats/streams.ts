import { type Logger, UnavailableError } from '../../base/index.ts';
import { isUnreachable, LogRefusedError } from '../errors.ts';
import type { Link, Msg } from './link.ts';
import type { Names } from './names.ts';
import type { NatsPlace } from './url.ts';

/** JetStream's codes for errors that mean something here. */
const CODE = {
  noStream: 10059,
  nameInUse: 10058,
  subjectsOverlap: 10065,
  noPeers: 10005,
  noMessage: 10037,
  wrongLast: [10071, 10070, 10164],
} as const;
const NEVER = Number.MAX_SAFE_INTEGER;
/** A stream that was only just made may be without a leader for a moment. */
const LEADER_WAIT_MS = { first: 50, all: 8000 };

export interface StreamInfo {
  readonly config: StreamConfig;
  readonly state: {
    readonly messages: number;
    readonly first_seq: number;
    readonly last_seq: number;
    readonly subjects?: Readonly<Record<string, number>>;
  };
}

interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly storage: 'file' | 'memory';
  readonly num_replicas: number;
  readonly retention: string;
  readonly max_msgs: number;
  readonly max_bytes: number;
  readonly max_age: number;
  readonly max_msgs_per_subject: number;
  readonly discard: 'old' | 'new';
  readonly sealed?: boolean;
}

/** A message as it is kept. */
export interface StoredMessage {
  readonly sequence: number;
  readonly data: Buffer;
  /** ISO 8601, by the server's clock. */
  readonly storedAt: string;
}

/** What came of a message that was to be stored. */
export type Stored =
  | { readonly kind: 'stored'; readonly sequence: number }
  /** Another one came before. `last` as the server tells it. */
  | { readonly kind: 'refused'; readonly last: number }
  /** Nobody there to store it; nothing was stored. */
  | { readonly kind: 'nobody' };

/** JetStream's API, as far as it is used here. */
export class Streams {
  readonly #prefix: string;

  constructor(domain: string | undefined) {
    this.#prefix = domain === undefined ? '$JS.API' : `$JS.${domain}.API`;
  }

  info(link: Link, stream: string): Promise<StreamInfo> {
    return this.request<StreamInfo>(link, `STREAM.INFO.${stream}`, {});
  }

  /** How many messages each subject of a filter has, as the stream's leader knows it. */
  async subjects(link: Link, stream: string, filter: string): Promise<readonly string[]> {
    const info = await this.request<StreamInfo>(link, `STREAM.INFO.${stream}`, { subjects_filter: filter });
    return Object.keys(info.state.subjects ?? {});
  }

  /** Removes messages: of one subject or filter, and below a sequence number, where they are given. */
  async purge(link: Link, stream: string, which: { filter?: string; seq?: number }): Promise<void> {
    await this.request(link, `STREAM.PURGE.${stream}`, which);
  }

  /** The last message of a subject, or of all that a filter names. */
  async last(link: Link, stream: string, subject: string): Promise<StoredMessage | undefined> {
    interface Reply {
      readonly message: { readonly seq: number; readonly data?: string; readonly time: string };
    }
    try {
      const { message } = await this.request<Reply>(link, `STREAM.MSG.GET.${stream}`, { last_by_subj: subject });
      return {
        sequence: message.seq,
        data: Buffer.from(message.data ?? '', 'base64'),
        storedAt: new Date(message.time).toISOString(),
      };
    } catch (error) {
      if (error instanceof ApiError && error.apiCode === CODE.noMessage) return undefined;
      throw error;
    }
  }

  /**
   * Stores a message.
   * @param expect  the sequence number that has to be the last, of the stream or of the subject; 0 for none
   * @throws UnavailableError  the server refused it: nothing was stored; or, if `isUnreachable`, nothing is known
   */
  async store(
    link: Link,
    subject: string,
    data: Uint8Array | string,
    expect: { readonly last?: number; readonly lastOfSubject?: number; readonly headers?: Record<string, string> },
    timeoutMs?: number,
  ): Promise<Stored> {
    const headers: Record<string, string> = { ...expect.headers };
    if (expect.last !== undefined) headers['Nats-Expected-Last-Sequence'] = `${expect.last}`;
    if (expect.lastOfSubject !== undefined) headers['Nats-Expected-Last-Subject-Sequence'] = `${expect.lastOfSubject}`;
    const answer = await link.call(subject, data, { headers, timeoutMs });
    if (answer.headers?.code === 503) return { kind: 'nobody' };
    const reply = jsonOf<{ seq?: number; error?: { err_code: number; description: string } }>(answer);
    if (reply.error === undefined && typeof reply.seq === 'number') return { kind: 'stored', sequence: reply.seq };
    const { err_code = 0, description = 'no reason given' } = reply.error ?? {};
    if ((CODE.wrongLast as readonly number[]).includes(err_code))
      return { kind: 'refused', last: Number(/\d+$/.exec(description)?.[0] ?? Number.NaN) };
    throw new ApiError(link.server, err_code, `the message was not stored: ${description}`);
  }

  /**
   * Resolves when everything that was sent to a stream before has been decided, with its last sequence number then; undefined
   * when it is without a leader. No message ever stands after the one that this one expects, so it is always refused, in its turn.
   *
   * @param subject  of the stream
   */
  async barrier(link: Link, subject: string): Promise<number | undefined> {
    const answer = await this.store(link, subject, '', { last: NEVER });
    if (answer.kind === 'stored')
      throw new UnavailableError('log-failed', `${link.server}: it does not compare sequence numbers`);
    return answer.kind === 'refused' ? answer.last : undefined;
  }

  /** @throws ApiError @throws UnavailableError */
  async request<T>(link: Link, what: string, json: unknown): Promise<T> {
    const answer = await link.call(`${this.#prefix}.${what}`, JSON.stringify(json));
    if (answer.headers?.code === 503)
      throw new LogRefusedError(
        `${link.server}: JetStream does not answer; start the servers with it (-js), and give the account of the node's user access to it`,
      );
    const reply = jsonOf<T & { error?: { code: number; err_code?: number; description: string } }>(answer);
    if (reply.error === undefined) return reply;
    const { code, err_code = code, description } = reply.error;
    if (code === 503) throw new UnavailableError('log-unreachable', `${link.server}: ${description}`);
    throw new ApiError(link.server, err_code, description);
  }

  /** Where requests go that are not answered by one message. */
  address(what: string): string {
    return `${this.#prefix}.${what}`;
  }
}

/** JetStream answered that it would not do something. */
export class ApiError extends UnavailableError {
  readonly apiCode: number;

  constructor(server: string, apiCode: number, description: string) {
    super('log-failed', `${server}: ${description} (JetStream error ${apiCode})`);
    this.name = 'ApiError';
    this.apiCode = apiCode;
  }
}

/**
 * Makes the streams of a log that are not there, and looks at those that are.
 *
 * @param mayMake  false: streams that are not there were there before
 * @throws LogRefusedError  they cannot be made, or could lose records
 */
export async function prepareStreams(
  streams: Streams,
  link: Link,
  names: Names,
  place: NatsPlace,
  options: { readonly mayMake: boolean; readonly logger: Logger },
): Promise<void> {
  for (const [name, subject, perSubject] of [
    [names.bodies, names.body, 1],
    [names.records, names.record, -1],
  ] as const) {
    const info = await found(streams, link, name);
    if (info === undefined && !options.mayMake)
      throw new LogRefusedError(
        `${link.server}: the stream ${name} has gone, and was there before; restore it from a backup, then restart the nodes`,
      );
    const ready = info ?? (await make(streams, link, name, subject, perSubject, place));
    const reason = whyUnfit(ready.config, subject, perSubject);
    if (reason !== undefined)
      throw new LogRefusedError(`${link.server}: the stream ${name} is not fit for a log: ${reason}`);
    const { num_replicas: replicas } = ready.config;
    if (place.replicas !== undefined && place.replicas !== replicas)
      options.logger.warn('log-replicas-differ', {
        stream: name,
        replicas,
        wanted: place.replicas,
        remedy: `nats stream edit ${name} --replicas ${place.replicas}`,
      });
    await untilLed(streams, link, name === names.records ? names.record : names.barrier);
  }
}

/** A stream that is being made is told of before it has a leader, and requests to it are not answered. Does not wait for ever. */
async function untilLed(streams: Streams, link: Link, subject: string): Promise<void> {
  const untilMs = performance.now() + LEADER_WAIT_MS.all;
  for (let pauseMs = LEADER_WAIT_MS.first; performance.now() < untilMs; pauseMs = Math.min(2 * pauseMs, 1000)) {
    if ((await streams.barrier(link, subject)) !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function found(streams: Streams, link: Link, name: string): Promise<StreamInfo | undefined> {
  try {
    return await streams.info(link, name);
  } catch (error) {
    if (error instanceof ApiError && error.apiCode === CODE.noStream) return undefined;
    throw error;
  }
}

/** So often somebody else's stream over the same subjects is taken for ours that is being made. */
const OVERLAPS_MAX = 20;

async function make(
  streams: Streams,
  link: Link,
  name: string,
  subject: string,
  perSubject: number,
  place: NatsPlace,
): Promise<StreamInfo> {
  const replicas = place.replicas ?? (link.clustered ? 3 : 1);
  const untilMs = performance.now() + LEADER_WAIT_MS.all;
  let overlaps = 0;
  for (let pauseMs = LEADER_WAIT_MS.first; ; pauseMs = Math.min(2 * pauseMs, 1000)) {
    try {
      await create(streams, link, name, subject, perSubject, replicas);
      return await streams.info(link, name);
    } catch (error) {
      // A cluster that was only just started needs a moment to know its servers.
      const mayPass = link.open && performance.now() < untilMs;
      if (isUnreachable(error)) {
        if (!mayPass) throw error;
      } else if (!(error instanceof ApiError)) throw error;
      // Somebody may be making the very same stream at this moment: then its name is known the next time.
      else if (error.apiCode === CODE.subjectsOverlap && overlaps++ < OVERLAPS_MAX && mayPass) {
        await new Promise((resolve) => setTimeout(resolve, LEADER_WAIT_MS.first));
        continue;
      } else if (!mayPass || (error.apiCode !== CODE.noPeers && error.apiCode !== CODE.noStream))
        throw new LogRefusedError(
          `the stream ${name} with ${replicas} replicas cannot be made: ${error.message}; ?replicas= in the URL of the log says how many`,
          { cause: error },
        );
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

async function create(
  streams: Streams,
  link: Link,
  name: string,
  subject: string,
  perSubject: number,
  replicas: number,
): Promise<void> {
  try {
    await streams.request(link, `STREAM.CREATE.${name}`, {
      name,
      subjects: [subject],
      storage: 'file',
      num_replicas: replicas,
      retention: 'limits',
      discard: 'new',
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
      max_msgs_per_subject: perSubject,
      max_consumers: -1,
      max_msg_size: -1,
      deny_delete: true,
    });
  } catch (error) {
    // Somebody else made it at the same time.
    if (!(error instanceof ApiError) || error.apiCode !== CODE.nameInUse) throw error;
  }
}

/** Why records could get lost in a stream, or not be found there. */
function whyUnfit(config: StreamConfig, subject: string, perSubject: number): string | undefined {
  if (config.subjects.length !== 1 || config.subjects[0] !== subject) return `its only subject has to be ${subject}`;
  if (config.storage !== 'file') return 'its storage has to be file';
  if (config.retention !== 'limits') return 'its retention has to be limits';
  if (config.sealed === true) return 'it is sealed';
  if (config.max_age > 0) return 'max-age removes records; unset it';
  if (config.max_msgs_per_subject !== perSubject) return `max-msgs-per-subject has to be ${perSubject}`;
  if ((config.max_msgs > 0 || config.max_bytes > 0) && config.discard !== 'new')
    return 'a limit with discard "old" removes records; set discard to "new"';
  return undefined;
}

function jsonOf<T>(answer: Msg): T {
  try {
    return JSON.parse(Buffer.from(answer.data).toString()) as T;
  } catch (cause) {
    throw new UnavailableError('log-failed', 'JetStream gave an answer that is none', { cause });
  }
}
