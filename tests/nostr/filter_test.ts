import assert from "node:assert/strict";
import fc from "fast-check";
import { matchFilter } from "nostr-tools/filter";
import { compileFilter, type Filter, matchesFilter, readFilter } from "../../src/nostr/filter.ts";
import type { NostrEvent } from "../../src/nostr/nostr.ts";

const keys = ["a", "b", "c"].map((digit) => digit.repeat(64));
const arbitraryEvent: fc.Arbitrary<NostrEvent> = fc.record({
  id: fc.constantFrom(...keys),
  pubkey: fc.constantFrom(...keys),
  created_at: fc.integer({ min: 0, max: 5 }),
  kind: fc.integer({ min: 0, max: 3 }),
  tags: fc.array(fc.tuple(fc.constantFrom("d", "x", "long"), fc.constantFrom("1", "2", "3"))),
  content: fc.constant(""),
  sig: fc.constant("0".repeat(128)),
});
const arbitraryFilter: fc.Arbitrary<Filter> = fc.record({
  ids: fc.uniqueArray(fc.constantFrom(...keys), { minLength: 1 }),
  authors: fc.uniqueArray(fc.constantFrom(...keys), { minLength: 1 }),
  kinds: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1 }),
  // nostr-tools takes a since or until of 0 for none.
  since: fc.integer({ min: 1, max: 5 }),
  until: fc.integer({ min: 1, max: 5 }),
  "#d": fc.uniqueArray(fc.constantFrom("1", "2"), { minLength: 1 }),
  "#x": fc.uniqueArray(fc.constantFrom("1", "2"), { minLength: 1 }),
}, { requiredKeys: [] }) as fc.Arbitrary<Filter>;

Deno.test("matchesFilter agrees with nostr-tools", () => {
  fc.assert(
    fc.property(arbitraryEvent, arbitraryFilter, (event, filter) => {
      const theirs = matchFilter(filter as never, event as never);
      assert.equal(matchesFilter(filter, event), theirs);
      assert.equal(compileFilter(filter)(event), theirs);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("matchesFilter takes an empty list for a condition that nothing meets", () => {
  const [event] = fc.sample(arbitraryEvent, { numRuns: 1, seed: 1 });
  for (const matches of [matchesFilter, (filter: Filter) => compileFilter(filter)(event!)]) {
    assert.equal(matches({ kinds: [] }, event!), false);
    assert.equal(matches({ "#d": [] }, event!), false);
    assert.equal(matches({}, event!), true);
  }
});

Deno.test("readFilter returns a fresh copy of what it understands", () => {
  fc.assert(fc.property(arbitraryFilter, (filter) => {
    const read = readFilter(filter);
    assert.deepEqual(read, { ...filter });
    assert.notEqual(read, filter);
  }));
});

Deno.test("readFilter refuses what it does not understand instead of leaving it out", () => {
  for (
    const raw of [
      null,
      [],
      "x",
      { search: "x" },
      { "#long": ["x"] },
      { "&d": ["x"] },
      JSON.parse(`{"__proto__":[]}`),
      { ids: ["short"] },
      { ids: keys[0] },
      { kinds: [-1] },
      { kinds: [70000] },
      { limit: "5" },
      { since: 1.5 },
      { "#d": [1] },
      { "#d": ["x".repeat(1025)] },
      { ids: Array.from({ length: 1001 }, () => keys[0]) },
      { "#a": [], "#b": [], "#c": [], "#d": [], "#e": [] },
    ]
  ) assert.equal(typeof readFilter(raw), "string", JSON.stringify(raw)?.slice(0, 80));
});

Deno.test("readFilter never throws", () => {
  fc.assert(fc.property(fc.anything(), (raw) => {
    readFilter(raw);
  }));
});
