import assert from "node:assert/strict";
import { beginSwap, hasArrived, swapResultOf } from "../../../wallet/operations/swap.ts";
import type { SwapPlan, SwapRequest } from "../../../wallet/operations/swap_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  assertConserved,
  fundedKit,
  meltPosts,
  paidBy,
  play,
  SAGAS,
  type TestWallet,
  type WalletKit,
} from "./melt_world.ts";

const AMOUNT = 100n;
const MELT = "/v1/melt/bolt11";
const MINT = "/v1/mint/bolt11";

type Options = Partial<Omit<SwapRequest, "from" | "to">>;

async function begin(
  { context, kit }: TestWallet,
  options: Options = {},
): Promise<Operation<SwapPlan>> {
  return await beginSwap(context, {
    from: kit.url(0),
    to: kit.url(1),
    amount: AMOUNT,
    ...options,
  });
}

function assertCompleted(kit: WalletKit, alice: TestWallet, ended: Operation): void {
  assert.equal(ended.status, "done", `${ended.state}: ${ended.reason}`);
  assert.equal(paidBy(kit), 1);
  assert.equal(alice.free(kit.url(1)), AMOUNT, "exactly the amount arrives");
  assert.equal(alice.free(kit.url(0)), 1000n - AMOUNT - ended.fee);
  assert.ok(ended.fee <= swapResultOf(ended).feeMaxSat!, "no more than was shown before");
  assertConserved(kit, alice);
}

function assertNeutral(kit: WalletKit, alice: TestWallet, ended: Operation): void {
  assert.equal(ended.status, "failed", `${ended.state}: ${ended.reason}`);
  assert.equal(paidBy(kit), 0);
  assert.equal(alice.free(kit.url(1)), 0n);
  assert.equal(alice.free(kit.url(0)), 1000n - ended.fee);
  assertConserved(kit, alice);
}

Deno.test("swap moves exactly the amount, writes both ledgers, and its route hears of it", async () => {
  await using world = await fundedKit({ mints: 2, feePpk: 100 });
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 10 });
  const ended = await play({}, alice, (await begin(alice)).id);
  assertCompleted(kit, alice, ended);
  const result = swapResultOf(ended);
  assert.equal(result.hasArrived, true);
  assert.equal(result.arrivedSat, AMOUNT);
  assert.equal(result.isProven, true);
  assert.equal(result.feeSat, ended.fee);
  const kinds = alice.store.ledger({ operationId: ended.id }).map(({ kind, mint }) =>
    `${kind} at ${mint === kit.url(0) ? "A" : "B"}`
  );
  assert.ok(kinds.includes("swap-out at A") && kinds.includes("swap-in at B"), kinds.join());
  const route = alice.store.route(kit.url(0), kit.url(1))!;
  assert.equal(route.feePpm, Number(ended.fee) * 10_000);
  assert.equal(route.cooldownUntilMs, 0);
  assert.equal(alice.store.route(kit.url(1), kit.url(0)), undefined, "the way back is another");
});

Deno.test("swap asks the destination for ecash only once the source has paid", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.lightning.script({ action: "hold" });
  const begun = await begin(alice);
  const held = await alice.engine.drive(begun.id);
  assert.equal(held.state, "source-pending");
  assert.equal(kit.mints[1]!.admin.requests(MINT).length, 0);
  assert.equal(alice.store.request(begun.id, "mint")!.sendCount, 0, "it is frozen, not sent");
  kit.lightning.settle((held.plan as SwapPlan).paymentHash);
  assertCompleted(kit, alice, await play({}, alice, begun.id));
});

Deno.test("P3: a source that says it failed and paid is found out, and the amount arrives", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.mints[0]!.admin.lieAfterPaying();
  assertCompleted(kit, alice, await play({}, alice, (await begin(alice)).id));
});

Deno.test("P3: a source that says unpaid while the destination was paid is not believed", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const { admin } = kit.mints[0]!;
  admin.lieAfterPaying();
  const begun = await begin(alice);
  alice.crashAt("swap.melt.after-send");
  await play({}, alice, begun.id).catch(() => {});
  const again = await alice.reopen();
  // From now on the source tells the old state for a while, and its proofs as unspent.
  admin.staleQuotes(3, { path: "/v1/melt/quote/bolt11" });
  const states = { states: reservedYs(again, begun.id).map((Y) => ({ Y, state: "UNSPENT" })) };
  admin.alterAnswers("/v1/checkstate", states, { count: 3 });
  const ended = await play({}, again, begun.id);
  assertCompleted(kit, again, ended);
  assert.ok((ended.plan as SwapPlan).conflictCount > 0, "the destination was asked");
  assert.equal(again.store.request(begun.id, "fence"), undefined, "there was no fence");
});

