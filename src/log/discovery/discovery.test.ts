import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, describe, it } from 'node:test';
import { type Facts, type Logger, silentLogger, systemClock, UserError } from '../../base/index.ts';
import { until } from '../contract.ts';
import { DATAGRAM_BYTES_MAX, decodeAnnouncement, encodeAnnouncement } from './datagram.ts';
import { placeOfLog, type Situation } from './decide.ts';
import { Discovery, type DiscoveryOptions, multicast, parseMulticastAddress, type Said } from './index.ts';
import type { Announcement, LogPlace, Neighbour, OpenDatagramChannel } from './types.ts';

const announcement: Announcement = { group: 'g', name: 'b', instance: 'i-b', url: 'http://b:8080/geoserver' };
const log = (host: string, id?: string) => ({ url: `ws://${host}:8080/geoserver/cluster/log`, id, position: 7 });

describe('a datagram', () => {
  it('carries an announcement, signed by the first secret and accepted by any', () => {
    const full: Announcement = { ...announcement, candidate: false, follows: 'x', log: log('b', 'x') };
    const datagram = encodeAnnouncement(full, 'new secret');
    assert.deepEqual(decodeAnnouncement(datagram, 'g', ['old secret', 'new secret']), full);
    assert.deepEqual(decodeAnnouncement(datagram, 'g', []), full);
    assert.ok(!datagram.toString().includes('new secret'));
    const unsigned = encodeAnnouncement(announcement, undefined);
    assert.deepEqual(decodeAnnouncement(unsigned, 'g', []), announcement);
  });

  it('is ignored when it is of another group, unsigned, or wrongly signed', () => {
    const signed = encodeAnnouncement(announcement, 'secret');
    assert.equal(decodeAnnouncement(signed, 'h', ['secret']), 'other-group');
    assert.equal(decodeAnnouncement(signed, 'g', ['other']), 'wrong-signature');
    assert.equal(decodeAnnouncement(encodeAnnouncement(announcement, undefined), 'g', ['secret']), 'unsigned');
    const forged = signed.toString().replace('b:8080', 'c:8080');
    assert.equal(decodeAnnouncement(Buffer.from(forged), 'g', ['secret']), 'wrong-signature');
  });

  it('is ignored when it makes no sense', () => {
    const wrong: unknown[] = [
      { ...announcement, name: '' },
      { ...announcement, name: 'a\nb' },
      { ...announcement, instance: '../x' },
      { ...announcement, url: 'file:///etc/passwd' },
      { ...announcement, url: 'http://user:pw@b' },
      { ...announcement, candidate: 'yes' },
      { ...announcement, follows: 7 },
      { ...announcement, log: 'ws://b' },
      { ...announcement, log: { ...log('b'), url: 'http://b' } },
      { ...announcement, log: { ...log('b'), position: -1 } },
      null,
      [],
    ];
    for (const each of wrong)
      assert.equal(
        decodeAnnouncement(encodeAnnouncement(each as Announcement, undefined), 'g', []),
        'not-ours',
        JSON.stringify(each),
      );
    for (const text of [
      '',
      'null',
      '7',
      '{"graticule":2,"said":"{}"}',
      '{"graticule":1,"said":{}}',
      '{"graticule":1,"said":"{"}',
    ])
      assert.equal(decodeAnnouncement(Buffer.from(text), 'g', []), 'not-ours', text);
    assert.equal(decodeAnnouncement(Buffer.alloc(DATAGRAM_BYTES_MAX + 1, 32), 'g', []), 'not-ours');
    assert.throws(() => encodeAnnouncement({ ...announcement, url: `http://${'b'.repeat(2000)}` }, 's'), RangeError);
  });
});

