import { type Clock, messageOf, UnavailableError, UncertainError } from '../../src/base/index.ts';
import { NotPrimaryError } from '../../src/cluster/index.ts';
import type { ChangeLog } from '../../src/log/index.ts';
import { listSnapshot, type Position, readSnapshot } from '../../src/tree/index.ts';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import type { Oracle } from './oracle.ts';
import type { Trace } from './trace.ts';
import type { Workload } from './workload.ts';

/** What may happen to a cluster; each seed has some of it, some seeds much of one thing. */
export const TROUBLES = {
  kill: 3,
  'kill in a step': 5,
  'power failure': 1,
  'power failure everywhere': 0.5,
  'shut down': 1,
  replace: 0.7,
  'cut off': 2,
  'cut one way': 2,
  'log restart': 0.7,
  slow: 1.5,
  'slow disk': 1.5,
  'disk full': 1.5,
  'disk errors': 1.5,
  'read errors': 1,
  'clock jump': 1,
  role: 3,
  snapshot: 2,
  trim: 2,
  edit: 2,
} as const;

export type Trouble = keyof typeof TROUBLES;

export interface ChaosParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly machines: readonly Machine[];
  readonly workload: Workload;
  readonly oracle: Oracle;
  /** The log without a network before it. */
  readonly log: ChangeLog;
  readonly weights: Readonly<Record<Trouble, number>>;
  onProblem(problem: unknown): void;
}

/** Makes trouble until it is told to stop. */
export class Chaos {
  readonly #parts: ChaosParts;
  #over = false;
  #edits = 0;

  constructor(parts: ChaosParts) {
    this.#parts = parts;
  }

