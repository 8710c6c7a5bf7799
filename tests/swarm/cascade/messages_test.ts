/** The messages of the cascade: what is encoded is decoded, and nothing else is. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeCbor } from "../../../src/core/cbor.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import { decodeVarint } from "../../../src/core/varint.ts";
import {
  ADDRS_MAX,
  MESSAGE_BYTES_MAX,
  PATH_MAX,
  PEERS_MAX,
} from "../../../swarm/cascade/limits.ts";
import {
  cascadeFrame,
  type CascadeMessage,
  decodeAsk,
  decodeCascadeMessage,
  decodeParentMessage,
} from "../../../swarm/cascade/messages.ts";

const peerId = fc.string({ minLength: 1, maxLength: 60 });
const addrs = fc.array(fc.string({ maxLength: 100 }), { maxLength: ADDRS_MAX });
const certificate = fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));
const path = fc.array(peerId, { maxLength: PATH_MAX });
const message = fc.oneof(
  fc.record({
    t: fc.constant("ask" as const),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.toHex() as Sha256),
    size: fc.nat(),
    part: fc.integer({ min: 0, max: 3 }),
    offset: fc.nat(),
    home: fc.integer({ min: 0, max: 3 }),
    addrs,
    near: fc.constant(true as const),
    urgent: fc.constant(true as const),
    certificate,
  }, { requiredKeys: ["t", "digest", "size", "part", "offset", "home", "addrs"] }),
  fc.record(
    { t: fc.constant("feed" as const), path, top: peerId, certificate },
    { requiredKeys: ["t", "path"] },
  ),
  fc.record({ t: fc.constant("path" as const), path, top: peerId }, {
    requiredKeys: ["t", "path"],
  }),
  fc.record({
    t: fc.constant("elsewhere" as const),
    peers: fc.array(fc.record({ peerId, addrs }, { noNullPrototype: true }), {
      maxLength: PEERS_MAX,
    }),
    full: fc.constant(true as const),
  }, { requiredKeys: ["t", "peers"] }),
  fc.constantFrom<CascadeMessage>({ t: "tick" }, { t: "tick", tip: 7 }, { t: "end" }),
);

Deno.test("decodeCascadeMessage() gives back what cascadeFrame() was given", () => {
  fc.assert(fc.property(message, (given) => {
    const frame = cascadeFrame(given);
    const length = decodeVarint(frame)!;
    assert.equal(frame.length, length.size + length.value);
    if (length.value > MESSAGE_BYTES_MAX) return;
    assert.deepEqual({ ...decodeCascadeMessage(frame.subarray(length.size)) }, { ...given });
  }));
});

Deno.test("decodeCascadeMessage() refuses all else as a breach, and never throws otherwise", () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.record({
      t: fc.constantFrom("ask", "feed", "path", "elsewhere", "tick", "nonsense"),
      path: fc.anything({ maxDepth: 1 }),
      peers: fc.anything({ maxDepth: 2 }),
      size: fc.double(),
      digest: fc.uint8Array({ maxLength: 40 }),
    }).map((value) => {
      try {
        return encodeCbor(value);
      } catch {
        return new Uint8Array(0);
      }
    }),
  );
  fc.assert(fc.property(anything, (bytes) => {
    try {
      decodeCascadeMessage(Uint8Array.from(bytes));
    } catch (error) {
      assert.ok(isSeedmintError(error, "protocol"), String(error));
    }
  }));
});

Deno.test("each side refuses what only the other one says", () => {
  const bytesOf = (given: CascadeMessage) => cascadeFrame(given).subarray(1);
  assert.throws(() => decodeAsk(bytesOf({ t: "tick" })), { code: "protocol" });
  const ask = cascadeFrame({
    t: "ask",
    digest: "00".repeat(32) as Sha256,
    size: 1,
    part: 0,
    offset: 0,
    home: 0,
    addrs: [],
  });
  assert.throws(() => decodeParentMessage(ask.subarray(decodeVarint(ask)!.size)), {
    code: "protocol",
  });
  const tooLong = encodeCbor({ t: "path", path: Array.from({ length: PATH_MAX + 1 }, () => "p") });
  assert.throws(() => decodeCascadeMessage(tooLong), { code: "protocol" });
});
