import assert from "node:assert/strict";
import fc from "fast-check";
import { bitfieldFromRanges, rangesFromBitfield } from "../../src/core/bitfield.ts";
import { RangeSet } from "../../src/core/range_set.ts";

Deno.test("bitfieldFromRanges() puts group i at bit i & 7 of byte i >> 3", () => {
  assert.deepEqual(
    bitfieldFromRanges(RangeSet.fromBoundaries([0, 1, 9, 11]), 12),
    Uint8Array.of(0b0000_0001, 0b0000_0110),
  );
  assert.deepEqual(bitfieldFromRanges(RangeSet.ALL, 10), Uint8Array.of(0xff, 0b11));
});

Deno.test("rangesFromBitfield() undoes bitfieldFromRanges()", () => {
  const cases = fc.array(fc.boolean(), { minLength: 1, maxLength: 90 });
  fc.assert(fc.property(cases, (bits) => {
    const groups = RangeSet.from(
      bits.flatMap((bit, index) => bit ? [{ start: index, end: index + 1 }] : []),
    );
    const bytes = bitfieldFromRanges(groups, bits.length);
    bits.forEach((bit, index) =>
      assert.equal(((bytes[index >> 3]! >> (index & 7)) & 1) === 1, bit)
    );
    assert.deepEqual(rangesFromBitfield(bytes, bits.length).boundaries, groups.boundaries);
  }));
});

Deno.test("rangesFromBitfield() refuses a wrong size and bits past the end", () => {
  assert.throws(() => rangesFromBitfield(new Uint8Array(2), 8), RangeError);
  assert.throws(() => rangesFromBitfield(Uint8Array.of(0b1000), 3), RangeError);
  assert.throws(() => rangesFromBitfield(Uint8Array.of(0xff), 7), RangeError);
});
