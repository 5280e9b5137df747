import { type Clock, silentLogger } from '../../src/base/index.ts';
import { type ClusterNode, type OnDrift, openNode, type Role } from '../../src/cluster/index.ts';
import type { MemoryLog } from '../../src/log/index.ts';
import type { FileSystem } from '../../src/tree/index.ts';
import type { Dice } from './dice.ts';
import { SimulatedDisk, type Step } from './disk.ts';
import { clockOf, Life, never, type Pace, untilTurn } from './life.ts';
import type { Mutation } from './mutations.ts';
import { type Line, overNetwork, type Weather } from './network.ts';
import type { Trace } from './trace.ts';

const STATE_FILE = '/data/cluster/state.json';

/** What all machines share. */
export interface World {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly log: MemoryLog;
  readonly mutation: Mutation;
  readonly snapshotEveryRecords: number;
  readonly keepCachesFrom: number;
  /** Called for each record that a node has applied. */
  onApplied(machine: Machine, node: ClusterNode): void;
  onProblem(problem: unknown): void;
}

export interface Running {
  readonly node: ClusterNode;
  readonly life: Life;
}

/** A computer: its disk stays, its process comes and goes. */
export class Machine {
  readonly name: string;
  /** Its role but for what chaos does. */
  readonly usualRole: Role;
  role: Role;
  disk: SimulatedDisk;
  readonly line: Line;
  readonly onDrift: OnDrift;
  readonly pace: Pace = { wallErrorMs: 0, turnMs: 0 };
  /** Most that a call to the disk takes. */
  diskMs = 0;
  /** What a step on the disk fails with now. */
  diskFailure: ((step: Step) => Error | undefined) | undefined;
  /** What reading a file or folder fails with now. */
  readFailure: ((path: string) => Error | undefined) | undefined;
  /** The process is killed at the step after so many more. */
  stepsToLive: number | undefined;
  readonly #world: World;
  /** From this position on the node's tree is the log's; before it, after a crash, it may hold files of later records. */
  comparableFrom = 0;
  #life: Life | undefined;
  #up: Running | undefined;

  constructor(name: string, role: Role, weather: Weather, world: World) {
    this.name = name;
    this.usualRole = role;
    this.role = role;
    this.#world = world;
    this.disk = this.#newDisk();
    this.onDrift = world.dice.pick(['publish', 'restore']);
    this.line = { weather, outCut: false, inCut: false };
  }

  /** The node that clients reach; undefined while the process is down or starting. */
  get up(): Running | undefined {
    return this.#up;
  }

  get isOff(): boolean {
    return this.#life === undefined;
  }

  /** Whether the files on the disk are those of a log. */
  get hasJoined(): boolean {
    return this.disk.has(STATE_FILE);
  }

  /** Starts the process; resolves when it serves, or is dead again. */
  async boot(): Promise<void> {
    const { clock, dice, trace, log, mutation, snapshotEveryRecords, keepCachesFrom, onApplied, onProblem } =
      this.#world;
    const life = new Life();
    this.#life = life;
    trace.add(this.name, `starts as ${this.role}`);
    const handle = log.open();
    const { pace, line } = this;
    this.comparableFrom = this.#announced();
    const own = clockOf(clock, life, pace);
    const network = mutation.log(overNetwork(handle, { clock, dice, life, pace, line }), { clock: own });
    try {
      const node = await life.outside(
        openNode({
          dataDir: '/data',
          name: this.name,
          url: `http://${this.name}`,
          role: this.role,
          version: '0',
          log: network,
          logUrl: 'memory:',
          clock: own,
          random: dice.next,
          logger: {
            ...silentLogger,
            warn: (event, facts) => !life.dead && trace.add(this.name, `warn ${event} ${brief(facts)}`),
            error: (event, facts) => !life.dead && trace.add(this.name, `error ${event} ${brief(facts)}`),
          },
          system: this.#disk(life),
          snapshotEveryRecords,
          keepCachesFrom,
          onDrift: this.onDrift,
        }),
      );
      if (life.dead) return;
      // It may have been given another one while it was starting.
      node.setRole(this.role);
      node.onApplied(() => !life.dead && onApplied(this, node));
      this.#up = { node: mutation.node(node), life };
      trace.add(this.name, `serves at ${node.position}, ${node.status().state}`);
    } catch (error) {
      if (life.dead) return;
      this.#stop();
      onProblem(new Error(`${this.name} does not start`, { cause: error }));
    }
  }

  /** The process ends at this very moment, and with it, perhaps, the power. */
  kill(power: boolean): void {
    if (this.#life === undefined) return;
    this.#world.trace.add(this.name, power ? 'loses power' : 'is killed');
    this.#stop();
    this.disk = this.disk.afterCrash(power ? this.#world.dice : undefined);
  }

  /** The process is asked to end, and does. */
  async shutDown(): Promise<void> {
    const up = this.#up;
    if (up === undefined) return;
    this.#world.trace.add(this.name, 'shuts down');
    this.#up = undefined;
    await up.life.outside(up.node.close()).catch(() => {});
    if (up.life.dead || this.#life !== up.life) return;
    this.#stop();
    this.disk = this.disk.afterCrash();
  }

  /** Another computer takes its place, with nothing on its disk. */
  replace(): void {
    this.kill(false);
    this.#world.trace.add(this.name, 'is replaced by an empty one');
    this.disk = this.#newDisk();
  }

  /** How far the files on the disk may have come. */
  #announced(): number {
    if (!this.hasJoined) return 0;
    try {
      const { position, writing } = JSON.parse(Buffer.from(this.disk.readSync(STATE_FILE)!).toString());
      return writing?.upTo ?? position;
    } catch {
      // Damaged: the node will say so.
      return 0;
    }
  }

  #newDisk(): SimulatedDisk {
    const { clock, mutation } = this.#world;
    return new SimulatedDisk({ now: () => clock.now() + this.pace.wallErrorMs, negligence: mutation.disk });
  }

  #stop(): void {
    this.#up = undefined;
    this.#life?.end();
    this.#life = undefined;
    this.stepsToLive = undefined;
  }

  /** The disk as the process sees it. */
  #disk(life: Life): FileSystem {
    const { clock, dice } = this.#world;
    const disk = this.disk;
    disk.onStep = (step) => {
      if (life.dead) throw new Error('the process is dead');
      if (this.stepsToLive !== undefined && --this.stepsToLive < 0) {
        this.#world.trace.add(this.name, `dies at ${step.kind} ${step.path}`);
        this.kill(dice.chance(0.6));
        throw new Error('the process is dead');
      }
      const error = this.diskFailure?.(step);
      if (error) throw error;
    };
    disk.onRead = (path) => {
      const error = this.readFailure?.(path);
      if (error) throw error;
    };
    return new Proxy(disk as FileSystem, {
      get: (target, name: keyof FileSystem) => {
        const call = target[name] as (...args: unknown[]) => unknown;
        if (name.endsWith('Sync') || name === 'readStream') return call.bind(target);
        return (...args: unknown[]) => {
          const run = async () => {
            if (this.diskMs > 0 || this.pace.turnMs > 0)
              await clock.sleep(untilTurn(clock, this.pace, dice.upTo(this.diskMs)));
            return life.dead ? never() : call.apply(target, args);
          };
          return life.inside(run());
        };
      },
    });
  }
}

/** Facts of a log line, without those that hold the bytes of errors. */
function brief(facts: Record<string, unknown> | undefined): string {
  const { error: _, ...rest } = facts ?? {};
  const text = JSON.stringify(rest);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
