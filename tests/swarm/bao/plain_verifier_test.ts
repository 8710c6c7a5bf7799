import { strict as assert } from "node:assert";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { type Range, RangeSet } from "../../../src/core/range_set.ts";
import {
  encodedItems,
  GROUP_BYTES,
  groupCountOf,
  type KnownPair,
  type Outboard,
  PlainVerifier,
  verifiableStart,
} from "../../../swarm/bao/mod.ts";
import { INTERESTING_SIZES, noiseBytes, outboardOf } from "./support.ts";

const nothingKnown: KnownPair = () => undefined;

/** Knows the parents that a response for `ranges` would have brought. */
function knownAfter(outboard: Outboard, ranges: RangeSet): KnownPair {
  const offsets = new Set<number>();
  for (const item of encodedItems(outboard.size, ranges)) {
    if (item.kind === "parent") offsets.add(item.offset);
  }
  return (offset) =>
    offsets.has(offset) ? outboard.parents.subarray(offset, offset + 64) : undefined;
}

interface Run {
  readonly groups: Range;
  readonly parents: ReadonlyMap<number, Uint8Array>;
}

function verify(
  bytes: Uint8Array,
  outboard: Outboard,
  options: { startGroup?: number; knownPair?: KnownPair; pieceBytes?: number; size?: number },
): Run[] {
  const runs: Run[] = [];
  const startGroup = options.startGroup ?? 0;
  const verifier = new PlainVerifier({
    hash: outboard.hash,
    size: options.size ?? outboard.size,
    startGroup,
    knownPair: options.knownPair ?? nothingKnown,
    onVerified: (groups, parents) => runs.push({ groups, parents }),
  });
  const pieceBytes = options.pieceBytes ?? 2 ** 20;
  for (let at = startGroup * GROUP_BYTES; at < bytes.length; at += pieceBytes) {
    verifier.push(bytes.subarray(at, at + pieceBytes));
  }
  verifier.finish();
  return runs;
}

Deno.test("PlainVerifier proves a whole blob by its root and gives back its outboard", () => {
  for (const size of INTERESTING_SIZES) {
    const bytes = noiseBytes(size);
    const outboard = outboardOf(bytes);
    for (const pieceBytes of [1_000, GROUP_BYTES, 40_000, 2 ** 21]) {
      const runs = verify(bytes, outboard, { pieceBytes });
      assert.deepEqual(runs.map((run) => run.groups), [{ start: 0, end: groupCountOf(size) }]);
      const parents = new Uint8Array(outboard.parents.length);
      for (const [offset, pair] of runs[0]!.parents) parents.set(pair, offset);
      assert.deepEqual(parents, outboard.parents);
    }
  }
});

