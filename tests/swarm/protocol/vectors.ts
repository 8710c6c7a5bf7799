/** Every message of the wire with its bytes, typed in: a change of the format breaks these. */
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import type { Message } from "../../../swarm/protocol/mod.ts";

const HASH = "11".repeat(32) as Hash;
const SHA256 = "22".repeat(32) as Sha256;
const ID = new Uint8Array(16).fill(0x33);
const KEY = new Uint8Array(32).fill(0x44);
const COMMITMENT = new Uint8Array(32).fill(0x66);

const hash = `6468617368${"5820" + HASH}`;
const id = `50${"33".repeat(16)}`;

/** Pairs of a message and the hex of its canonical CBOR. */
export const VECTORS: readonly (readonly [Message, string])[] = [
  [
    { t: "want", hash: HASH, format: "blob" },
    `a3617464${text("want")}${hash}66666f726d617464${text("blob")}`,
  ],
  [
    {
      t: "want",
      sha256: SHA256,
      format: "blob",
      ranges: RangeSet.of(2 ** 34),
      direct: true,
      certificate: Uint8Array.of(1, 2, 3),
    },
    `a6617464${text("want")}66646972656374f566666f726d617464${text("blob")}` +
    `6672616e676573811b0000000400000000667368613235365820${SHA256}` +
    "6b636572746966696361746543010203",
  ],
  [
    {
      t: "want",
      hash: HASH,
      format: "collection",
      children: RangeSet.fromBoundaries([0, 2, 5, 6]),
      payment: { id: ID, token: "cashuB" },
    },
    `a5617464${text("want")}${hash}66666f726d61746a${text("collection")}` +
    `677061796d656e74a2626964${id}65746f6b656e66${text("cashuB")}` +
    "686368696c6472656e8400020506",
  ],
  [
    { t: "want", hash: HASH, format: "blob", payment: { id: ID }, priceMsatPerMiB: 0 },
    `a5617464${text("want")}${hash}66666f726d617464${text("blob")}` +
    `677061796d656e74a1626964${id}` + "6f70726963654d7361745065724d694200",
  ],
  [
    { t: "have", blobs: [{ hash: HASH }, { sha256: SHA256 }] },
    `a2617464${text("have")}65626c6f627382a1${hash}a1667368613235365820${SHA256}`,
  ],
  [
    { t: "top-up", payment: { id: ID } },
    `a2617466${text("top-up")}677061796d656e74a1626964${id}`,
  ],
  [{ t: "granted", size: 1_048_577 }, `a2617467${text("granted")}6473697a651a00100001`],
  [
    { t: "granted", size: 1_048_577, channelSat: 2000 },
    `a3617467${text("granted")}6473697a651a00100001` + "6a6368616e6e656c5361741907d0",
  ],
  [
    {
      t: "granted",
      size: 5,
      hash: HASH,
      ranges: RangeSet.of(0, 1),
      visibility: "fleet",
      priceMsatPerMiB: 1000,
      creditMsat: 1000,
      direct: { port: 4801, session: ID, key: KEY, ttlMs: 120_000 },
    },
    `a8617467${text("granted")}${hash}6473697a650566646972656374` +
    `a4636b65795820${"44".repeat(32)}64706f72741912c16574746c4d731a0001d4c06773657373696f6e${id}` +
    "6672616e676573820001" + "6a6372656469744d7361741903e8" +
    "6a7669736962696c69747965666c656574" + "6f70726963654d7361745065724d69421903e8",
  ],
  [
    {
      t: "payment-required",
      priceMsatPerMiB: 1000,
      minTopUpSat: 10,
      mints: ["https://mint.example"],
      p2pk: `02${"55".repeat(32)}`,
      locktimeMin: 60,
    },
    `a6617470${text("payment-required")}647032706b7842${text(`02${"55".repeat(32)}`)}` +
    `656d696e74738174${text("https://mint.example")}6b6c6f636b74696d654d696e183c` +
    "6b6d696e546f7055705361740a6f70726963654d7361745065724d69421903e8",
  ],
  [
    {
      t: "payment-required",
      priceMsatPerMiB: 1000,
      minTopUpSat: 10,
      mints: ["https://mint.example"],
      p2pk: `02${"55".repeat(32)}`,
      locktimeMin: 60,
      channelSat: 2000,
    },
    `a7617470${text("payment-required")}647032706b7842${text(`02${"55".repeat(32)}`)}` +
    `656d696e74738174${text("https://mint.example")}6a6368616e6e656c5361741907d0` +
    "6b6c6f636b74696d654d696e183c6b6d696e546f7055705361740a6f70726963654d7361745065724d69421903e8",
  ],
  [
    { t: "pending", paymentId: ID, retryMs: 500 },
    `a3617467${text("pending")}6772657472794d731901f4697061796d656e744964${id}`,
  ],
  [
    { t: "credited", paymentId: ID, creditMsat: 64_000 },
    `a3617468${text("credited")}697061796d656e744964${id}6a6372656469744d73617419fa00`,
  ],
  [
    { t: "refused", paymentId: ID, code: "spent" },
    `a3617467${text("refused")}64636f646565${text("spent")}697061796d656e744964${id}`,
  ],
  [
    { t: "refused", paymentId: ID, code: "busy", retryMs: 500 },
    `a4617467${text("refused")}64636f646564${text("busy")}6772657472794d731901f4` +
    `697061796d656e744964${id}`,
  ],
  [
    { t: "receipt-ask", root: HASH, nostrKey: KEY, commitment: COMMITMENT },
    `a461746b${text("receipt-ask")}64726f6f745820${HASH}` +
    `686e6f7374724b65795820${"44".repeat(32)}6a636f6d6d69746d656e745820${"66".repeat(32)}`,
  ],
  [
    { t: "receipt", receipt: '{"v":1}' },
    `a2617467${text("receipt")}677265636569707467${text('{"v":1}')}`,
  ],
  [{ t: "refund-ask" }, `a161746a${text("refund-ask")}`],
  [
    { t: "refund", token: "cashuB1", amountSat: 40 },
    `a3617466${text("refund")}65746f6b656e67${text("cashuB1")}69616d6f756e745361741828`,
  ],
  [
    { t: "denied", code: "busy", retryMs: 500 },
    `a3617466${text("denied")}64636f646564${text("busy")}6772657472794d731901f4`,
  ],
  [
    { t: "denied", code: "internal" },
    `a2617466${text("denied")}64636f646568${text("internal")}`,
  ],
  [{ t: "not-found" }, "a16174696e6f742d666f756e64"],
  [{ t: "low", creditMsat: 7 }, "a26174636c6f776a6372656469744d73617407"],
  [
    { t: "missing", children: RangeSet.of(3, 4) },
    "a26174676d697373696e67686368696c6472656e820304",
  ],
  [{ t: "end" }, "a1617463656e64"],
  [{ t: "failed", code: "gone" }, "a26174666661696c656464636f646564676f6e65"],
  [
    {
      t: "holdings",
      blobs: [
        { state: "none" },
        { state: "all", size: 16_384 },
        { state: "some", size: 40_000, groups: RangeSet.of(1, 3), hash: HASH },
      ],
    },
    `a2617468${text("holdings")}65626c6f627383a0a16473697a65194000` +
    `a3${hash}6473697a65199c406667726f757073820103`,
  ],
];

/** Hex of the UTF-8 bytes. */
function text(value: string): string {
  return new TextEncoder().encode(value).toHex();
}