  async run(untilMs: number, pauseMs: number): Promise<void> {
    const { clock, dice } = this.#parts;
    while (clock.monotonicMs() < untilMs) {
      await clock.sleep(dice.upTo(pauseMs));
      for (const machine of this.#parts.machines) if (machine.isOff && dice.chance(0.5)) void machine.boot();
      const machine = dice.pick(this.#parts.machines);
      if (!machine.isOff) await this.#trouble(machine, dice.weighted(this.#parts.weights));
    }
  }

  /** Everything works again. Machines that are off stay so. */
  end(): void {
    this.#over = true;
    for (const machine of this.#parts.machines) {
      machine.line.outCut = machine.line.inCut = false;
      machine.pace.turnMs = machine.diskMs = 0;
      machine.diskFailure = undefined;
      machine.readFailure = undefined;
      machine.stepsToLive = undefined;
      machine.role = machine.usualRole;
      machine.up?.node.setRole(machine.role);
    }
  }

  async #trouble(machine: Machine, trouble: Trouble): Promise<void> {
    const { dice, trace, machines, workload } = this.#parts;
    const { name, line, pace } = machine;
    if (!['kill', 'role', 'replace', 'shut down', 'power failure everywhere'].includes(trouble))
      trace.add(name, trouble);
    switch (trouble) {
      case 'kill':
      case 'power failure':
        return machine.kill(trouble !== 'kill');
      case 'kill in a step':
        machine.stepsToLive = dice.whole(0, 30);
        return;
      case 'power failure everywhere':
        for (const each of machines) each.kill(true);
        return;
      case 'shut down':
        void machine.shutDown();
        return;
      case 'replace':
        machine.replace();
        return;
      case 'cut off':
      case 'cut one way': {
        const both = trouble === 'cut off';
        const out = both || dice.chance(0.5);
        line.outCut ||= out;
        line.inCut ||= both || !out;
        return this.#later(3000, () => {
          line.outCut = line.inCut = false;
        });
      }
      case 'log restart':
        for (const each of machines) each.line.outCut = each.line.inCut = true;
        return this.#later(1000, () => {
          for (const each of machines) each.line.outCut = each.line.inCut = false;
        });
      case 'slow':
        pace.turnMs = dice.whole(50, 600);
        return this.#later(4000, () => {
          pace.turnMs = 0;
        });
      case 'slow disk':
        machine.diskMs = dice.upTo(100);
        return this.#later(4000, () => {
          machine.diskMs = 0;
        });
      case 'disk full':
        machine.diskFailure = ({ kind }) =>
          ['create', 'fill', 'mkdir', 'link'].includes(kind) ? diskError('ENOSPC') : undefined;
        return this.#later(2500, () => {
          machine.diskFailure = undefined;
        });
      case 'disk errors': {
        const often = dice.upTo(0.5);
        machine.diskFailure = () => (dice.chance(often) ? diskError('EIO') : undefined);
        return this.#later(2500, () => {
          machine.diskFailure = undefined;
        });
      }
      case 'read errors': {
        const often = dice.upTo(0.3);
        machine.readFailure = (path) =>
          !path.includes('/cluster/') && dice.chance(often) ? diskError('EIO') : undefined;
        return this.#later(2500, () => {
          machine.readFailure = undefined;
        });
      }
      case 'clock jump':
        pace.wallErrorMs = dice.upTo(7_200_000) - 3_600_000;
        return;
      case 'role':
        return this.#changeRole(machine);
      case 'snapshot':
        await machine.up?.life.outside(machine.up.node.snapshot()).catch((error) => this.#allow(error));
        return this.#checkSnapshot();
      case 'trim':
        return this.#trim(workload.neededFrom);
      case 'edit':
        return this.#edit(machine);
    }
  }

  #changeRole(machine: Machine): void {
    const { dice, trace } = this.#parts;
    const role = dice.weighted({ both: 3, replica: 2, paused: 2 });
    trace.add(machine.name, `becomes ${role}`);
    machine.role = role;
    machine.up?.node.setRole(role);
    // Somebody has to take changes, and to follow, or nothing is tested.
    this.#later(2000, () => {
      trace.add(machine.name, `becomes ${machine.usualRole} again`);
      machine.role = machine.usualRole;
      machine.up?.node.setRole(machine.role);
    });
  }

  /** The latest one is the state of the log at its position, to the byte. */
  async #checkSnapshot(): Promise<void> {
    const { log, oracle } = this.#parts;
    const latest = await log.latestSnapshot();
    if (latest === undefined) return;
    const { position, digest } = await listSnapshot(await readSnapshot(latest.body));
    oracle.compare('the snapshot', position, digest);
  }

  /** Nodes that are behind have to take the snapshot then, some of them while they are reading the records. */
  async #trim(neededFrom: Position): Promise<void> {
    const { log } = this.#parts;
    const latest = await log.latestSnapshot();
    if (latest === undefined) return;
    latest.body.destroy();
    await log.trim(Math.min(latest.at, neededFrom) as Position);
  }

  /** Somebody changes a file by hand, and may have it looked at. */
  async #edit(machine: Machine): Promise<void> {
    const { dice, trace } = this.#parts;
    // Files that are there before a node first joins are another story: it refuses them.
    if (!machine.hasJoined) return;
    const text = `edit ${++this.#edits} on ${machine.name}`;
    machine.disk.edit(`/data/hand/h${dice.whole(0, 3)}`, dice.chance(0.8) ? Buffer.from(text) : undefined);
    if (dice.chance(0.3)) return;
    const { up } = machine;
    if (up === undefined) return;
    try {
      const { outcome, paths } = await up.life.outside(up.node.reload({ by: 'sim', why: text }));
      trace.add(machine.name, `reload: ${outcome} ${paths}`);
    } catch (error) {
      trace.add(machine.name, `reload: ${messageOf(error)}`);
      this.#allow(error);
    }
  }

  #later(mostMs: number, run: () => void): void {
    const { clock, dice } = this.#parts;
    void clock.sleep(dice.upTo(mostMs)).then(() => {
      if (!this.#over) run();
    });
  }

  #allow(error: unknown): void {
    if (error instanceof UnavailableError || error instanceof UncertainError || error instanceof NotPrimaryError)
      return;
    this.#parts.onProblem(error);
  }
}

function diskError(code: 'ENOSPC' | 'EIO'): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
