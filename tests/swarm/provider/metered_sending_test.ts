import { equal, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../src/host/system.ts";
import { equalBytes } from "../../../src/core/bytes.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES, PARENT_BYTES } from "../../../swarm/bao/geometry.ts";
import { encodedItems } from "../../../swarm/bao/mod.ts";
import { AnswerFailure } from "../../../swarm/provider/answer_failure.ts";
import { MeteredSending } from "../../../swarm/provider/metered_sending.ts";
import { Metering } from "../../../swarm/provider/metering.ts";
import { PROVIDER_LIMITS } from "../../../swarm/provider/mod.ts";
import { costOf, MemoryGate, TERMS } from "./memory_gate.ts";
import { content, never } from "./support.ts";

const ROOT = "11".repeat(32) as Hash;
const VIEWER = { peerId: "payer", fleet: false };

/** A sending into memory, with `unpaidMs` of patience. */
function sending(unpaidMs = 20_000) {
  const gate = new MemoryGate();
  const limits = { ...PROVIDER_LIMITS, unpaidMs };
  const metering = new Metering({ limits, clock: systemClock });
  const sent: Uint8Array[] = [];
  const low: number[] = [];
  let sentBytes = 0;
  /** Set to make the sink fail after so many more bytes. */
  const network = { bytesLeft: Infinity, onWrite: () => {} };
  const metered = new MeteredSending({
    meter: gate.openMeter({ viewer: VIEWER, root: ROOT, priceMsatPerMiB: TERMS.priceMsatPerMiB }),
    metering,
    account: metering.of(VIEWER.peerId),
    clock: systemClock,
    signal: never(),
    sink: {
      sentBytes: () => sentBytes,
      write: (part) => {
        network.onWrite();
        const taken = part.slice(0, Math.min(part.length, network.bytesLeft));
        network.bytesLeft -= taken.length;
        sentBytes += taken.length;
        sent.push(taken);
        return taken.length < part.length ? Promise.reject(new Error("reset")) : Promise.resolve();
      },
      flush: () => Promise.resolve(),
      low: (msat) => {
        low.push(msat);
        return Promise.resolve();
      },
    },
  });
  const bytes = () => {
    const joined = new Uint8Array(sentBytes);
    let at = 0;
    for (const part of sent) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  };
  return { gate, metered, bytes, low, network };
}

/** The size of an encoding, and what the content of its first `length` bytes costs. */
function costOfPrefix(size: number, ranges: RangeSet, length: number): bigint {
  let at = 0;
  let bytes = 0;
  for (const item of encodedItems(size, ranges)) {
    if (at >= length) break;
    if (item.kind === "group") bytes += item.size;
    at += item.kind === "group" ? item.size : PARENT_BYTES;
  }
  return costOf(bytes);
}

function encodingSize(size: number, ranges: RangeSet): number {
  let bytes = 0;
  for (const item of encodedItems(size, ranges)) {
    bytes += item.kind === "group" ? item.size : PARENT_BYTES;
  }
  return bytes;
}

/** `bytes` in pieces, cut at the given places. */
function* cut(bytes: Uint8Array<ArrayBuffer>, lengths: readonly number[]) {
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    const length = lengths[index % lengths.length]!;
    yield bytes.slice(at, at + length);
    at += length;
  }
}

const CASE = fc.record({
  size: fc.integer({ min: 1, max: 500_000 }),
  ranges: fc.array(fc.nat(40), { minLength: 1, maxLength: 6 }).map((numbers) =>
    RangeSet.fromBoundaries([...new Set(numbers)].toSorted((a, b) => a - b))
  ),
  lengths: fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 6 }),
  groups: fc.nat(12),
});

Deno.test("MeteredSending never sends a byte of a group before it is charged, however pieces are cut", async () => {
  await fc.assert(
    fc.asyncProperty(CASE, async ({ size, ranges, lengths, groups }) => {
      const { gate, metered, bytes, network } = sending();
      const account = gate.accountOf(VIEWER.peerId);
      const encoding = content(encodingSize(size, ranges));
      let given = 0n;
      const give = (units: bigint) => {
        account.credit += units;
        given += units;
        for (const wake of account.waiting) wake();
      };
      // One unit more than so many groups: the credit ends anywhere, again and again.
      const step = costOf(GROUP_BYTES) * BigInt(groups) + 1n;
      give(step);
      network.onWrite = () => {
        const charged = given - account.credit;
        ok(charged >= costOfPrefix(size, ranges, bytes().length), "all that went was charged");
      };
      metered.begin(size, ranges);
      const feeding = setInterval(() => {
        if (account.waiting.size > 0) give(step + costOf(GROUP_BYTES));
      }, 0);
      try {
        for (const piece of cut(encoding, lengths)) await metered.piece(piece);
      } finally {
        clearInterval(feeding);
      }
      await metered[Symbol.asyncDispose]();
      ok(equalBytes(bytes(), encoding));
      equal(given - account.credit, costOfPrefix(size, ranges, encoding.length));
    }),
    { numRuns: 50 },
  );
});

Deno.test("MeteredSending gives back every group of which no byte was handed over, and no other", async () => {
  await fc.assert(
    fc.asyncProperty(CASE, fc.nat(500_000), async ({ size, ranges, lengths }, bytesLeft) => {
      const { gate, metered, bytes, network } = sending();
      const encoding = content(encodingSize(size, ranges));
      const credit = costOf(2 ** 30);
      gate.accountOf(VIEWER.peerId).credit = credit;
      network.bytesLeft = bytesLeft;
      metered.begin(size, ranges);
      const all = async () => {
        for (const piece of cut(encoding, lengths)) await metered.piece(piece);
      };
      if (bytesLeft < encoding.length) await rejects(all, /reset/);
      else await all();
      await metered[Symbol.asyncDispose]();
      const used = credit - gate.accountOf(VIEWER.peerId).credit;
      equal(used, costOfPrefix(size, ranges, bytes().length));
      equal(costOf(metered.chargedBytes), used);
    }),
    { numRuns: 300 },
  );
});

Deno.test("MeteredSending sends nothing of a reader that gives more than its encoding", async () => {
  const { gate, metered, bytes } = sending();
  gate.give(VIEWER.peerId, 1000);
  metered.begin(100, RangeSet.ALL);
  await rejects(
    metered.piece(new Uint8Array(101)),
    (error) => error instanceof AnswerFailure && error.code === "internal",
  );
  equal(bytes().length, 0);
});

Deno.test("MeteredSending tells low once until the credit has grown, and once more after a second's wait", async () => {
  const { gate, metered, low } = sending(1500);
  const account = gate.accountOf(VIEWER.peerId);
  gate.give(VIEWER.peerId, 32_100);
  metered.begin(2 ** 30, RangeSet.ALL);
  const encoding = content(GROUP_BYTES + 16 * PARENT_BYTES);
  await metered.piece(encoding);
  equal(low.length, 0);
  account.credit = costOf(GROUP_BYTES) * 3n;
  await metered.piece(content(2 * GROUP_BYTES));
  equal(low.length, 1);
  gate.give(VIEWER.peerId, 40_000);
  await metered.piece(content(GROUP_BYTES));
  equal(low.length, 1);
  account.credit = 1n;
  await rejects(metered.piece(content(4 * GROUP_BYTES)), /unpaid/);
  equal(low.length, 3);
  await metered[Symbol.asyncDispose]();
});
