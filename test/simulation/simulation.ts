import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../../src/base/index.ts';
import type { ClusterNode, Role } from '../../src/cluster/index.ts';
import { type MemoryLog, memoryLog } from '../../src/log/index.ts';
import { contentHash, isReplicated, treePath } from '../../src/tree/index.ts';
import { Chaos, TROUBLES, type Trouble } from './chaos.ts';
import { SimulatedClock } from './clock.ts';
import { Dice } from './dice.ts';
import { isolated } from './isolation.ts';
import { Machine, type World } from './machine.ts';
import { MUTATIONS, type MutationName } from './mutations.ts';
import type { Weather } from './network.ts';
import { Oracle } from './oracle.ts';
import { Trace } from './trace.ts';
import { Workload } from './workload.ts';

/** What became of one schedule. */
export interface Outcome {
  readonly seed: number;
  /** What went wrong; undefined when nothing did. */
  readonly problem: unknown;
  /** Hash of everything that happened: the same whenever the seed is. */
  readonly hash: string;
  /** The last events, for people. */
  readonly trace: readonly string[];
  readonly records: number;
  readonly counts: Workload['counts'];
}

/** How long clients and trouble go on, in simulated time. */
const TROUBLE_MS = 6000;
/** How long a cluster without trouble may take until all nodes are in step. */
const CONVERGE_MS_MAX = 120_000;
/** How long a node may take to publish what was edited while it was down, and to try its disk again. */
const PUBLISHED_MS_MAX = 12_000;
/** A schedule that takes more steps than this never ends. */
const STEPS_MAX = 200_000;

/**
 * Runs the schedule of a seed: a whole cluster in this process, its clients, and what happens to it. One that fails is run again,
 * for the stacks of its errors: writing them down takes as long as everything else together.
 */
export async function simulate(
  seed: number,
  mutation: MutationName = 'none',
  options: { readonly stacks?: boolean } = {},
): Promise<Outcome> {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const outcome = await once(seed, mutation).finally(() => {
    Error.stackTraceLimit = limit;
  });
  return outcome.problem === undefined || options.stacks === false ? outcome : once(seed, mutation);
}

