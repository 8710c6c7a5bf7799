import assert from "node:assert/strict";
import fc from "fast-check";
import { type Range, RangeSet } from "../../src/core/range_set.ts";

const END = 48;
const arbitraryRanges = fc.array(
  fc.tuple(fc.nat(END - 1), fc.nat(END - 1)).map(([a, b]): Range => ({
    start: Math.min(a, b),
    end: Math.max(a, b),
  })),
  { maxLength: 6 },
);

/** The model: a plain set of the members below END. */
function members(set: RangeSet): Set<number> {
  const found = new Set<number>();
  for (const range of set) {
    for (let value = range.start; value < Math.min(range.end, END); value++) found.add(value);
  }
  return found;
}

function model(ranges: readonly Range[]): Set<number> {
  const found = new Set<number>();
  for (const range of ranges) {
    for (let value = range.start; value < range.end; value++) found.add(value);
  }
  return found;
}

Deno.test("RangeSet.from() holds exactly the integers of its ranges", () => {
  fc.assert(fc.property(arbitraryRanges, (ranges) => {
    const set = RangeSet.from(ranges);
    const expected = model(ranges);
    assert.deepEqual(members(set), expected);
    assert.equal(set.count, expected.size);
    for (let value = 0; value < END; value++) assert.equal(set.has(value), expected.has(value));
  }));
});

Deno.test("RangeSet keeps its boundaries strictly ascending through every operation", () => {
  fc.assert(fc.property(arbitraryRanges, arbitraryRanges, (left, right) => {
    const a = RangeSet.from(left);
    const b = RangeSet.from(right);
    for (const set of [a, a.union(b), a.intersect(b), a.subtract(b), a.below(9), a.take(5)]) {
      assert.deepEqual(RangeSet.fromBoundaries(set.boundaries).boundaries, set.boundaries);
    }
  }));
});

Deno.test("RangeSet union, intersect and subtract agree with plain sets", () => {
  fc.assert(fc.property(arbitraryRanges, arbitraryRanges, (left, right) => {
    const a = RangeSet.from(left);
    const b = RangeSet.from(right);
    assert.deepEqual(members(a.union(b)), members(a).union(members(b)));
    assert.deepEqual(members(a.intersect(b)), members(a).intersection(members(b)));
    assert.deepEqual(members(a.subtract(b)), members(a).difference(members(b)));
    assert.equal(a.includes(b), members(b).isSubsetOf(members(a)));
    assert.equal(a.intersects(b), !members(a).isDisjointFrom(members(b)));
  }));
});

Deno.test("RangeSet.of() without an end reaches to infinity and below() cuts it", () => {
  const tail = RangeSet.of(7);
  assert.equal(tail.count, Infinity);
  assert.ok(tail.has(Number.MAX_SAFE_INTEGER));
  assert.ok(!tail.has(6));
  assert.deepEqual(tail.below(10).boundaries, [7, 10]);
  assert.deepEqual(RangeSet.of(0, 3).union(tail).boundaries, [0, 3, 7]);
  assert.deepEqual(RangeSet.ALL.subtract(tail).boundaries, [0, 7]);
});

Deno.test("RangeSet.take() gives the least members", () => {
  const set = RangeSet.fromBoundaries([2, 4, 8, 20]);
  assert.deepEqual(set.take(0).boundaries, []);
  assert.deepEqual(set.take(3).boundaries, [2, 4, 8, 9]);
  assert.deepEqual(set.take(99).boundaries, [2, 4, 8, 20]);
});

Deno.test("RangeSet.fromBoundaries() refuses what is not strictly ascending", () => {
  for (const bad of [[3, 3], [4, 1], [-1], [0.5], [2 ** 53], [NaN], [Infinity]]) {
    assert.throws(() => RangeSet.fromBoundaries(bad), RangeError);
  }
});
