import { afterEach, beforeEach, describe } from 'node:test';
import type { ChangeLog } from './change-log.ts';
import { blobsContract } from './contract/blobs.ts';
import { lifeContract } from './contract/life.ts';
import { recordsContract } from './contract/records.ts';
import { snapshotsContract } from './contract/snapshots.ts';
import { troubleContract } from './contract/trouble.ts';

export { until } from './contract/testing.ts';

/** A log engine for one test, and the ways to trouble it. */
export interface LogHarness {
  /** Another handle on the same log. */
  open(): Promise<ChangeLog>;
  /** A handle on another log that lives beside it. Absent: the engine has but one. */
  beside?(): Promise<ChangeLog>;
  /** Stops the engine and starts it again; handles from before may be of no use. Absent: the engine keeps nothing. */
  restart?(): Promise<void>;
  /** Cuts the connections of all handles, once so many more bytes have come through; new ones can be made. */
  cut?(afterBytes?: number): void;
  /** From now on, requests are accepted and not answered, until `thaw`. */
  freeze?(): void;
  thaw?(): void;
  /** Ends everything, whatever state it is in. */
  dispose(): Promise<void>;
}

export interface LogContractOptions {
  /** After how long the harness' engine forgets a node, in milliseconds; short, for the test waits for it. */
  readonly peerTtlMs: number;
  /** The troubles that the harness can cause; others are not tested, for the engine cannot get into them. */
  readonly troubles: readonly ('restart' | 'cut' | 'freeze')[];
  /** Longest time in which a frozen engine must be noticed, in milliseconds. */
  readonly noticeMs?: number;
  /** Whether bodies are kept elsewhere than in memory. Default: true. */
  readonly streams?: boolean;
  /**
   * `elsewhere`: bodies go over connections that the harness can cut. `here`: each handle keeps its own, and gets from the others
   * what it does not have; so an upload goes on where it broke off through the same handle only. Default: `elsewhere`.
   */
  readonly bodies?: 'elsewhere' | 'here';
  /** How many megabytes of records the engine carries within a few seconds. Default: 100. */
  readonly recordMegabytes?: number;
  /** Whether the harness can open another log beside the one. Default: true. */
  readonly beside?: boolean;
}

/** What the tests of the contract work on. */
export interface LogSubject {
  readonly options: LogContractOptions;
  /** Anew for each test. */
  harness: LogHarness;
  /** A handle. */
  log: ChangeLog;
}

/** What every `ChangeLog` must do, drivers and wrappers alike. */
export function logContract(name: string, start: () => Promise<LogHarness>, options: LogContractOptions): void {
  describe(`${name} keeps the contract of a log`, () => {
    const subject = { options } as LogSubject;
    beforeEach(async () => {
      subject.harness = await start();
      subject.log = await subject.harness.open();
    });
    afterEach(() => subject.harness.dispose());

    recordsContract(subject);
    snapshotsContract(subject);
    blobsContract(subject);
    lifeContract(subject);
    describe('in trouble', () => troubleContract(subject));
  });
}
