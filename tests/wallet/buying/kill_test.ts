/** Buyers whose processes are killed (SIGKILL) at every fault point of a strip, and in between. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { Hash } from "../../../src/core/hash.ts";
import { publicKeyOf } from "../../../wallet/cashu.ts";
import { FAULT_POINTS } from "../../../wallet/operations/strip_plan.ts";
import { MatrixWorld, newest, type WalletFolder } from "../../support/matrix_world.ts";
import {
  type DueReply,
  Killed,
  type WalletProcess,
  type WalletReport,
} from "../../support/wallet_process.ts";

const MIB = 1_048_576;
const START_SAT = 10_000;

/** The key of a seller. */
const SELLER_KEY = publicKeyOf(new Uint8Array(32).fill(9));

/** Past every locktime of these tests. */
const LOCKED_MS = 5 * 3_600_000;

/** Points that are passed once a strip has come to its end. */
const LATE: ReadonlySet<string> = new Set(
  FAULT_POINTS.filter((point) => /^strip\.(ready|reclaim)/.test(point)),
);

function request(world: MatrixWorld, peerId: string) {
  return {
    peerId,
    subject: "ab".repeat(32) as Hash,
    bytesMax: 320 * MIB,
    terms: {
      priceMsatPerMiB: 1_000,
      minTopUpSat: 64,
      mints: world.urls,
      p2pk: SELLER_KEY,
      locktimeMin: 90,
    },
  };
}

/** Payments of a seller that left the wallet, by its dead database. */
function handedOver({ directory }: WalletFolder, peerId: string): string[] {
  const database = new DatabaseSync(join(directory, "wallet.db"), { readOnly: true });
  try {
    const rows = database.prepare(
      "SELECT payment_id FROM strip_parts WHERE peer = ? AND revealed_ms IS NOT NULL",
    ).all(peerId) as { payment_id: string }[];
    return rows.map((row) => row.payment_id);
  } finally {
    database.close();
  }
}

/** What counts against budgets, in sat. */
function booked({ directory }: WalletFolder): number {
  const database = new DatabaseSync(join(directory, "wallet.db"), { readOnly: true });
  try {
    const row = database.prepare(
      "SELECT sum(cost) AS sum FROM outgoing_payments WHERE state <> 'returned'",
    ).get() as { sum: number };
    return row.sum;
  } finally {
    database.close();
  }
}

async function dies(child: WalletProcess, task: Promise<unknown>): Promise<void> {
  const late = setTimeout(() => child.kill(), 60_000);
  await task.catch((error) => {
    if (!(error instanceof Killed)) throw error;
  });
  assert.ok(await child.ended(), "the process was killed");
  clearTimeout(late);
  await child[Symbol.asyncDispose]();
}

/** After a kill: the same payment as before, twice; everything is somewhere. */
async function goesOn(
  world: MatrixWorld,
  folder: WalletFolder,
  peerId: string,
): Promise<WalletReport> {
  const before = handedOver(folder, peerId);
  await using child = await world.open(folder);
  const first = await child.ask<DueReply>({ do: "buy", request: request(world, peerId) });
  assert.ok(first.due === "pay", JSON.stringify(first));
  assert.deepEqual(await child.ask({ do: "next" }), first, "asked again, it is the same");
  if (before.length > 0) assert.equal(first.id, before[0], "what had left is given again");
  const answer = { answer: "credited", creditMsat: 64_000 } as const;
  await child.ask({ do: "answered", id: first.id, answer });
  assert.deepEqual(await child.ask({ do: "next" }), { due: "nothing" });
  await child.ask({ do: "verified", bytes: 40 * MIB });
  const second = await child.ask<DueReply>({ do: "next" });
  assert.ok(second.due === "pay" && second.id !== first.id);
  const report = await world.settled(child);
  world.assertConserved([report]);
  return report;
}

for (const point of FAULT_POINTS.filter((point) => !LATE.has(point))) {
  Deno.test(`a buyer killed at ${point} pays the same once it is back, and its books balance`, async () => {
    await using world = await MatrixWorld.start({ mints: 1, feePpk: 100 });
    const folder = await world.funded("buyer", START_SAT);
    const child = await world.open(folder, { fault: `${point}:1` });
    await dies(child, child.ask({ do: "buy", request: request(world, "peer") }));
    const report = await goesOn(world, folder, "peer");
    assert.equal(world.effects("/v1/swap"), 1, "one swap has effect");
    assert.equal(newest(report, "strip").state, "ready");
  });
}

Deno.test("a buyer killed while its mint answers pays from the strip that was made", async () => {
  await using world = await MatrixWorld.start({ mints: 1, feePpk: 100 });
  const folder = await world.funded("buyer", START_SAT);
  const child = await world.open(folder);
  world.proxies[0]!.fault({ action: "hang-response", match: { path: "/v1/swap" } });
  const buying = child.ask({ do: "buy", request: request(world, "peer") });
  void world.reached("/v1/swap").then(() => child.kill());
  await dies(child, buying);
  world.proxies[0]!.clear();
  await goesOn(world, folder, "peer");
  assert.equal(world.effects("/v1/swap"), 1, "one swap has effect");
});

for (
  const point of [
    "swap.intent.after-commit",
    "swap.melt.after-send",
    "swap.mint.before-send",
    "swap.issuing.after-commit",
  ]
) {
  Deno.test(`a buyer killed at ${point}, on the way into its seller's mint, swaps once and pays`, async () => {
    await using world = await MatrixWorld.start({ mints: 2, feePpk: 100 });
    const folder = await world.funded("buyer", START_SAT);
    const wanted = request(world, "peer");
    const request_ = { ...wanted, terms: { ...wanted.terms, mints: [world.urls[1]!] } };
    const child = await world.open(folder, { fault: `${point}:1` });
    await dies(child, child.ask({ do: "buy", request: request_ }));
    await using again = await world.open(folder);
    const first = await again.ask<DueReply>({ do: "buy", request: request_ });
    assert.ok(first.due === "pay", JSON.stringify(first));
    const report = await world.settled(again);
    world.assertConserved([report]);
    assert.equal(world.effects("/v1/melt/bolt11"), 1, "one swap has effect");
    const fees = report.history.reduce((sum, { feeSat }) => sum + feeSat, 0);
    assert.equal(booked(folder), fees + 65, "what it cost is in the budgets, and nothing more");
  });
}

for (const point of LATE) {
  Deno.test(`a buyer killed at ${point} has back what was not redeemed once it is back itself`, async () => {
    await using world = await MatrixWorld.start({ mints: 1, feePpk: 100 });
    const folder = await world.funded("buyer", START_SAT);
    {
      await using child = await world.open(folder);
      await child.ask({ do: "buy", request: request(world, "peer") });
      await world.settled(child);
    }
    // All is unspent: that is taken back. The end of one that is all redeemed passes "ready", too.
    world.kit.clock.jump(LOCKED_MS);
    const child = await world.open(folder, { fault: `${point}:1` });
    await dies(child, child.ask({ do: "settle" }));
    await using again = await world.open(folder);
    const report = await world.settled(again);
    world.assertConserved([report]);
    const strip = newest(report, "strip");
    assert.equal(strip.state, "done");
    assert.equal(report.balance.mints[0]!.outgoingSat, 0);
    assert.equal(report.balance.totalSat, START_SAT - strip.feeSat, "all but fees is ours again");
    assert.equal(world.effects("/v1/swap"), 2, "one swap made it, one took it back");
  });
}