Deno.test("PlainVerifier goes on after any verified range and proves the smallest subtrees", () => {
  const cases = fc.record({
    size: fc.integer({ min: GROUP_BYTES + 1, max: 40 * GROUP_BYTES }),
    start: fc.integer({ min: 0, max: 38 }),
    count: fc.integer({ min: 1, max: 10 }),
    pieceBytes: fc.integer({ min: 500, max: 100_000 }),
  });
  fc.assert(
    fc.property(cases, ({ size, start, count, pieceBytes }) => {
      const bytes = noiseBytes(size);
      const outboard = outboardOf(bytes);
      const groupCount = groupCountOf(size);
      const held = RangeSet.of(Math.min(start, groupCount - 1), start + count).below(groupCount);
      const knownPair = knownAfter(outboard, held);
      const startGroup = Math.min(start + count, groupCount - 1);
      const runs = verify(bytes, outboard, { startGroup, knownPair, pieceBytes });
      const proven = RangeSet.from(runs.map((run) => run.groups));
      assert.equal(proven.toString(), `${startGroup}..${groupCount}`);
      for (const { parents } of runs) {
        for (const [offset, pair] of parents) {
          assert.deepEqual(pair, outboard.parents.subarray(offset, offset + 64));
        }
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("PlainVerifier reports each proven subtree as soon as it is whole", () => {
  const bytes = noiseBytes(8 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const knownPair = knownAfter(outboard, RangeSet.of(0, 1));
  const seen: string[] = [];
  const verifier = new PlainVerifier({
    hash: outboard.hash,
    size: bytes.length,
    startGroup: 0,
    knownPair,
    onVerified: ({ start, end }) => seen.push(`${start}..${end}`),
  });
  verifier.push(bytes.subarray(0, 3 * GROUP_BYTES));
  assert.deepEqual(seen, ["0..1", "1..2"]);
  verifier.push(bytes.subarray(3 * GROUP_BYTES, 7 * GROUP_BYTES));
  assert.deepEqual(seen, ["0..1", "1..2", "2..4"]);
  assert.throws(() => verifier.finish(), (error) => isSeedmintError(error, "reset"));
  verifier.push(bytes.subarray(7 * GROUP_BYTES));
  assert.deepEqual(seen, ["0..1", "1..2", "2..4", "4..8"]);
  verifier.finish();
});

Deno.test("PlainVerifier refuses any flipped bit and reports nothing that contains it", () => {
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.constantFrom(1, 20_000, 150_000), place, fc.integer({ min: 0, max: 7 }), (
      size,
      fraction,
      bit,
    ) => {
      const bytes = noiseBytes(size);
      const outboard = outboardOf(bytes);
      const knownPair = knownAfter(outboard, RangeSet.of(0, 1));
      const at = Math.floor(fraction * size);
      bytes[at]! ^= 1 << bit;
      const good: Range[] = [];
      const verifier = new PlainVerifier({
        hash: outboard.hash,
        size,
        startGroup: 0,
        knownPair,
        onVerified: (groups) => good.push(groups),
      });
      const isCorrupt = (error: unknown) => isSeedmintError(error, "corrupt");
      assert.throws(() => verifier.push(bytes), isCorrupt);
      assert.throws(() => verifier.push(bytes), isCorrupt);
      assert.throws(() => verifier.finish(), isCorrupt);
      assert.equal(RangeSet.from(good).has(Math.floor(at / GROUP_BYTES)), false);
    }),
    { numRuns: 200 },
  );
});

Deno.test("PlainVerifier refuses a wrong size, surplus bytes and an end that comes early", () => {
  const bytes = noiseBytes(3 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  for (const size of [0, 1, GROUP_BYTES, bytes.length - 1]) {
    assert.throws(
      () => verify(bytes, outboard, { size }),
      (error) => isSeedmintError(error, "corrupt"),
    );
  }
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  assert.throws(() => verify(longer, outboard, {}), /1 bytes follow its end/);
  assert.throws(() => verify(bytes, outboard, { size: bytes.length + 1 }), /ended in group 3 of 4/);
  assert.throws(() => verify(bytes.subarray(1), outboard, {}), /ended in group 2 of 3/);
});

Deno.test("PlainVerifier refuses to begin where nothing proven begins, and verifiableStart says where", () => {
  const bytes = noiseBytes(8 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const { hash, size } = outboard;
  const startOf = (group: number, knownPair: KnownPair) =>
    verifiableStart({ hash, size, group, knownPair });
  assert.equal(startOf(5, nothingKnown), 0);
  assert.throws(
    () => verify(bytes, outboard, { startGroup: 5 }),
    /group 5 on: the proven subtree around it begins at group 0/,
  );
  const knownPair = knownAfter(outboard, RangeSet.of(0, 1));
  assert.deepEqual([0, 1, 2, 3, 4, 7].map((group) => startOf(group, knownPair)), [
    0,
    1,
    2,
    2,
    4,
    4,
  ]);
  assert.equal(verify(bytes, outboard, { startGroup: 4, knownPair }).length, 1);
  assert.throws(() => verify(bytes, outboard, { startGroup: 8 }), /it has 8 groups/);
});

Deno.test("PlainVerifier takes a known pair that does not match as missing", () => {
  const bytes = noiseBytes(4 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const knownPair: KnownPair = (offset) => offset === 0 ? new Uint8Array(64) : new Uint8Array(3);
  const runs = verify(bytes, outboard, { knownPair });
  assert.deepEqual(runs.map((run) => run.groups), [{ start: 0, end: 4 }]);
});
