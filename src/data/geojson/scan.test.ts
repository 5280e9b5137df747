import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FeatureScanner } from './scan.ts';

function scan(text: string, pieceBytes: number) {
  const bytes = Buffer.from(text);
  const features: unknown[] = [];
  const members: Record<string, unknown> = {};
  const scanner = new FeatureScanner({
    feature(found, offset) {
      const copy = Buffer.from(found).toString();
      assert.equal(bytes.subarray(offset, offset + found.length).toString(), copy);
      features.push(JSON.parse(copy));
    },
    member(name, json) {
      members[name] = JSON.parse(json);
    },
  });
  for (let at = 0; at < bytes.length; at += pieceBytes) scanner.push(bytes.subarray(at, at + pieceBytes));
  return { features, members };
}

test('finds features and members in any document, however it is cut into pieces', () => {
  const document = fc.record({
    type: fc.constant('FeatureCollection'),
    name: fc.string(),
    before: fc.jsonValue(),
    features: fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
    after: fc.jsonValue(),
  });
  fc.assert(
    fc.property(document, fc.integer({ min: 1, max: 50 }), fc.constantFrom(0, 2), (json, pieceBytes, indent) => {
      const found = scan(JSON.stringify(json, null, indent), pieceBytes);
      const { features, ...members } = JSON.parse(JSON.stringify(json)) as Record<string, unknown>;
      assert.deepEqual(found.features, features);
      assert.deepEqual(found.members, members);
    }),
  );
});

test('members of features are not members of the collection', () => {
  const text = '{"type":"FeatureCollection","features":[{"crs":1,"features":[{"a":2}]}, {"b":"]}\\""}],"crs":null}';
  assert.deepEqual(scan(text, 7), {
    features: [{ crs: 1, features: [{ a: 2 }] }, { b: ']}"' }],
    members: { type: 'FeatureCollection', crs: null },
  });
});

test('what is no object has neither', () => {
  for (const text of ['', '[1,2]', '"x"', '[{"features":[{"a":1}]}]'])
    assert.deepEqual(scan(text, 3), { features: [], members: {} }, text);
});