async function once(seed: number, mutation: MutationName): Promise<Outcome> {
  const simulation = new Simulation(seed, mutation);
  const onRejection = (reason: unknown) =>
    simulation.fail(new Error('nobody has caught a rejection', { cause: reason }));
  process.on('unhandledRejection', onRejection);
  try {
    return await isolated(
      (name) => simulation.fail(new Error(`${name} was used: a seed would not replay`)),
      () => simulation.run(),
    );
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

class Simulation {
  readonly #seed: number;
  readonly #dice: Dice;
  readonly #clock = new SimulatedClock();
  readonly #trace = new Trace(() => this.#clock.monotonicMs());
  readonly #log: MemoryLog = memoryLog({ clock: this.#clock });
  readonly #oracle = new Oracle((problem) => this.fail(problem));
  readonly #weather: Weather;
  readonly #machines: readonly Machine[];
  readonly #workload: Workload;
  #problem: unknown;

  constructor(seed: number, mutation: MutationName) {
    this.#seed = seed;
    const dice = new Dice(seed);
    this.#dice = dice;
    this.#weather = weatherOf(dice);
    const clock = this.#clock;
    const trace = this.#trace;
    const world: World = {
      clock,
      dice,
      trace,
      log: this.#log,
      mutation: MUTATIONS[mutation],
      snapshotEveryRecords: dice.pick([10, 30, 100]),
      keepCachesFrom: dice.pick([1, 1000]),
      onApplied: (machine, node) => this.#applied(machine, node),
      onProblem: (problem) => this.fail(problem),
    };
    const count = dice.weighted({ 3: 5, 4: 2, 5: 2, 6: 1, 7: 1 } as Record<string, number>);
    const roleOf = (i: number): Role => (i < 2 || dice.chance(0.5) ? 'both' : 'replica');
    this.#machines = Array.from(
      { length: Number(count) },
      (_, i) => new Machine('abcdefg'[i]!, roleOf(i), this.#weather, world),
    );
    this.#workload = new Workload({
      clock,
      dice,
      trace,
      oracle: this.#oracle,
      machines: this.#machines,
      onProblem: world.onProblem,
    });
  }

  /** The first problem counts: what comes after it may only follow from it. */
  fail(problem: unknown): void {
    if (this.#problem !== undefined) return;
    this.#problem = problem;
    this.#trace.add('problem', messageOf(problem));
  }

  async run(): Promise<Outcome> {
    let over = false;
    const story = this.#story()
      .catch((error) => this.fail(error))
      .finally(() => {
        over = true;
      });
    for (let steps = 0; !over && this.#problem === undefined; steps++) {
      await nextTurn();
      await nextTurn();
      if (over) break;
      if (steps > STEPS_MAX) this.fail(new Error('the schedule does not end'));
      else if (!this.#clock.advance()) this.fail(new Error('nothing happens any more'));
    }
    // What is still under way must not be taken for the doing of the schedule that comes next.
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    if (over) await story;
    const { counts } = this.#workload;
    this.#trace.add('end', `${this.#oracle.position} ${this.#oracle.digest} ${JSON.stringify(counts)}`);
    const trace = this.#trace.lines();
    return {
      seed: this.#seed,
      problem: this.#problem,
      trace,
      hash: this.#trace.seal(),
      records: this.#oracle.position,
      counts,
    };
  }

  async #story(): Promise<void> {
    const clock = this.#clock;
    const dice = this.#dice;
    void this.#oracle.follow(this.#log.open());
    await Promise.all(this.#machines.map((machine) => machine.boot()));
    const untilMs = clock.monotonicMs() + TROUBLE_MS;
    const chaos = new Chaos({
      clock,
      dice,
      trace: this.#trace,
      machines: this.#machines,
      workload: this.#workload,
      oracle: this.#oracle,
      log: this.#log.open(),
      weights: weightsOf(dice),
      onProblem: (problem) => this.fail(problem),
    });
    const thinkMs = dice.pick([20, 60, 200]);
    const pauseMs = dice.pick([150, 400, 800]);
    const clients = Array.from({ length: dice.whole(3, 6) }, () => this.#workload.client(untilMs, thinkMs));
    await Promise.all([...clients, chaos.run(untilMs, pauseMs)]);
    chaos.end();
    Object.assign(this.#weather, { ...CALM });
    await this.#converge();
    this.#workload.checkEnd();
  }

  #applied(machine: Machine, node: ClusterNode): void {
    if (node.position >= machine.comparableFrom) this.#oracle.compare(machine.name, node.position, node.digest);
  }

  // ---- the end

  async #converge(): Promise<void> {
    const dice = this.#dice;
    this.#trace.add('all', 'trouble is over');
    // What is on the disks counts: some seeds end with the power, too.
    if (dice.chance(0.3)) for (const machine of this.#machines) machine.kill(dice.chance(0.5));
    const deadline = this.#clock.monotonicMs() + CONVERGE_MS_MAX;
    for (const machine of this.#machines) {
      await this.#until(deadline, `${machine.name} serves`, () => {
        if (machine.isOff) void machine.boot();
        return machine.up !== undefined;
      });
    }
    const nodes = this.#machines.map(({ up }) => up!.node);
    const admin = this.#log.open();
    for (const node of nodes)
      await this.#until(
        deadline,
        () => `${node.name} is in step, and not ${state(node)}`,
        () => node.status().state === 'in-step',
      );
    // Edits found at the start are published in the background, tried again after some seconds.
    await this.#clock.sleep(PUBLISHED_MS_MAX);
    // Files edited by hand that nobody had looked at.
    for (const node of nodes) {
      const { outcome, paths } = await node.reload({ by: 'sim', why: 'edits left over' });
      this.#trace.add(node.name, `reload: ${outcome} ${paths}`);
    }
    const head = await admin.head();
    await this.#until(deadline, 'all nodes reach the head', () => nodes.every(({ position }) => position === head));
    for (const node of nodes) {
      await this.#until(
        deadline,
        () => `${node.name} is in step, and not ${state(node)}`,
        () => node.status().state === 'in-step',
      );
      await node.written();
      if (node.digest !== this.#oracle.digest) this.fail(new Error(`${node.name} has another digest than the log`));
    }
    for (const machine of this.#machines) {
      await machine.shutDown();
      this.#compareDisk(machine);
    }
  }

  async #until(deadline: number, what: string | (() => string), holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#clock.monotonicMs() > deadline)
        throw new Error(`not within ${CONVERGE_MS_MAX} ms: ${typeof what === 'string' ? what : what()}`);
      await this.#clock.sleep(20);
    }
  }

  /** The files are those of the log. */
  #compareDisk({ name, disk }: Machine): void {
    const { tree } = this.#oracle;
    const found = new Map<string, string>();
    for (const [file, bytes] of disk.files()) {
      const path = treePath(file.slice('/data/'.length));
      if (isReplicated(path)) found.set(path, contentHash(bytes));
    }
    for (const [path, { hash }] of tree.walk()) {
      const own = found.get(path);
      if (own !== hash)
        this.fail(new Error(`${path} on ${name}'s disk is ${own ? 'not what the log says' : 'missing'}`));
      found.delete(path);
    }
    if (found.size > 0) this.fail(new Error(`${name}'s disk has ${[...found.keys()]}, which the log does not`));
  }
}

function state(node: ClusterNode): string {
  const { state, reason } = node.status();
  return `${state}${reason ? ` (${reason})` : ''}`;
}

const CALM = { lostRequest: 0, lostAnswer: 0, lateRequest: 0, doubled: 0, refused: 0, brokenBody: 0 };

/** Some networks lose much, some nothing; each in its own way. */
function weatherOf(dice: Dice): Weather {
  const some = (most: number) => (dice.chance(0.5) ? dice.upTo(most) : 0);
  return {
    latencyMs: dice.pick([0, 5, 30]),
    lostRequest: some(0.05),
    lostAnswer: some(0.1),
    lateRequest: some(0.05),
    doubled: some(0.1),
    refused: some(0.05),
    brokenBody: some(0.3),
  };
}

/** Half of what may happen happens in one schedule: the rest cannot hide it. */
function weightsOf(dice: Dice): Record<Trouble, number> {
  const weights = Object.entries(TROUBLES).map(([name, weight]) => [name, dice.chance(0.5) ? weight : 0] as const);
  return { ...Object.fromEntries(weights), kill: 0.5 } as Record<Trouble, number>;
}
