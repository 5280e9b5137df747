import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/index.ts';
import type { ChangeLog } from '../change-log.ts';
import type { Link, Message, Sending } from './link.ts';
import { Presence } from './presence.ts';

test('who has said that it is gone says nothing more, and opens no copy of another', async () => {
  let opened = 0;
  const presence = new Presence({
    topic: '/topic/nodes',
    name: 'a',
    url: 'ws://a',
    logger: silentLogger,
    everyMs: 60_000,
    peerTtlMs: 1000,
    open: () => {
      opened++;
      return { close: async () => {} } as ChangeLog;
    },
  });
  let give: (message: Message) => void = () => {};
  const sent: string[] = [];
  const link = {
    open: true,
    subscribe: async (_topic: string, _headers: unknown, each: typeof give) => {
      give = each;
    },
    whenEnded: () => {},
    send: ([, , body]: Sending) => sent.push(JSON.parse(Buffer.from(body!).toString()).kind),
    confirm: async (sending: Sending) => link.send(sending),
  };
  const hear = (name: string) =>
    give({
      headers: {},
      body: Buffer.from(
        JSON.stringify({ kind: 'here', node: { name, url: `ws://${name}` }, process: name, asks: true }),
      ),
    });
  await presence.prepare(link as unknown as Link);
  hear('b');
  assert.equal(presence.others().length, 1);
  assert.deepEqual(sent, ['here', 'here']);
  await presence.leave();
  hear('c');
  assert.deepEqual(presence.others(), []);
  assert.equal(opened, 1);
  assert.deepEqual(sent, ['here', 'here', 'gone']);
  await presence.close();
});
