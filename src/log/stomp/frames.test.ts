import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FrameError, FrameReader } from './frames.ts';

const read = (...chunks: readonly Buffer[]) => {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => [...reader.take(chunk)]);
};

test('frames come back as they were, however they are cut', () => {
  const frames = fc.array(
    fc.record({
      headers: fc.dictionary(
        fc.string({ minLength: 1, unit: 'binary' }).filter((name) => name !== '__proto__'),
        fc.string({ unit: 'binary' }),
        {
          noNullPrototype: true,
        },
      ),
      body: fc.uint8Array({ maxLength: 300 }),
      beats: fc.nat({ max: 2 }),
    }),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, sizes) => {
      const bytes = Buffer.concat(
        sent.flatMap(({ headers, body, beats }) => [encodeFrame('SEND', headers, body), Buffer.alloc(beats, '\n')]),
      );
      const chunks: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; at += sizes[n++ % sizes.length]!)
        chunks.push(bytes.subarray(at, at + sizes[n % sizes.length]!));
      const received = read(...chunks);
      assert.equal(received.length, sent.length);
      for (const [n, { command, headers, body }] of received.entries()) {
        const { 'content-length': length, ...rest } = headers;
        assert.equal(command, 'SEND');
        assert.deepEqual(rest, sent[n]!.headers);
        assert.equal(Number(length ?? 0), body.length);
        assert.ok(body.equals(sent[n]!.body));
      }
    }),
  );
});

test('a frame without a length ends at its zero; carriage returns and signs of life are passed over', () => {
  const [frame, ...more] = read(
    Buffer.from('\n\r\nERROR\r\nmessage:it\\cis\\nfull\r\n\r\nno'),
    Buffer.from(' room\0\n'),
  );
  assert.deepEqual(more, []);
  assert.deepEqual(
    { ...frame, headers: { ...frame!.headers }, body: frame!.body.toString() },
    {
      command: 'ERROR',
      headers: { message: 'it:is\nfull' },
      body: 'no room',
    },
  );
});

test('what cannot be a frame is given up', () => {
  for (const bytes of [
    'x'.repeat(70_000),
    'A\ncontent-length:-1\n\n',
    'A\ncontent-length:99999999999\n\n',
    'A\ncontent-length:1\n\nabc',
  ])
    assert.throws(() => read(Buffer.from(bytes)), FrameError);
});
