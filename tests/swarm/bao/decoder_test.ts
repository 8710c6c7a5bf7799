import { Buffer } from "node:buffer";
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { concatBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  BaoDecoder,
  GROUP_BYTES,
  groupCountOf,
  hashBytes,
  type Outboard,
  truncateRanges,
} from "../../../swarm/bao/mod.ts";
import { encode, INTERESTING_SIZES, noiseBytes, outboardOf } from "./support.ts";

/** Decodes into memory and fails at once if a byte is emitted that is not the blob's. */
class CheckingSink {
  readonly #bytes: Uint8Array;
  readonly #outboard: Outboard;
  readonly groups: number[] = [];
  readonly parents: number[] = [];

  constructor(bytes: Uint8Array, outboard: Outboard) {
    this.#bytes = bytes;
    this.#outboard = outboard;
  }

  parent(offset: number, pair: Uint8Array): void {
    assert.deepEqual([...pair], [...this.#outboard.parents.subarray(offset, offset + 64)]);
    this.parents.push(offset);
  }

  group(index: number, bytes: Uint8Array): void {
    const start = index * GROUP_BYTES;
    const wanted = this.#bytes.subarray(start, start + GROUP_BYTES);
    assert.equal(Buffer.compare(wanted, bytes), 0);
    this.groups.push(index);
  }
}

/** Takes groups in runs, as the store on disk does. */
class RunSink extends CheckingSink {
  groupRun(index: number, bytes: Uint8Array): void {
    for (let at = 0; at === 0 || at < bytes.length; at += GROUP_BYTES) {
      this.group(index + at / GROUP_BYTES, bytes.subarray(at, at + GROUP_BYTES));
    }
  }
}

const sinkClasses = [CheckingSink, RunSink];

function decode(
  stream: Uint8Array,
  options: { hash: Hash; size: number; ranges?: RangeSet; sink: CheckingSink; pieceBytes?: number },
): BaoDecoder {
  const decoder = new BaoDecoder({ ranges: RangeSet.ALL, ...options });
  const pieceBytes = options.pieceBytes ?? stream.length;
  for (let at = 0; at < stream.length; at += pieceBytes) {
    decoder.push(stream.subarray(at, at + pieceBytes));
  }
  return decoder;
}

Deno.test("BaoDecoder emits every group of a whole blob in order, however the stream is cut", () => {
  for (const size of INTERESTING_SIZES) {
    const bytes = noiseBytes(size);
    const outboard = outboardOf(bytes);
    const stream = encode(bytes, outboard);
    for (const [index, pieceBytes] of [stream.length, 1_000, 16_384, 16_448, 40_000].entries()) {
      const sink = new sinkClasses[index % 2]!(bytes, outboard);
      const decoder = decode(stream, { hash: outboard.hash, size, sink, pieceBytes });
      assert.equal(decoder.isDone, true);
      assert.deepEqual(
        sink.groups,
        Array.from({ length: groupCountOf(size) }, (_, index) => index),
      );
      assert.equal(sink.parents.length * 64, outboard.parents.length);
      decoder.finish();
    }
  }
});

/** A blob of up to 40 groups, and ranges that may reach past its end. */
const blobAndRanges = fc.record({
  size: fc.integer({ min: 0, max: 40 * GROUP_BYTES }),
  boundaries: fc.uniqueArray(fc.integer({ min: 0, max: 45 }), { maxLength: 7 })
    .map((boundaries) => boundaries.sort((a, b) => a - b)),
  pieceBytes: fc.integer({ min: 200, max: 50_000 }),
  Sink: fc.constantFrom(...sinkClasses),
});

Deno.test("BaoDecoder emits exactly the groups asked for, at any cut of the stream", () => {
  fc.assert(
    fc.property(blobAndRanges, ({ size, boundaries, pieceBytes, Sink }) => {
      const bytes = noiseBytes(size);
      const outboard = outboardOf(bytes);
      const ranges = RangeSet.fromBoundaries(boundaries);
      const sink = new Sink(bytes, outboard);
      const stream = encode(bytes, outboard, ranges);
      const decoder = decode(stream, { hash: outboard.hash, size, ranges, sink, pieceBytes });
      assert.equal(decoder.isDone, true);
      const emitted = RangeSet.from(sink.groups.map((index) => ({ start: index, end: index + 1 })));
      assert.equal(emitted.toString(), truncateRanges(ranges, size).toString());
      assert.deepEqual(sink.groups, sink.groups.toSorted((a, b) => a - b));
    }),
    { numRuns: 150 },
  );
});

Deno.test("BaoDecoder refuses a stream with any one bit flipped and emits no wrong byte", () => {
  const bit = fc.record({
    size: fc.constantFrom(1, 1025, GROUP_BYTES, GROUP_BYTES + 1, 3 * GROUP_BYTES, 150_000),
    place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    mask: fc.constantFrom(1, 2, 4, 8, 16, 32, 64, 128),
    pieceBytes: fc.integer({ min: 1000, max: 50_000 }),
    Sink: fc.constantFrom(...sinkClasses),
  });
  fc.assert(
    fc.property(bit, ({ size, place, mask, pieceBytes, Sink }) => {
      const bytes = noiseBytes(size);
      const outboard = outboardOf(bytes);
      const stream = encode(bytes, outboard);
      stream[Math.floor(place * stream.length)]! ^= mask;
      const sink = new Sink(bytes, outboard);
      const options = { hash: outboard.hash, size, sink, pieceBytes };
      assert.throws(() => decode(stream, options), (error) => {
        assert(isSeedmintError(error, "corrupt"));
        assert.match(error.message, /group \d+ does not match|parent of groups \d+ to \d+ does/);
        return true;
      });
    }),
    { numRuns: 400 },
  );
});

/** What a liar may do to a stream: each gives a stream that differs, or the same one. */
const lies: Record<string, (stream: Uint8Array, from: number, to: number) => Uint8Array> = {
  cut: (stream, from) => stream.slice(0, from),
  leaveOut: (stream, from, to) => concatBytes(stream.subarray(0, from), stream.subarray(to)),
  repeat: (stream, from, to) => concatBytes(stream.subarray(0, to), stream.subarray(from)),
  zero: (stream, from, to) => stream.slice().fill(0, from, to),
  swap: (stream, from, to) => {
    const middle = (from + to) >>> 1;
    const parts = [stream.subarray(0, from), stream.subarray(middle, to)];
    return concatBytes(...parts, stream.subarray(from, middle), stream.subarray(to));
  },
  append: (stream, from, to) => concatBytes(stream, stream.subarray(from, to)),
};

Deno.test("BaoDecoder lets no lie through, whatever is done to stream and size", () => {
  const lie = fc.record({
    groups: fc.integer({ min: 0, max: 9 }),
    tail: fc.constantFrom(0, 1, 1024, 1025, 16_000),
    sizeError: fc.constantFrom(0, 0, 0, -1, 1, 64, -64, 1024, GROUP_BYTES, -GROUP_BYTES, 2 ** 40),
    kind: fc.constantFrom(...Object.keys(lies)),
    unit: fc.constantFrom(1, 32, 64, 1024, GROUP_BYTES),
    from: fc.nat(400),
    length: fc.nat(20),
    pieceBytes: fc.integer({ min: 500, max: 50_000 }),
    Sink: fc.constantFrom(...sinkClasses),
  });
  fc.assert(
    fc.property(lie, ({ groups, tail, sizeError, kind, unit, from, length, pieceBytes, Sink }) => {
      const bytes = noiseBytes(groups * GROUP_BYTES + tail);
      const outboard = outboardOf(bytes);
      const honest = encode(bytes, outboard);
      const start = Math.min(from * unit, honest.length);
      const stream = lies[kind]!(honest, start, Math.min(start + length * unit, honest.length));
      const size = Math.max(0, bytes.length + sizeError);
      const sink = new Sink(bytes, outboard);
      const isHonest = Buffer.compare(stream, honest) === 0 && size === bytes.length;
      const attempt = () => {
        const decoder = decode(stream, { hash: outboard.hash, size, sink, pieceBytes });
        decoder.finish();
      };
      if (isHonest) attempt();
      else {
        assert.throws(attempt, (error) => {
          return error instanceof SeedmintError && ["corrupt", "reset"].includes(error.code);
        });
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("BaoDecoder emits what comes before a lie however much arrives at once, and nothing after", () => {
  const groupCount = 300;
  const bytes = noiseBytes(groupCount * GROUP_BYTES - 5);
  const outboard = outboardOf(bytes);
  const { hash } = outboard;
  // Every third group: more parents than groups, and more of both than are hashed at once.
  const sparse = Array.from({ length: groupCount / 3 }, (_, index) => [3 * index, 3 * index + 1]);
  for (const ranges of [RangeSet.ALL, RangeSet.fromBoundaries(sparse.flat())]) {
    const honest = encode(bytes, outboard, ranges);
    for (const Sink of sinkClasses) {
      const whole = new Sink(bytes, outboard);
      decode(honest, { hash, size: bytes.length, ranges, sink: whole }).finish();
      const wanted = [...truncateRanges(ranges, bytes.length)].flatMap((run) =>
        Array.from({ length: run.end - run.start }, (_, index) => run.start + index)
      );
      assert.deepEqual(whole.groups, wanted);
      for (const place of [0.1, 0.5, 0.9]) {
        const stream = honest.slice();
        const at = Math.floor(place * stream.length);
        stream[at]! ^= 1;
        const sink = new Sink(bytes, outboard);
        const options = { hash, size: bytes.length, ranges, sink };
        assert.throws(() => decode(stream, options), /does not match the root/);
        const emittedBytes = sink.groups.length * GROUP_BYTES + sink.parents.length * 64;
        assert(emittedBytes <= at && emittedBytes > at - GROUP_BYTES, `${emittedBytes} of ${at}`);
        assert.deepEqual(sink.groups, wanted.slice(0, sink.groups.length));
      }
    }
  }
});

Deno.test("BaoDecoder refuses wrong sizes, reordered and surplus pieces, and emits no wrong byte", () => {
  const bytes = noiseBytes(5 * GROUP_BYTES + 100);
  const outboard = outboardOf(bytes);
  const { hash } = outboard;
  const stream = encode(bytes, outboard);
  const refuse = (data: Uint8Array, size: number) => {
    const sink = new CheckingSink(bytes, outboard);
    assert.throws(
      () => decode(data, { hash, size, sink }).finish(),
      (error) => error instanceof SeedmintError && ["corrupt", "reset"].includes(error.code),
    );
    assert.equal(sink.groups.includes(5), false);
  };
  for (const size of [0, 1, 100, GROUP_BYTES, 5 * GROUP_BYTES, 6 * GROUP_BYTES + 1, 2 ** 48]) {
    refuse(stream, size);
  }
  for (const delta of [-1, 1, -99, 16_284]) refuse(stream, bytes.length + delta);
  const swapped = stream.slice();
  swapped.copyWithin(192, 192 + GROUP_BYTES, 192 + 2 * GROUP_BYTES);
  refuse(swapped, bytes.length);
  const sink = new CheckingSink(bytes, outboard);
  const decoder = decode(stream, { hash, size: bytes.length, sink });
  assert.throws(() => decoder.push(new Uint8Array(1)), /1 bytes follow the end/);
});

Deno.test("BaoDecoder says what is missing when the stream ends early", () => {
  const bytes = noiseBytes(3 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const stream = encode(bytes, outboard);
  for (const length of [0, 63, 64, 64 + 64 + GROUP_BYTES, stream.length - 1]) {
    const sink = new CheckingSink(bytes, outboard);
    const options = { hash: outboard.hash, size: bytes.length, sink };
    const decoder = length === 0
      ? new BaoDecoder({ ...options, ranges: RangeSet.ALL })
      : decode(stream.subarray(0, length), options);
    assert.equal(decoder.isDone, false);
    assert.throws(() => decoder.finish(), (error) => isSeedmintError(error, "reset"));
  }
});

Deno.test("BaoDecoder keeps refusing after a failure", () => {
  const bytes = noiseBytes(2 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const sink = new CheckingSink(bytes, outboard);
  const decoder = new BaoDecoder({
    hash: outboard.hash,
    size: bytes.length,
    ranges: RangeSet.ALL,
    sink,
  });
  assert.throws(() => decoder.push(new Uint8Array(64)), /parent of groups 0 to 1/);
  assert.throws(() => decoder.push(encode(bytes, outboard)), /parent of groups 0 to 1/);
  assert.equal(decoder.isDone, false);
  assert.deepEqual(sink.groups, []);
});

Deno.test("BaoDecoder is done at once when nothing is to come, and refuses a false empty blob", () => {
  const sink = { parent() {}, group() {} };
  const empty = hashBytes(new Uint8Array(0));
  const some = hashBytes(new Uint8Array(1));
  const of = (hash: Hash, size: number, ranges: RangeSet) =>
    new BaoDecoder({ hash, size, ranges, sink });
  assert.equal(of(empty, 0, RangeSet.ALL).isDone, true);
  assert.equal(of(some, 1, RangeSet.EMPTY).isDone, true);
  assert.throws(() => of(some, 0, RangeSet.ALL), (error) => isSeedmintError(error, "corrupt"));
  assert.throws(() => of(some, -1, RangeSet.ALL), RangeError);
  assert.throws(() => of(some, 2 ** 49, RangeSet.ALL), RangeError);
});