describe('where the log is', () => {
  const b = (more: Partial<Neighbour> = {}): Neighbour => ({ ...announcement, address: '10.0.0.2', ...more });
  const me: Situation = { name: 'm', instance: 'i-m', candidate: true, neighbours: [], listened: true };
  const cases: [what: string, situation: Partial<Situation>, expected: LogPlace['kind'] | string, reason?: RegExp][] = [
    ['nobody, not long enough', { listened: false }, 'wait', /listening/],
    ['nobody', {}, 'start'],
    ['nobody, and a replica', { candidate: false }, 'wait', /role both/],
    ['a candidate that comes first', { neighbours: [b({ candidate: true })] }, 'wait', /node b to start/],
    ['a candidate that comes later', { neighbours: [b({ name: 'z', candidate: true })] }, 'start'],
    ['one of the same name, by instance', { neighbours: [b({ name: 'm', candidate: true })] }, 'wait'],
    [
      'one of the same name, the other way',
      { neighbours: [b({ name: 'm', instance: 'z', candidate: true })] },
      'start',
    ],
    ['no candidate before', { neighbours: [b()] }, 'start'],
    ['a member of a log that is away', { neighbours: [b({ follows: 'x' })] }, 'wait', /node b belongs to the log x/],
    ['a log', { neighbours: [b({ log: log('b', 'x') })] }, 'ws://b:8080/geoserver/cluster/log'],
    ['a log, at once', { listened: false, neighbours: [b({ log: log('b') })] }, 'ws://b:8080/geoserver/cluster/log'],
    ['a log at the sender', { neighbours: [b({ log: log('0.0.0.0') })] }, 'ws://10.0.0.2:8080/geoserver/cluster/log'],
    [
      'two logs',
      { neighbours: [b({ log: log('b', 'x') }), b({ name: 'c', instance: 'i-c', log: log('c', 'y') })] },
      'several',
      /x at b.*y at c.*--log/,
    ],
    ['my own log', { follows: 'x', neighbours: [b({ log: log('b', 'x') })] }, 'ws://b:8080/geoserver/cluster/log'],
    ['my own log away', { follows: 'x', candidate: true }, 'wait', /holds the log x/],
    ['another log', { follows: 'x', neighbours: [b({ log: log('b', 'y') })] }, 'wait', /belongs to the log x.*y at b/],
    ['a log that is begun', { follows: 'x', neighbours: [b({ log: log('b') })] }, 'wait', /others: a new one at b/],
  ];
  for (const [what, situation, expected, reason] of cases)
    it(what, () => {
      const place = placeOfLog({ ...me, ...situation });
      assert.equal(place.kind === 'follow' ? place.urls.join() : place.kind, expected);
      if (reason !== undefined) assert.match('reason' in place ? place.reason : '', reason);
    });
});

/** A network in this process: everybody hears everybody, unless the test cuts it in two. */
class Bus {
  readonly #ears = new Map<object, { hear: (datagram: Uint8Array, address: string) => void; side: number }>();
  split = false;

