import { strict as assert } from "node:assert";
import fc from "fast-check";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  encodedItems,
  GROUP_BYTES,
  groupCountOf,
  type Outboard,
  validateGroups,
} from "../../../swarm/bao/mod.ts";
import { INTERESTING_SIZES, noiseBytes, outboardOf } from "./support.ts";

function validate(
  bytes: Uint8Array,
  outboard: Outboard,
  groups: RangeSet = RangeSet.ALL,
  signal?: AbortSignal,
): Promise<RangeSet> {
  return validateGroups({
    hash: outboard.hash,
    size: outboard.size,
    groups,
    readGroup: (index) => bytes.subarray(index * GROUP_BYTES, (index + 1) * GROUP_BYTES),
    readParent: (offset) => Promise.resolve(outboard.parents.subarray(offset, offset + 64)),
    ...(signal === undefined ? {} : { signal }),
  });
}

Deno.test("validateGroups finds every group of an intact blob good", async () => {
  for (const size of INTERESTING_SIZES) {
    const bytes = noiseBytes(size);
    const good = await validate(bytes, outboardOf(bytes));
    assert.equal(good.toString(), `0..${groupCountOf(size)}`);
  }
});

Deno.test("validateGroups leaves out exactly the damaged groups and those not asked for", async () => {
  const cases = fc.record({
    size: fc.integer({ min: 1, max: 20 * GROUP_BYTES }),
    damage: fc.array(fc.nat(), { maxLength: 4 }),
    boundaries: fc.uniqueArray(fc.integer({ min: 0, max: 20 }), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ size, damage, boundaries }) => {
      const bytes = noiseBytes(size);
      const outboard = outboardOf(bytes);
      const damaged = new Set<number>();
      for (const place of damage) damaged.add(place % size);
      for (const at of damaged) bytes[at]! ^= 0x40;
      const asked = RangeSet.fromBoundaries(boundaries.sort((a, b) => a - b));
      const good = await validate(bytes, outboard, asked);
      const bad = RangeSet.from([...damaged].map((at) => {
        const start = Math.floor(at / GROUP_BYTES);
        return { start, end: start + 1 };
      }));
      const inside = asked.below(groupCountOf(size));
      assert.equal(good.intersect(inside).toString(), inside.subtract(bad).toString());
    }),
    { numRuns: 150 },
  );
});

Deno.test("validateGroups finds nothing good below a damaged parent, and all beside it", async () => {
  const bytes = noiseBytes(8 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const below: Record<number, string> = {
    0: "",
    1: "4..8",
    2: "2..8",
    3: "0..2,4..8",
    5: "0..4,6..8",
  };
  for (const [index, wanted] of Object.entries(below)) {
    const parents = outboard.parents.slice();
    parents[64 * Number(index) + 40]! ^= 1;
    const good = await validate(bytes, { ...outboard, parents });
    assert.equal(good.toString(), wanted);
  }
});

Deno.test("validateGroups takes what is missing or short as bad", async () => {
  const bytes = noiseBytes(5 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  assert.equal((await validate(bytes.subarray(0, -1), outboard)).toString(), "0..4");
  const parents = outboard.parents.slice(0, 128);
  assert.equal((await validate(bytes, { ...outboard, parents })).toString(), "4..5");
  assert.equal((await validate(bytes, { ...outboard, size: 0 })).toString(), "");
});

Deno.test("validateGroups reads each item once and in order, and only those on the way", async () => {
  const bytes = noiseBytes(9 * GROUP_BYTES);
  const outboard = outboardOf(bytes);
  const groups = RangeSet.of(2, 4);
  const read: unknown[] = [];
  await validateGroups({
    ...outboard,
    groups,
    readGroup: (index) => {
      read.push({ kind: "group", index, size: GROUP_BYTES });
      return bytes.subarray(index * GROUP_BYTES, (index + 1) * GROUP_BYTES);
    },
    readParent: (offset) => {
      read.push({ kind: "parent", offset });
      return outboard.parents.subarray(offset, offset + 64);
    },
  });
  assert.deepEqual(read, [...encodedItems(bytes.length, groups)]);
});

Deno.test("validateGroups stops on abort", async () => {
  const bytes = noiseBytes(3 * GROUP_BYTES);
  const signal = AbortSignal.abort(new Error("stop"));
  await assert.rejects(validate(bytes, outboardOf(bytes), RangeSet.ALL, signal), /stop/);
});