function reservedYs(wallet: TestWallet, operationId: string): string[] {
  return wallet.store.proofs({ operationId, state: "reserved" }).map((proof) => proof.y);
}

Deno.test("P5: a destination that never sees the payment is waited for, and nothing is paid again", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.lightning.script({ action: "notify-never" });
  const begun = await begin(alice);
  let operation = await alice.engine.drive(begun.id);
  for (let count = 0; count < 60; count++) {
    assert.equal(operation.state, "awaiting-dest");
    assert.equal(operation.status, "open");
    kit.clock.jump(60_001);
    operation = await alice.engine.drive(begun.id);
  }
  assert.equal(meltPosts(kit), 1);
  assert.equal(alice.events.filter(({ event }) => event === "attention").length, 1);
  assert.match(operation.reason!, /has paid, and .* has not seen it yet/);
  assert.ok(operation.nextAtMs !== undefined);
  assert.deepEqual(alice.troubles(), []);
  kit.lightning.settle((operation.plan as SwapPlan).paymentHash);
  assertCompleted(kit, alice, await play({}, alice, begun.id));
});

Deno.test("P6: what the mints quote must be what was asked and what is allowed", async (test) => {
  const cases: readonly {
    readonly name: string;
    readonly spoil: (kit: WalletKit) => void | Promise<void>;
    readonly says: RegExp;
    readonly options?: Options;
  }[] = [
    {
      name: "a reserve above the cap",
      spoil: (kit) => kit.mints[0]!.admin.setFeeReserve({ minSat: 9 }),
      options: { feeMax: 8n },
      says: /9 sat in reserve for fees, and 8 sat are allowed/,
    },
    {
      name: "a destination's invoice over more",
      spoil: async (kit) => {
        const { bolt11 } = await kit.lightning.createInvoice({ payee: "B", amountMsat: 200_000n });
        kit.mints[1]!.admin.alterAnswers("/v1/mint/quote/bolt11", { request: bolt11 }, {
          count: 100,
        });
      },
      says: /invoice of 200 sat where 100 sat|could not be prepared/,
    },
    {
      name: "a destination that does not lock its quote",
      spoil: (kit) =>
        kit.mints[1]!.admin.alterAnswers("/v1/mint/quote/bolt11", { pubkey: null }, { count: 100 }),
      says: /did not lock its quote|could not be prepared/,
    },
    {
      name: "a source that quotes another amount",
      spoil: (kit) => kit.mints[0]!.admin.alterAnswers("/v1/melt/quote/bolt11", { amount: 99 }),
      says: /quoted 99 sat for an invoice of 100 sat/,
    },
    {
      name: "a source whose quote lasts too short a time",
      spoil: (kit) => {
        const expiry = Math.floor(kit.clock.nowMs() / 1000) + 40;
        kit.mints[0]!.admin.alterAnswers("/v1/melt/quote/bolt11", { expiry }, { count: 100 });
      },
      says: /went stale before it was paid/,
    },
  ];
  for (const { name, spoil, says, options } of cases) {
    await test.step(name, async () => {
      await using world = await fundedKit({ mints: 2 });
      const { kit, alice } = world;
      await spoil(kit);
      const ended = await play({}, alice, (await begin(alice, options)).id);
      assert.match(ended.reason!, says);
      assertNeutral(kit, alice, ended);
      assert.equal(meltPosts(kit), 0);
      assert.equal(ended.fee, 0n);
      assert.equal(alice.store.routes().length, 0, "that says nothing about the route");
    });
  }
});

Deno.test("P7: a destination's quote that expires after the source has paid is still claimed", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.lightning.script({ action: "notify-never" });
  const begun = await begin(alice);
  const waiting = await alice.engine.drive(begun.id);
  assert.equal(waiting.state, "awaiting-dest");
  const { dest, paymentHash } = waiting.plan as SwapPlan;
  kit.clock.jump(dest!.expiryMs! - kit.clock.nowMs() + 3_600_000);
  assert.equal((await alice.engine.drive(begun.id)).state, "awaiting-dest");
  kit.lightning.settle(paymentHash);
  assertCompleted(kit, alice, await play({}, alice, begun.id));
});

Deno.test("Q1: a rotation at the destination after the source has paid is planned anew", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const begun = await begin(alice);
  alice.crashAt("swap.source-paid.after-commit");
  await play({}, alice, begun.id).catch(() => {});
  kit.mints[1]!.admin.rotateKeyset();
  const again = await alice.reopen();
  const ended = await play({}, again, begun.id);
  assertCompleted(kit, again, ended);
  assert.equal((ended.plan as SwapPlan).mintRound, 2);
  const restores = kit.mints[1]!.admin.requests("/v1/restore").length;
  assert.ok(restores >= 1, "the first outputs were asked for before others were planned");
});

