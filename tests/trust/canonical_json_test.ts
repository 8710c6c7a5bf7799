import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalJson, parseCanonicalJson } from "../../trust/mod.ts";
import { CANONICAL_DEPTH_MAX } from "../../trust/limits.ts";

Deno.test("canonicalJson() sorts names by their UTF-16 code units, as the example of RFC 8785 section 3.2.3", () => {
  const value = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  assert.equal(
    canonicalJson(value),
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",' +
      '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  );
});

Deno.test("canonicalJson() escapes what RFC 8785 section 3.2.2.2 names, and nothing else", () => {
  assert.equal(
    canonicalJson('€$\u000f\nA\'B"\\\\"/\b\t\f\r\u007f\u2028'),
    '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\t\\f\\r\u007f\u2028"',
  );
});

Deno.test("canonicalJson() writes nested values without white space, and minus zero as 0", () => {
  assert.equal(
    canonicalJson({ b: [1, -0, { z: "", a: [] }], a: {} }),
    '{"a":{},"b":[1,0,{"a":[],"z":""}]}',
  );
  assert.equal(canonicalJson(Object.assign(Object.create(null), { a: 1 })), '{"a":1}');
  assert.equal(canonicalJson(JSON.parse('{"__proto__":1}')), '{"__proto__":1}');
});

Deno.test("canonicalJson() refuses every value outside its subset", () => {
  let deep: unknown = [];
  for (let level = 0; level <= CANONICAL_DEPTH_MAX; level++) deep = [deep];
  const circle: unknown[] = [];
  circle.push(circle);
  const refused = [
    ...[null, undefined, true, 1.5, NaN, Infinity, 2 ** 53, 1n, Symbol("x"), () => 1],
    ...["\ud800", { "\udfff": 1 }, new Date(0), new Map(), new Uint8Array(1), { a: undefined }],
    // deno-lint-ignore no-sparse-arrays
    ...[[1, , 2], deep, circle],
  ];
  for (const [index, value] of refused.entries()) {
    assert.throws(() => canonicalJson(value), TypeError, `value ${index}`);
  }
});

Deno.test("parseCanonicalJson() takes what canonicalJson() wrote, and no other text of the value", () => {
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: "grapheme" }),
      fc.maxSafeInteger(),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(fc.property(values, (value) => {
    const text = canonicalJson(value);
    assert.equal(canonicalJson(parseCanonicalJson(text)), text);
    assert.equal(parseCanonicalJson(` ${text}`), undefined);
    assert.equal(parseCanonicalJson(`${text}\n`), undefined);
  }));
  const others = ['{"b":1,"a":2}', '{"a":1,"a":1}', '{"a": 1}', "[1.0]", "[1e2]", "[-0]"];
  for (const text of [...others, '"\\u0041"', '"\\/"', '"\\u000F"', "[01]", "", "[", "nul"]) {
    assert.equal(parseCanonicalJson(text), undefined, text);
  }
});

Deno.test("parseCanonicalJson() survives whatever a stranger nests", () => {
  for (const text of ["[".repeat(100_000), "[".repeat(5000) + "]".repeat(5000)]) {
    assert.equal(parseCanonicalJson(text), undefined);
  }
});