  open(side = 0): OpenDatagramChannel {
    return async (hear) => {
      const self = {};
      this.#ears.set(self, { hear, side });
      return {
        send: (datagram) => {
          for (const ear of [...this.#ears.values()])
            if (!this.split || ear.side === side) setImmediate(ear.hear, datagram, '10.0.0.1');
        },
        close: async () => {
          this.#ears.delete(self);
        },
      };
    };
  }
}

const opened: Discovery[] = [];
after(async () => {
  for (const each of opened) await each.close();
});

function recording() {
  const lines: string[] = [];
  const write = (event: string, facts?: Facts) => lines.push(`${event} ${JSON.stringify(facts)}`);
  return { lines, logger: { ...silentLogger, info: write, warn: write } satisfies Logger };
}

async function open(
  name: string,
  network: OpenDatagramChannel,
  said: Said = {},
  more: Partial<DiscoveryOptions> = {},
): Promise<Discovery> {
  const discovery = await Discovery.open(
    {
      group: 'g',
      name,
      url: `http://${name}:8080/geoserver`,
      secrets: { accepted: ['a secret for tests'], source: 'the test' },
      network,
      clock: systemClock,
      random: Math.random,
      everyMs: 50,
      ...more,
    },
    said,
  );
  opened.push(discovery);
  return discovery;
}

const forever = new AbortController().signal;

describe('nodes that look for a log', () => {
  it('agree on who starts it, and the others follow', async () => {
    const bus = new Bus();
    const nodes = await Promise.all(
      ['c', 'a', 'b'].map(async (name) => ({ name, discovery: await open(name, bus.open(), { candidate: true }) })),
    );
    const outcomes = await Promise.all(
      nodes.map(async ({ name, discovery }) => {
        const place = await discovery.found(forever);
        if (place.kind === 'start') discovery.say({ log: log(name) });
        return `${name} ${place.kind === 'follow' ? place.urls : place.kind}`;
      }),
    );
    const url = 'ws://a:8080/geoserver/cluster/log';
    assert.deepEqual(
      outcomes.sort(),
      ['a start', `b follow,${url}`, `c follow,${url}`].map((text) => text.replace('follow,', '')),
    );
  });

  it('listen anew after they stood still', async () => {
    const bus = new Bus();
    const nodes = await Promise.all(
      ['b', 'c'].map((name) => open(name, bus.open(), { candidate: true }, { everyMs: 30 })),
    );
    const looking = nodes.map((node) => node.found(forever));
    await until(() => nodes[0]!.neighbours.length === 1, 'they hear each other');
    // Nobody in this process hears anything meanwhile.
    for (const end = performance.now() + 300; performance.now() < end; );
    const place = nodes[1]!.place();
    assert.match('reason' in place ? place.reason : place.kind, /listening/);
    assert.equal(nodes[1]!.neighbours.length, 1);
    assert.equal((await looking[0])!.kind, 'start');
    nodes[0]!.say({ log: log('b') });
    assert.equal((await looking[1])!.kind, 'follow');
  });

  it('do not wait for one that has gone', async () => {
    const bus = new Bus();
    const first = await open('a', bus.open(), { candidate: true });
    const second = await open('b', bus.open(), { candidate: true });
    await until(() => second.neighbours.length === 1, 'b hears a');
    await first.close();
    assert.deepEqual(await second.found(forever), { kind: 'start' });
  });

  it('find a log again that has moved, and remember where one was that is silent', async () => {
    const bus = new Bus();
    const follower = await open('b', bus.open(), { follows: 'x' });
    assert.deepEqual(follower.urls(), []);
    const first = await open('a', bus.open(), { log: log('old', 'x') });
    await until(() => follower.urls()[0] === log('old').url, 'the log');
    await first.close();
    await until(() => follower.neighbours.length === 0, 'the log is silent');
    assert.deepEqual(follower.urls(), [log('old').url]);
    await open('a', bus.open(), { log: log('new', 'x') });
    await until(() => follower.urls()[0] === log('new').url, 'the log elsewhere');
  });

  it('see two logs when a network was split while they began, and none goes over to the other', async () => {
    const bus = new Bus();
    bus.split = true;
    const [a, b] = [recording(), recording()];
    const left = await open('a', bus.open(1), { candidate: true }, { logger: a.logger });
    const right = await open('b', bus.open(2), { candidate: true }, { logger: b.logger });
    assert.equal((await left.found(forever)).kind, 'start');
    assert.equal((await right.found(forever)).kind, 'start');
    left.say({ follows: 'x', log: log('a', 'x') });
    right.say({ follows: 'y', log: log('b', 'y') });
    bus.split = false;
    await until(() => a.lines.some((line) => /log y of this group.*belongs to x/.test(line)), 'a says so');
    await until(() => b.lines.some((line) => /log x of this group.*belongs to y/.test(line)), 'b says so');
    const newcomer = await open('c', bus.open(1), { candidate: true });
    await until(() => newcomer.neighbours.length === 2, 'c hears both');
    await assert.rejects(
      newcomer.found(forever),
      (error) => error instanceof UserError && /2 logs/.test(error.message),
    );
    const member = await open('d', bus.open(1), { follows: 'y' });
    await until(() => member.urls()[0] === log('b').url, 'd finds its own');
  });

  it('stop looking when they are told to', async () => {
    const discovery = await open('r', new Bus().open());
    const stop = new AbortController();
    const looking = discovery.found(stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(looking, /enough/);
  });
});

const LOOPBACK = '127.0.0.1';

/** A port for the test alone, if multicast works here. */
async function loopback(): Promise<{ network: OpenDatagramChannel; port: number } | undefined> {
  for (let n = 0; n < 10; n++) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    let heard = 0;
    try {
      const network = multicast({ address: '239.77.124.1', port }, [LOOPBACK]);
      const channel = await network(() => heard++);
      channel.send(Buffer.from('x'));
      const deadline = performance.now() + 1000;
      while (heard === 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
      await channel.close();
      if (heard > 0) return { network, port };
    } catch {}
  }
  return undefined;
}

const place = await loopback();

describe('multicast', { skip: place === undefined && 'multicast does not work on this machine' }, () => {
  const { network, port } = place!;

  it('two groups side by side do not hear each other', async () => {
    const nodes = await Promise.all(
      ['g', 'h'].flatMap((group) =>
        ['a', 'b'].map(async (name) => ({
          group,
          discovery: await open(`${group}-${name}`, network, { candidate: true }, { group }),
        })),
      ),
    );
    const outcomes = await Promise.all(
      nodes.map(async ({ group, discovery }) => {
        const found = await discovery.found(forever);
        if (found.kind === 'start') discovery.say({ log: log(group) });
        return found.kind === 'follow' ? found.urls[0] : found.kind;
      }),
    );
    assert.deepEqual(outcomes, ['start', log('g').url, 'start', log('h').url]);
    for (const { group, discovery } of nodes)
      assert.deepEqual(
        discovery.neighbours.filter((each) => !each.name.startsWith(group)),
        [],
      );
    for (const { discovery } of nodes) await discovery.close();
  });

  it('a forged datagram is not believed, and is said once', async () => {
    const { lines, logger } = recording();
    const node = await open('a', network, { candidate: true }, { logger });
    const forger = createSocket('udp4');
    await new Promise<void>((resolve) => forger.bind(0, LOOPBACK, resolve));
    forger.setMulticastInterface(LOOPBACK);
    const lie = { ...announcement, name: '0', log: log('evil', 'x') };
    for (let n = 0; n < 5; n++)
      for (const secret of [undefined, 'a guess'])
        await new Promise((resolve) => forger.send(encodeAnnouncement(lie, secret), port, '239.77.124.1', resolve));
    await until(() => lines.filter((line) => line.startsWith('announcement-ignored')).length === 2, 'both are said');
    assert.deepEqual(await node.found(forever), { kind: 'start' });
    assert.equal(lines.filter((line) => line.startsWith('announcement-ignored')).length, 2, lines.join('\n'));
    assert.ok(lines.some((line) => /without a secret/.test(line)) && lines.some((line) => /another secret/.test(line)));
    forger.close();
    await node.close();
  });

  it('says what does not work', async () => {
    await assert.rejects(
      multicast({ address: '239.77.124.1', port }, ['203.0.113.9'])(() => {}),
      /--discovery-interface/,
    );
  });
});

it('addresses for multicast', () => {
  assert.deepEqual(parseMulticastAddress('239.1.2.3:7712'), { address: '239.1.2.3', port: 7712 });
  for (const text of ['', '239.1.2.3', '10.0.0.1:7712', '239.1.2.300:1', '239.1.2.3:0', '239.1.2.3:70000'])
    assert.throws(() => parseMulticastAddress(text), UserError, text);
});