Deno.test("Q1: rotations of both mints between quotes and payment change nothing", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const begun = await begin(alice, { holdMs: 60_000 });
  await alice.engine.drive(begun.id);
  for (const mint of kit.mints) mint.admin.rotateKeyset({ feePpk: 100 });
  await alice.engine.confirm(begun.id);
  assertCompleted(kit, alice, await play({}, alice, begun.id));
});

Deno.test("ecash that the destination issued and whose answer was lost is restored", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.mints[1]!.admin.change({ cacheTtlS: 0 });
  const begun = await begin(alice);
  alice.crashAt("swap.mint.after-send");
  await play({}, alice, begun.id).catch(() => {});
  assert.equal(kit.mints[1]!.admin.books().issued, AMOUNT, "it is issued");
  const again = await alice.reopen();
  assertCompleted(kit, again, await play({}, again, begun.id));
  assert.equal(kit.mints[1]!.admin.books().issued, AMOUNT, "once");
});

Deno.test("T5: quotes that go back change nothing on either side", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.mints[0]!.admin.staleQuotes(3);
  kit.mints[1]!.admin.staleQuotes(4);
  assertCompleted(kit, alice, await play({}, alice, (await begin(alice)).id));
});

Deno.test("a destination that is away after the source has paid is waited for", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const begun = await begin(alice);
  alice.crashAt("swap.source-paid.before-commit");
  await play({}, alice, begun.id).catch(() => {});
  await kit.mints[1]!.admin.offline(true);
  const again = await alice.reopen();
  for (let count = 0; count < 5; count++) {
    assert.equal((await again.engine.drive(begun.id)).status, "open");
    kit.clock.jump(400_000);
  }
  await kit.mints[1]!.admin.offline(false);
  assertCompleted(kit, again, await play({}, again, begun.id));
});

Deno.test("the source's change never holds the destination's ecash up", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const { admin } = kit.mints[0]!;
  admin.setFeeReserve({ minSat: 30 });
  admin.alterAnswers(MELT, { change: [] });
  const begun = await begin(alice);
  alice.crashAt("swap.issuing.after-commit");
  await play({}, alice, begun.id).catch(() => {});
  await admin.offline(true);
  const again = await alice.reopen();
  const waiting = await again.engine.drive(begun.id);
  assert.equal(waiting.state, "change-due");
  assert.equal(waiting.status, "open");
  assert.ok(hasArrived(waiting));
  assert.equal(again.free(kit.url(1)), AMOUNT, "it can be spent already");
  await admin.offline(false);
  const ended = await play({}, again, begun.id);
  assertCompleted(kit, again, ended);
  assert.ok(swapResultOf(ended).changeSat! >= 28n);
});

Deno.test("only a source that says it could not pay counts against the route", async (test) => {
  await test.step("refused by Lightning: a rest for the route", async () => {
    await using world = await fundedKit({ mints: 2 });
    const { kit, alice } = world;
    kit.lightning.script({ action: "fail" });
    assertNeutral(kit, alice, await play({}, alice, (await begin(alice)).id));
    const route = alice.store.route(kit.url(0), kit.url(1))!;
    assert.ok(route.successPermille < 500);
    assert.ok(route.cooldownUntilMs > kit.clock.nowMs());
  });
  await test.step("held, then failed: the same", async () => {
    await using world = await fundedKit({ mints: 2 });
    const { kit, alice } = world;
    kit.lightning.script({ action: "hold" });
    const begun = await begin(alice);
    const held = await alice.engine.drive(begun.id);
    assert.equal(held.state, "source-pending");
    kit.lightning.fail((held.plan as SwapPlan).paymentHash);
    assertNeutral(kit, alice, await play({}, alice, begun.id));
    assert.ok(alice.store.route(kit.url(0), kit.url(1))!.successPermille < 500);
  });
  await test.step("a request that was lost: nothing", async () => {
    await using world = await fundedKit({
      mints: 2,
      wallet: {
        fetch: (input, init) =>
          String(input).endsWith(MELT)
            ? Promise.reject(new TypeError("connection refused"))
            : fetch(input, init),
      },
    });
    const { kit, alice } = world;
    assertNeutral(kit, alice, await play({}, alice, (await begin(alice)).id));
    assert.equal(alice.store.routes().length, 0);
  });
});

Deno.test("D1: a destination whose signatures are false is blocked, and its debt kept", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.mints[1]!.admin.badDleq(100);
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assert.equal(ended.status, "attention");
  assert.equal(ended.state, "issuing");
  assert.ok(alice.store.mint(kit.url(1))!.blockedReason !== undefined);
  assert.equal(alice.store.mint(kit.url(0))!.blockedReason, undefined);
  await assert.rejects(begin(alice), /blocked/);
  await kit.mints[1]!.admin.clearFaults();
  await alice.engine.resume(begun.id);
  assertCompleted(kit, alice, await play({}, alice, begun.id));
});

