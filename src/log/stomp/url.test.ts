import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../base/index.ts';
import { namesOf } from './names.ts';
import { isStompUrl, parseStompUrl, saysStomp } from './url.ts';

test('the parts of a URL', () => {
  const plain = (host: string, port = 61613) => ({ host, port, encrypted: false });
  const table: [url: string, place: ReturnType<typeof parseStompUrl>][] = [
    ['stomp://a', { servers: [plain('a')] }],
    ['stomp://me:p%40%2Fw@a:1234/', { servers: [plain('a', 1234)], user: 'me', password: 'p@/w' }],
    ['stomp+ssl://a', { servers: [{ host: 'a', port: 61614, encrypted: true }] }],
    ['stomp+nio+ssl://[::1]:5', { servers: [{ host: '::1', port: 5, encrypted: true }] }],
    ['failover:(stomp://a:1,stomp://b:2)?randomize=false', { servers: [plain('a', 1), plain('b', 2)] }],
    ['failover:stomp://a:1,stomp://b:2', { servers: [plain('a', 1), plain('b', 2)] }],
    ['failover://(tcp://a:61613, ssl://b:5)', { servers: [plain('a'), { host: 'b', port: 5, encrypted: true }] }],
    [
      'failover:(tcp://a:61613)?jms.userName=me&jms.password=x%26y',
      { servers: [plain('a')], user: 'me', password: 'x&y' },
    ],
    [
      'failover:(stomp://me:x,y@a:1,stomp://b:2)',
      { servers: [plain('a', 1), plain('b', 2)], user: 'me', password: 'x,y' },
    ],
  ];
  for (const [url, place] of table) {
    assert.ok(isStompUrl(url), url);
    assert.deepEqual(parseStompUrl(url), place, url);
  }
  assert.ok(saysStomp('failover:(stomp://a)') && !saysStomp('failover:(tcp://a)'));
  for (const other of ['ws://a', 'failover:(ws://a)', 'nats://a', 'tls://a', 'postgres://a/b', 'embedded:'])
    assert.ok(!isStompUrl(other), other);
});

test('what is wrong with a URL is said without its secrets', () => {
  const table: [url: string, text: RegExp][] = [
    ['tcp://me:hidden@a:61616', /61616 is that of OpenWire.*61613/],
    ['stomp://me:hidden@a:99999', /99999/],
    ['stomp://me:hidden@a:x', /one of its servers is none/],
    ['failover:(stomp://me:hidden@a,stomp://you:hidden@b)', /same user and password/],
    ['stomp://me:%hidden@a', /%25/],
  ];
  for (const [url, text] of table)
    assert.throws(
      () => parseStompUrl(url),
      (error: UserError) => error instanceof UserError && text.test(error.message) && !error.message.includes('hidden'),
      url,
    );
});

test('names of destinations', () => {
  const names = namesOf('VirtualTopic.geo', 'maps, north');
  assert.equal(names.topic, '/topic/VirtualTopic.geo.maps_2c_20north');
  assert.equal(names.queueOf('a.b:8080'), '/queue/Consumer.a_2eb_3a8080.VirtualTopic.geo.maps_2c_20north');
  assert.equal(names.proposals, '/queue/geo.maps_2c_20north.proposals');
  for (const wrong of ['geoserver', 'VirtualTopic', 'VirtualTopic.a.>', 'VirtualTopic.a,b'])
    assert.throws(() => namesOf(wrong, 'g'), /topicName=/);
});
