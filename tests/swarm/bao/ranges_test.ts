import { strict as assert } from "node:assert";
import fc from "fast-check";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  BLOB_BYTES_MAX,
  encodedItems,
  encodedSize,
  GROUP_BYTES,
  groupCountOf,
  outboardSizeOf,
  truncateRanges,
} from "../../../swarm/bao/mod.ts";
import { encode, INTERESTING_SIZES, noiseBytes, outboardOf } from "./support.ts";

Deno.test("truncateRanges takes anything past the end as a wish for the last group", () => {
  const size = 7 * GROUP_BYTES - 5;
  const cases: [number[], string][] = [
    [[], ""],
    [[0], "0..7"],
    [[0, 6], "0..6"],
    [[0, 7], "0..7"],
    [[0, 10, 11, 12], "0..7"],
    [[0, 6, 7, 10], "0..7"],
    [[3, 6, 7, 10], "3..7"],
    [[0, 5, 7, 10], "0..5,6..7"],
    [[7], "6..7"],
    [[2 ** 40, 2 ** 40 + 1], "6..7"],
  ];
  for (const [boundaries, wanted] of cases) {
    const truncated = truncateRanges(RangeSet.fromBoundaries(boundaries), size);
    assert.equal(truncated.toString(), wanted);
  }
  assert.equal(truncateRanges(RangeSet.ALL, 0).toString(), "0..1");
  assert.equal(truncateRanges(RangeSet.of(5), 0).toString(), "0..1");
});

Deno.test("encodedItems visits a whole tree in pre-order", () => {
  const items = [...encodedItems(3 * GROUP_BYTES + 1, RangeSet.ALL)];
  assert.deepEqual(items, [
    { kind: "parent", offset: 0 },
    { kind: "parent", offset: 64 },
    { kind: "group", index: 0, size: GROUP_BYTES },
    { kind: "group", index: 1, size: GROUP_BYTES },
    { kind: "parent", offset: 128 },
    { kind: "group", index: 2, size: GROUP_BYTES },
    { kind: "group", index: 3, size: 1 },
  ]);
});

Deno.test("encodedItems leaves out what no wanted group needs", () => {
  const size = 5 * GROUP_BYTES;
  assert.deepEqual([...encodedItems(size, RangeSet.of(4))], [
    { kind: "parent", offset: 0 },
    { kind: "group", index: 4, size: GROUP_BYTES },
  ]);
  assert.deepEqual([...encodedItems(size, RangeSet.of(2, 3))], [
    { kind: "parent", offset: 0 },
    { kind: "parent", offset: 64 },
    { kind: "parent", offset: 192 },
    { kind: "group", index: 2, size: GROUP_BYTES },
  ]);
  assert.deepEqual([...encodedItems(size, RangeSet.EMPTY)], []);
  assert.deepEqual([...encodedItems(0, RangeSet.ALL)], [{ kind: "group", index: 0, size: 0 }]);
});

Deno.test("encodedItems of a whole blob has every parent of the outboard and every group", () => {
  for (const size of INTERESTING_SIZES) {
    const items = [...encodedItems(size, RangeSet.ALL)];
    const parents = items.filter((item) => item.kind === "parent").map((item) => item.offset);
    const groups = items.filter((item) => item.kind === "group").map((item) => item.index);
    assert.equal(parents.length * 64, outboardSizeOf(size));
    assert.deepEqual(parents, [...parents.keys()].map((index) => index * 64));
    assert.deepEqual(groups, [...groups.keys()]);
    assert.equal(groups.length, groupCountOf(size));
  }
});

Deno.test("encodedSize is the length of the response", () => {
  const boundaries = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 8 })
    .map((values) => values.sort((a, b) => a - b));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 33 * GROUP_BYTES }), boundaries, (size, values) => {
      const bytes = noiseBytes(size);
      const ranges = RangeSet.fromBoundaries(values);
      const response = encode(bytes, outboardOf(bytes), ranges);
      assert.equal(encodedSize(size, ranges), response.length);
    }),
    { numRuns: 200 },
  );
});

Deno.test("encodedSize answers at once for the largest blob", () => {
  const groupCount = BLOB_BYTES_MAX / GROUP_BYTES;
  assert.equal(
    encodedSize(BLOB_BYTES_MAX, RangeSet.ALL),
    BLOB_BYTES_MAX + (groupCount - 1) * 64,
  );
  assert.equal(encodedSize(BLOB_BYTES_MAX, RangeSet.of(12_345, 12_346)), GROUP_BYTES + 34 * 64);
  assert.throws(() => encodedSize(BLOB_BYTES_MAX + 1, RangeSet.ALL), RangeError);
  assert.throws(() => truncateRanges(RangeSet.ALL, 0.5), RangeError);
});
