/** Records of a folder that more than one process writes to. */
import assert from 'node:assert/strict';
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { BrokenError, FencedError, Segments } from './segments.ts';

const dir = mkdtempSync(`${tmpdir()}/segments-`);
after(() => rmSync(dir, { recursive: true }));
let folders = 0;

/** A folder whose newest term is the one that counts. */
function scene() {
  const folder = `${dir}/${++folders}`;
  let newest = 0;
  const begin = (term: number) => {
    newest = Math.max(newest, term);
    return new Segments(folder, term, () => term === newest);
  };
  return { folder, begin };
}

const bytes = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const all = (log: Segments, after = log.trimmed) => {
  const found: string[] = [];
  while (after < log.head)
    for (const { position, body } of log.load(after, 3, 1_000_000)) {
      assert.equal(position, ++after);
      found.push(Buffer.from(body).toString());
    }
  return found;
};

describe('records in segments', () => {
  it('go on from term to term', () => {
    const { begin, folder } = scene();
    for (let term = 1; term <= 5; term++) {
      const log = begin(term);
      assert.equal(log.head, (term - 1) * 2);
      log.append(bytes(`${term}a`, `${term}b`));
      // Some end without a word.
      if (term % 2 === 0) log.close();
    }
    const log = begin(6);
    assert.deepEqual(all(log), ['1a', '1b', '2a', '2b', '3a', '3b', '4a', '4b', '5a', '5b']);
    assert.deepEqual(all(log, 7), ['4b', '5a', '5b']);
    // A term that wrote nothing leaves no file for long.
    begin(7);
    begin(8);
    assert.equal(readdirSync(folder).length, 7);
  });

  it('of a term that is over do not count, whatever it writes', () => {
    const { begin } = scene();
    const former = begin(1);
    former.append(bytes('1', '2'));
    const log = begin(2);
    assert.throws(() => former.append(bytes('too late')), FencedError);
    // Nobody is given what was not acknowledged.
    assert.deepEqual(all(former), ['1', '2']);
    assert.throws(() => former.check(), FencedError);
    assert.throws(() => former.trim(1), FencedError);
    log.append(bytes('3'));
    assert.throws(() => former.append(bytes('again')), FencedError);
    assert.deepEqual(all(log), ['1', '2', '3']);
    const next = begin(3);
    assert.deepEqual([all(next), next.trimmed], [['1', '2', '3'], 0]);
    // Nor what it begins when it wakes up only now.
    assert.throws(() => begin(2), FencedError);
    assert.deepEqual(all(begin(4)), ['1', '2', '3']);
  });

  it('that were not acknowledged may count, and then do so for good', () => {
    const { begin } = scene();
    const former = begin(1);
    former.append(bytes('1'));
    let taking = false;
    const folder = `${dir}/${++folders}`;
    const slow = new Segments(folder, 1, () => !taking);
    slow.append(bytes('1'));
    taking = true;
    // On the disk, and then the term was over.
    assert.throws(() => slow.append(bytes('2')), FencedError);
    const log = new Segments(folder, 2, () => true);
    assert.deepEqual(all(log), ['1', '2']);
    log.append(bytes('3'));
    assert.deepEqual(all(new Segments(folder, 3, () => true)), ['1', '2', '3']);
  });

  it('end where a crash has cut one off', () => {
    const { begin, folder } = scene();
    const log = begin(1);
    log.append(bytes('1', '2', 'the third'));
    log.close();
    const [name] = readdirSync(folder);
    const file = path.join(folder, name!);
    const whole = readFileSync(file);
    for (let cut = 1; cut <= 26; cut++) {
      truncateSync(file, whole.length - cut);
      const again = new Segments(folder, 2, () => true);
      assert.deepEqual([again.head, all(again)], [2, ['1', '2']]);
      again.close();
      for (const each of readdirSync(folder)) if (each !== name) rmSync(path.join(folder, each));
      writeFileSync(file, whole);
    }
    const flipped = Buffer.from(whole);
    flipped[whole.length - 1]! ^= 1;
    writeFileSync(file, flipped);
    assert.equal(begin(3).head, 2);
  });

  it('go on when the disk does, without what it has not taken', () => {
    const { begin } = scene();
    const log = begin(1);
    log.append(bytes('1'));
    const { fdatasyncSync, ftruncateSync } = fs;
    const fail = () => {
      throw new Error('EIO: i/o error');
    };
    const setDisk = (calls: Pick<typeof fs, 'fdatasyncSync' | 'ftruncateSync'>) => {
      Object.assign(fs, calls);
      syncBuiltinESMExports();
    };
    setDisk({ fdatasyncSync: fail, ftruncateSync });
    assert.throws(() => log.append(bytes('taken back')), { name: 'Error', message: /EIO/ });
    log.recover();
    setDisk({ fdatasyncSync: fail, ftruncateSync: fail });
    try {
      assert.throws(() => log.append(bytes('not known')), BrokenError);
      assert.throws(() => log.recover(), BrokenError);
    } finally {
      setDisk({ fdatasyncSync, ftruncateSync });
    }
    log.recover();
    log.append(bytes('2'));
    assert.deepEqual(
      [all(log), all(begin(2))],
      [
        ['1', '2'],
        ['1', '2'],
      ],
    );
  });

  it('say so when they are damaged', () => {
    const { begin, folder } = scene();
    const log = begin(1);
    log.append(bytes('1', '2', '3'));
    log.close();
    begin(2).append(bytes('4'));
    const file = path.join(folder, readdirSync(folder).sort()[0]!);
    const damaged = readFileSync(file);
    damaged[36 + 18 + 17]! ^= 1;
    writeFileSync(file, damaged);
    const next = begin(3);
    assert.equal(next.head, 4);
    assert.throws(() => all(next), /damaged behind position 1/);
    assert.deepEqual(all(next, 3), ['4']);
  });

  it('do not take damage for the end that a crash has left', () => {
    const { begin, folder } = scene();
    const log = begin(1);
    log.append(bytes('1', '2'));
    log.append(bytes('3', '4', '5'));
    const file = path.join(folder, readdirSync(folder)[0]!);
    const whole = readFileSync(file);
    const frame = 17 + 1;
    const damagedAt = (record: number, at = 17) => {
      const damaged = Buffer.from(whole);
      damaged[36 + record * frame + at]! ^= 1;
      writeFileSync(file, damaged);
    };
    // Of what was written last, and may not have been synced, any part may be there.
    for (const record of [2, 3, 4])
      for (const at of [0, 3, 4, 8, 12, 17]) {
        damagedAt(record, at);
        const next = begin(record * 20 + at + 2);
        assert.equal(next.head, record, `${record} ${at}`);
        next.close();
        for (const each of readdirSync(folder).sort().slice(1)) rmSync(path.join(folder, each));
      }
    for (const record of [0, 1])
      for (const at of [0, 3, 4, 8, 12, 17]) {
        damagedAt(record, at);
        assert.throws(() => begin(1000), new RegExp(`damaged behind position ${record}, and records`));
      }
    writeFileSync(file, whole);
    assert.deepEqual(all(begin(1001)), ['1', '2', '3', '4', '5']);
  });

  it('say so when a segment has no beginning any more, and lose nothing', () => {
    const { begin, folder } = scene();
    const log = begin(1);
    log.append(bytes('1', '2'));
    log.close();
    const file = path.join(folder, readdirSync(folder)[0]!);
    const whole = readFileSync(file);
    const damaged = Buffer.from(whole);
    damaged[20]! ^= 1;
    writeFileSync(file, damaged);
    assert.throws(() => begin(2), /damaged at its beginning/);
    writeFileSync(file, whole);
    assert.deepEqual(all(begin(3)), ['1', '2']);
  });

  it('of a folder that nobody has written to begin with term 1, and then each time with the next', () => {
    const folder = `${dir}/${++folders}`;
    for (let term = 1; term <= 3; term++) {
      assert.equal(Segments.nextTerm(folder), term);
      const log = new Segments(folder, term, () => true);
      log.append(bytes(`${term}`));
      log.close();
    }
  });

  it('are not written where somebody has written in a later term', () => {
    const { begin, folder } = scene();
    begin(1).append(bytes('1'));
    const other = new Segments(folder, Segments.nextTerm(folder), () => true);
    other.append(bytes('2'));
    assert.throws(() => new Segments(folder, 1, () => true), /later term than 1/);
    assert.deepEqual(all(begin(3)), ['1', '2']);
  });

  it('do not end before a segment that a failed attempt has left', () => {
    const { begin, folder } = scene();
    const log = begin(1);
    log.append(bytes('1'));
    const [name] = readdirSync(folder);
    // Begun, and removed, and back after a power cut; the term went on in the segment before.
    const header = Buffer.from(readFileSync(path.join(folder, name!)).subarray(0, 36));
    header.writeDoubleBE(2, 16);
    header.writeUInt32BE(crc32(header.subarray(0, 32)), 32);
    writeFileSync(path.join(folder, name!.replace('-000000', '-000001')), header);
    log.append(bytes('2', '3'));
    assert.deepEqual(all(begin(2)), ['1', '2', '3']);
    assert.deepEqual(all(begin(3)), ['1', '2', '3']);
  });

  it('are removed by whole segments when they are trimmed, which lasts', () => {
    const { begin, folder } = scene();
    const log = begin(1);
    const big = Buffer.alloc(9_000_000, 'x');
    for (let n = 0; n < 12; n++) log.append([big]);
    assert.equal(readdirSync(folder).length, 4);
    log.trim(6);
    const size = () => readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
    assert.ok(size() < 75_000_000, `${size()}`);
    assert.deepEqual([log.trimmed, log.head, log.load(6, 1, 1)[0]?.position], [6, 12, 7]);
    log.trim(12);
    assert.ok(size() < 2_000_000, `${size()}`);
    const next = begin(2);
    assert.deepEqual([next.trimmed, next.head], [12, 12]);
    next.append(bytes('13'));
    assert.deepEqual(all(begin(3)), ['13']);
  });

  it('go on behind a trim that lies above their end', () => {
    const { begin } = scene();
    const log = begin(1);
    log.append(bytes('1'));
    log.trim(10);
    assert.deepEqual([begin(2).head, begin(3).trimmed], [10, 10]);
    const next = begin(4);
    next.trim(20);
    next.append(bytes('21', '22'));
    assert.deepEqual(all(next), ['21', '22']);
    const last = begin(5);
    assert.deepEqual([last.trimmed, last.head, all(last)], [20, 22, ['21', '22']]);
  });
});
