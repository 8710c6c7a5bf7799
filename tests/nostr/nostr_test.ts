import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareEvents,
  expirationOf,
  nostrPublicKey,
  nostrSecretKeyOf,
  npub,
  parsePublicKey,
  readEvent,
  signEvent,
  verifyEvent,
} from "../../src/nostr/nostr.ts";

import { nsec } from "../support/nsec.ts";

const SECRET = new Uint8Array(32).fill(7);
const template = { kind: 1, created_at: 1_700_000_000, tags: [["t", "a"]], content: "hello" };

Deno.test("signEvent gives an event that verifyEvent accepts after a trip through JSON", () => {
  const event = signEvent(template, SECRET);
  assert.deepEqual(verifyEvent(JSON.parse(JSON.stringify(event))), event);
  assert.equal(event.pubkey, nostrPublicKey(SECRET));
});

Deno.test("signEvent gives an object with no mark that a copy could inherit", () => {
  assert.deepEqual(Object.getOwnPropertySymbols(signEvent(template, SECRET)), []);
});

Deno.test("verifyEvent refuses a copy of a verified event with other content", () => {
  const verified = verifyEvent(signEvent(template, SECRET))!;
  assert.equal(verifyEvent({ ...verified, content: "EVIL" }), undefined);
  assert.equal(verifyEvent({ ...verified, tags: [["t", "b"]] }), undefined);
  assert.equal(verifyEvent({ ...verified, created_at: 1 }), undefined);
});

Deno.test("verifyEvent refuses a mark of nostr-tools on a forged event", async () => {
  const { verifiedSymbol } = await import("nostr-tools/pure");
  const forged = { ...signEvent(template, SECRET), content: "EVIL", [verifiedSymbol]: true };
  assert.equal(verifyEvent(forged), undefined);
});

Deno.test("verifyEvent refuses each field that is missing, mistyped or changed", () => {
  const event = signEvent(template, SECRET) as unknown as Record<string, unknown>;
  for (const field of Object.keys(event)) {
    const without = { ...event };
    delete without[field];
    assert.equal(verifyEvent(without), undefined, `without ${field}`);
    for (const wrong of [null, 1.5, -1, "x", {}, [[1]], "f".repeat(64)]) {
      assert.equal(verifyEvent({ ...event, [field]: wrong }), undefined, `${field} = ${wrong}`);
    }
  }
});

Deno.test("verifyEvent refuses upper-case hex, which would be a second form of one id", () => {
  const event = signEvent(template, SECRET);
  assert.equal(verifyEvent({ ...event, id: event.id.toUpperCase() }), undefined);
  assert.equal(verifyEvent({ ...event, pubkey: event.pubkey.toUpperCase() }), undefined);
});

Deno.test("readEvent never throws, and returns nothing but the seven fields", () => {
  fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (value) => {
    assert.equal(readEvent(value), undefined);
  }));
  const event = signEvent(template, SECRET);
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.anything()), (extra) => {
    const read = readEvent({ ...extra, ...event });
    assert.deepEqual(read, event);
    assert.notEqual(read!.tags, event.tags);
  }));
});

Deno.test("readEvent refuses an event over a limit", () => {
  const event = signEvent(template, SECRET);
  const limits = { contentCharsMax: 10, tagCountMax: 2, tagItemCountMax: 3, tagCharsMax: 20 };
  assert.notEqual(readEvent(event, limits), undefined);
  assert.equal(readEvent({ ...event, content: "x".repeat(11) }, limits), undefined);
  assert.equal(readEvent({ ...event, tags: [["a"], ["b"], ["c"]] }, limits), undefined);
  assert.equal(readEvent({ ...event, tags: [["a", "b", "c", "d"]] }, limits), undefined);
  assert.equal(readEvent({ ...event, tags: [["a", "x".repeat(20)]] }, limits), undefined);
});

Deno.test("npub gives the form of NIP-19", () => {
  assert.equal(
    npub("7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"),
    "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
  );
});

Deno.test("expirationOf reads whole seconds and nothing else", () => {
  const of = (value: string) => expirationOf({ tags: [["expiration", value]] });
  assert.equal(of("1700000000"), 1_700_000_000);
  for (const bad of ["", "-1", "1e9", "1.5", " 1", "9".repeat(16), "x"]) {
    assert.equal(of(bad), undefined, bad);
  }
  assert.equal(expirationOf({ tags: [] }), undefined);
});

Deno.test("compareEvents puts the newest first, and of one second the lowest id", () => {
  const a = { created_at: 5, id: "a" };
  const b = { created_at: 5, id: "b" };
  const c = { created_at: 6, id: "c" };
  assert.deepEqual([b, a, c].sort(compareEvents), [c, a, b]);
});

Deno.test("parsePublicKey reads hex of either case and npub, and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const hex = bytes.toHex();
      for (const text of [hex, hex.toUpperCase(), npub(hex)]) {
        assert.equal(parsePublicKey(text), hex);
      }
      assert.equal(
        parsePublicKey(npub(hex).replace(/.$/, (last) => last === "q" ? "p" : "q")),
        undefined,
      );
    }),
    { numRuns: 50 },
  );
  const key = nostrPublicKey(SECRET);
  for (const text of ["", key.slice(1), `${key}0`, key.replace(/^./, "g"), nsec(SECRET), "npub1"]) {
    assert.equal(parsePublicKey(text), undefined, text);
  }
  fc.assert(fc.property(fc.string(), (text) => assert.equal(parsePublicKey(text), undefined)));
});

Deno.test("nostrSecretKeyOf reads hex and nsec of a valid key, and nothing else", () => {
  for (const text of [SECRET.toHex(), nsec(SECRET)]) {
    assert.deepEqual(nostrSecretKeyOf(text), SECRET);
  }
  const none = ["0".repeat(64), "f".repeat(64)];
  for (const text of [...none, "", "nsec1", npub(nostrPublicKey(SECRET)), `${SECRET.toHex()}00`]) {
    assert.equal(nostrSecretKeyOf(text), undefined, text);
  }
});
