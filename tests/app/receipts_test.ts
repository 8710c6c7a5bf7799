/** Receipts of a node whose disk has bad moments. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ManualClock } from "../support/manual_clock.ts";
import { NodeReceipts } from "../../src/app/lifecycle/receipts.ts";
import type { Hash } from "../../src/core/hash.ts";

Deno.test("receipts are there again once their file opens, and it is tried at most every 15 s", async () => {
  const data = await Deno.makeTempDir({ prefix: "seedmint-receipts-" });
  const path = join(data, "receipts.sqlite");
  const clock = new ManualClock();
  const warnings: string[] = [];
  try {
    // A folder in its place is what the database cannot open.
    await Deno.mkdir(path);
    using receipts = new NodeReceipts({
      dataDirectory: data,
      identity: { nostrSecret: new Uint8Array(32).fill(1), peerId: "self" },
      wallet: () => undefined,
      log: (_level, message) => void warnings.push(message),
      clock,
    });
    const request = () =>
      receipts.request({ peerId: "seller", root: "a".repeat(64) as Hash, bytes: 1000 });
    assert.equal(await request(), undefined);
    await Deno.remove(path);
    await clock.advance(14_000);
    assert.equal(await request(), undefined, "not yet");
    assert.equal(warnings.length, 2);
    await clock.advance(1000);
    assert.equal((await request())?.commitment.length, 32);
    assert.equal((await request())?.commitment.length, 32);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