Deno.test("a prepared swap shows its fee, and is confirmed, cancelled or forgotten", async (test) => {
  for (const end of ["confirmed", "cancelled", "forgotten"] as const) {
    await test.step(end, async () => {
      await using world = await fundedKit({ mints: 2 });
      const { kit, alice } = world;
      const begun = await begin(alice, { holdMs: 60_000 });
      const held = await alice.engine.drive(begun.id);
      assert.equal(held.state, "prepared");
      assert.ok(swapResultOf(held).feeMaxSat! > 0n);
      assert.equal(meltPosts(kit), 0);
      if (end === "confirmed") {
        await alice.engine.confirm(begun.id);
        assertCompleted(kit, alice, await play({}, alice, begun.id));
        return;
      }
      if (end === "cancelled") alice.engine.cancel(begun.id);
      else kit.clock.jump(60_001);
      assertNeutral(kit, alice, await play({}, alice, begun.id));
      const planned = alice.store.outputs(begun.id).filter(({ state }) => state === "planned");
      assert.equal(planned.length, 0, "what was planned is void");
    });
  }
});

Deno.test("beginSwap and its first step refuse what cannot be, without effect", async (test) => {
  await test.step("before anybody is asked", async () => {
    await using world = await fundedKit({ mints: 2 });
    const { kit, alice } = world;
    const { context } = alice;
    const [from, to] = [kit.url(0), kit.url(1)];
    await assert.rejects(beginSwap(context, { from, to: from, amount: 1n }), /with itself/);
    await assert.rejects(beginSwap(context, { from, to, amount: 0n }), RangeError);
    await assert.rejects(
      beginSwap(context, { from, to, amount: 1n, windowMs: 29_999 }),
      RangeError,
    );
    const record = context.store.mint(to)!;
    context.store.transact((tx) => tx.putMint({ ...record, trust: "accepted" }));
    await assert.rejects(beginSwap(context, { from, to, amount: 1n }), /not trusted/);
    context.store.transact((tx) => tx.putMint({ ...record, exposureMaxSat: 99n }));
    await assert.rejects(beginSwap(context, { from, to, amount: 100n }), /at most 99/);
    assert.equal(kit.mints[1]!.admin.requests().length, 0);
  });
  for (const [name, index, nut] of [["source", 0, 5], ["destination", 1, 20]] as const) {
    await test.step(`a ${name} without NUT-${nut}`, async () => {
      await using world = await fundedKit({
        mints: 2,
        prepare: (kit) => kit.mints[index]!.admin.disableNuts([nut]),
      });
      const { kit, alice } = world;
      const ended = await play({}, alice, (await begin(alice)).id);
      assert.match(ended.reason!, new RegExp(`does not support NUT ${nut}`));
      assertNeutral(kit, alice, ended);
    });
  }
});

Deno.test("C1: eight drives of one swap at once pay once and issue once", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const begun = await begin(alice);
  await Promise.all(Array.from({ length: 8 }, () => alice.engine.drive(begun.id)));
  assertCompleted(kit, alice, await play({}, alice, begun.id));
  assert.equal(meltPosts(kit), 1);
  assert.equal(kit.mints[1]!.admin.books().issued, AMOUNT);
});

Deno.test("swaps both ways at once keep every sat", async () => {
  await using world = await fundedKit({ mints: 2, feePpk: 100 });
  const { kit, alice } = world;
  await alice.fund(1000n, kit.url(1));
  const there = await begin(alice);
  const back = await beginSwap(alice.context, { from: kit.url(1), to: kit.url(0), amount: 70n });
  const ended = await Promise.all([there, back].map(({ id }) => play({}, alice, id)));
  assert.deepEqual(ended.map(({ status }) => status), ["done", "done"]);
  const fees = ended.reduce((sum, { fee }) => sum + fee, 0n);
  assert.equal(alice.free(kit.url(0)) + alice.free(kit.url(1)), 2000n - fees);
  assertConserved(kit, alice);
});

Deno.test("R1: outputs whose counters another copy of the wallet used are planned anew", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const copy = kit.wallet("copy", { wordsOf: "alice", sagas: SAGAS });
  assert.equal((await copy.fund(127n, kit.url(1))).status, "done");
  const ended = await play({}, alice, (await begin(alice)).id);
  assert.equal(ended.status, "done", String(ended.reason));
  assert.ok((ended.plan as SwapPlan).mintRound > 1, "the first outputs were refused");
  assert.equal(alice.free(kit.url(1)), AMOUNT);
  assert.equal(kit.mints[1]!.admin.books().outstanding, 127n + AMOUNT);
  assert.deepEqual(alice.troubles(), []);
});
