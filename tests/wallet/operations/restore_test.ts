import assert from "node:assert/strict";
import {
  beginRestore,
  FAULT_POINTS,
  type RestorePlan,
} from "../../../wallet/operations/restore_plan.ts";
import { beginFund, FAULT_POINTS as FUND_POINTS } from "../../../wallet/operations/fund_plan.ts";
import {
  beginSend,
  FAULT_POINTS as SEND_POINTS,
  markDelivered,
  tokenOf,
} from "../../../wallet/operations/send_plan.ts";
import { startKit, type TestWallet } from "../../support/wallet_kit.ts";

async function restore(wallet: TestWallet, mint = wallet.kit.url()) {
  const begun = await beginRestore(wallet.context, { mint });
  const ended = await wallet.driveToEnd(begun.id);
  assert.equal(ended.status, "done", String(ended.reason));
  return ended;
}

/** Spends what the wallet has at the first mint to itself until its counters are used up to `counter`. */
async function useCounters(wallet: TestWallet, counter: number): Promise<void> {
  const { id } = await wallet.context.mints.of(wallet.kit.url()).activeKeyset();
  wallet.store.transact((tx) => tx.advanceCounter(id, counter));
}

Deno.test("restore finds from the words alone all that is unspent, and nothing that is spent", async () => {
  await using kit = await startKit({ mints: 2, feePpk: 100 });
  const alice = kit.wallet();
  await alice.fund(100n);
  await alice.fund(55n, kit.url(1));
  const sent = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
  await alice.engine.drive(sent.id);
  assert.equal(typeof await kit.redeem(tokenOf(alice.context, sent.id)), "bigint");
  const wiped = kit.wallet("wiped", { wordsOf: "alice" });
  const first = await restore(wiped);
  assert.equal(first.amount, alice.free());
  assert.equal(wiped.free(), alice.free());
  await restore(wiped, kit.url(1));
  assert.equal(wiped.free(kit.url(1)), 55n);
  assert.deepEqual(wiped.troubles(), []);
  const { id } = await wiped.context.mints.of(kit.url()).activeKeyset();
  assert.equal(wiped.store.counter(id), alice.store.counter(id));
});

Deno.test("what restore found can be spent, and new secrets follow the old", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  await alice[Symbol.asyncDispose]();
  const wiped = kit.wallet("wiped", { wordsOf: "alice" });
  await restore(wiped);
  await wiped.fund(20n);
  const sent = await beginSend(wiped.context, { mint: kit.url(), amount: 111n });
  await wiped.engine.drive(sent.id);
  assert.equal(await kit.redeem(tokenOf(wiped.context, sent.id)), 111n);
  assert.ok(wiped.store.outputs(sent.id).every((output) => output.state === "signed"));
  assert.deepEqual(wiped.troubles(), []);
});

Deno.test("restore twice finds nothing twice", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  const wiped = kit.wallet("wiped", { wordsOf: "alice" });
  await restore(wiped);
  const again = await restore(wiped);
  assert.equal(again.amount, 0n);
  assert.equal(wiped.free(), 100n);
  assert.equal((await restore(alice)).amount, 0n);
  assert.equal(alice.free(), 100n);
  assert.deepEqual([...wiped.troubles(), ...alice.troubles()], []);
});

Deno.test("restore looks at keysets that are not active any more, and across gaps", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(7n);
  await useCounters(alice, 290);
  await alice.fund(8n);
  kit.mints[0]!.admin.rotateKeyset({});
  await alice.context.mints.of(kit.url()).keysets({ fresh: true });
  await alice.fund(16n);
  assert.equal(new Set(alice.store.proofs({ state: "free" }).map((one) => one.keysetId)).size, 2);
  const wiped = kit.wallet("wiped", { wordsOf: "alice" });
  await restore(wiped);
  assert.equal(wiped.free(), 31n);
});

Deno.test("restore scans as far as the counter that is remembered, whatever the gap", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await useCounters(alice, 700);
  await alice.fund(8n);
  const wiped = kit.wallet("wiped", { wordsOf: "alice" });
  await restore(wiped);
  assert.equal(wiped.free(), 0n, "a gap of 700 hides it from the words alone");
  await useCounters(wiped, 650);
  await restore(wiped);
  assert.equal(wiped.free(), 8n);
});

Deno.test("restore goes on wherever it crashed and finds everything once", async (test) => {
  const points = FAULT_POINTS.filter((point) => !point.startsWith("restore.waiting"));
  for (const point of points) {
    await test.step(point, async () => {
      await using kit = await startKit();
      const alice = kit.wallet();
      await alice.fund(100n);
      let wiped = kit.wallet("wiped", { wordsOf: "alice" });
      const begun = await beginRestore(wiped.context, { mint: kit.url() });
      wiped.crashAt(point);
      await wiped.driveToEnd(begun.id).catch(() => {});
      assert.ok(wiped.isDead, `${point} is never passed`);
      wiped = await wiped.reopen();
      assert.equal((await wiped.driveToEnd(begun.id)).status, "done");
      assert.equal(wiped.free(), 100n);
      assert.deepEqual(wiped.troubles(), []);
    });
  }
});

Deno.test("restore writes off what was spent elsewhere, and what it finds makes up for it", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  // A copy of the same state, as a backup would bring back: it knows the first 64 sat only.
  const copy = kit.wallet("copy", { wordsOf: "alice" });
  await restore(copy);
  const sent = await beginSend(alice.context, { mint: kit.url(), amount: 10n });
  await alice.engine.drive(sent.id);
  assert.equal(await kit.redeem(tokenOf(alice.context, sent.id)), 10n);
  const ended = await restore(copy);
  const plan = ended.plan as RestorePlan;
  assert.equal(plan.lostSat, 64);
  assert.equal(plan.foundSat, 54);
  assert.match(ended.reason!, /64 sat were spent elsewhere/);
  assert.equal(copy.free(), 54n);
  const kinds = copy.store.ledger({ operationId: ended.id }).map(({ kind, delta }) =>
    `${kind} ${delta}`
  );
  assert.deepEqual(kinds, ["loss -64", "restore 54"]);
  assert.deepEqual(copy.troubles(), []);
});

Deno.test("restore leaves alone what an open operation is about to take itself", async () => {
  await using kit = await startKit();
  let alice = kit.wallet();
  await alice.fund(64n);
  const sent = await beginSend(alice.context, { mint: kit.url(), amount: 10n });
  alice.crashAt("send.swap.after-send");
  await alice.engine.drive(sent.id).catch(() => {});
  alice = await alice.reopen();
  await restore(alice);
  assert.equal(alice.free(), 0n, "the outputs of the swap are the send's");
  const ended = await alice.driveToEnd(sent.id, { tries: 3 });
  assert.equal(ended.state, "token-ready");
  assert.equal(alice.free(), 54n);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("ecash in a payment that is under way is looked at until it is known what became of it", async (test) => {
  await test.step("without a crash", () => lookAtPending());
  for (const point of FAULT_POINTS.filter((point) => point.startsWith("restore.waiting"))) {
    await test.step(point, () => lookAtPending(point));
  }
});

async function lookAtPending(point?: string): Promise<void> {
  await using kit = await startKit({ mints: 2 });
  const alice = kit.wallet();
  await alice.fund(64n);
  const { bolt11 } = await kit.lightning.createInvoice({ payee: "shop", amountMsat: 10_000n });
  const mint = alice.context.mints.of(kit.url());
  const quote = await mint.createMeltQuote({ invoice: bolt11 });
  const proofs = alice.store.proofs({ state: "free" });
  kit.mints[0]!.admin.pendingForever(1);
  await mint.post(
    "/v1/melt/bolt11",
    JSON.stringify({
      quote: quote.quoteId,
      inputs: proofs.map((proof) => ({
        amount: Number(proof.amount),
        id: proof.keysetId,
        secret: proof.secret,
        C: proof.C,
      })),
      prefer_async: true,
    }),
  );
  let wiped = kit.wallet("wiped", { wordsOf: "alice" });
  const begun = await beginRestore(wiped.context, { mint: kit.url() });
  const waiting = await wiped.engine.drive(begun.id);
  assert.equal(waiting.state, "waiting");
  assert.equal(waiting.status, "open");
  assert.equal(wiped.free(), 0n);
  await kit.mints[0]!.admin.releasePending();
  if (point !== undefined) {
    wiped.crashAt(point);
    await wiped.driveToEnd(begun.id).catch(() => {});
    assert.ok(wiped.isDead, `${point} is never passed`);
    wiped = await wiped.reopen();
  }
  await wiped.driveToEnd(begun.id);
  const done = wiped.store.operation<RestorePlan>(begun.id)!;
  assert.equal(done.status, "done");
  assert.deepEqual(done.plan.pending, []);
  assert.equal(wiped.free(), kit.mints[0]!.admin.books().outstanding);
  assert.deepEqual(wiped.troubles(), []);
}

Deno.test("a token that was given away and is not redeemed is found by the words too, unless it is locked", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  const open = await beginSend(alice.context, { mint: kit.url(), amount: 10n });
  await alice.engine.drive(open.id);
  const publicKey = alice.keys.payment.publicKey;
  const locked = await beginSend(alice.context, {
    mint: kit.url(),
    amount: 5n,
    lock: { publicKey },
  });
  await alice.engine.drive(locked.id);
  const wiped = kit.wallet("wiped", { wordsOf: "alice" });
  await restore(wiped);
  assert.equal(wiped.free(), 59n);
});

Deno.test("signatures that are not of the mint's keys are not taken", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  const wiped = kit.wallet("wiped", {
    wordsOf: "alice",
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (!String(input).endsWith("/v1/restore")) return response;
      const body = await response.json() as { signatures: { amount: number }[] };
      for (const signature of body.signatures) signature.amount *= 2;
      return Response.json(body);
    },
  });
  const begun = await beginRestore(wiped.context, { mint: kit.url() });
  const ended = await wiped.driveToEnd(begun.id);
  assert.equal(ended.status, "attention");
  assert.equal(wiped.free(), 0n);
});

Deno.test("proofs of a backup are spent only after the mint was asked, and the books say what was lost", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  const path = `${kit.directory}/backup`;
  await alice.backup(path);
  await alice.fund(31n);
  const sent = await beginSend(alice.context, { mint: kit.url(), amount: 10n });
  await alice.engine.drive(sent.id);
  assert.equal(await kit.redeem(tokenOf(alice.context, sent.id)), 10n);
  const copy = kit.wallet("copy", { wordsOf: "alice" });
  await copy.takeOver(path);
  const early = await beginSend(copy.context, { mint: kit.url(), amount: 1n });
  assert.equal((await copy.engine.drive(early.id)).status, "failed");
  await restore(copy);
  assert.equal(copy.free(), 85n);
  assert.ok(
    copy.store.proofs({ mint: kit.url(), state: "free" }).every((one) => !one.needsRecheck),
  );
  const late = await beginSend(copy.context, { mint: kit.url(), amount: 85n });
  await copy.engine.drive(late.id);
  assert.equal(await kit.redeem(tokenOf(copy.context, late.id)), 85n);
  assert.deepEqual(copy.troubles(), []);
});

Deno.test("a backup from the middle of any operation loses nothing, in whichever order it is settled", async (test) => {
  const points = [
    ...FUND_POINTS.map((point) => ["fund", point] as const),
    ...SEND_POINTS.filter((point) => !point.includes("reclaim")).map((point) =>
      ["send", point] as const
    ),
  ];
  for (const [kind, point] of points) {
    // The order matters where a request was frozen; before that the operation has nothing to settle.
    const isFrozen = /\.(prepared|paid)\.after|\.(mint|swap|issuing|swap-inflight)\./.test(point);
    const orders = isFrozen ? ["operation first", "restore first"] : ["restore first"];
    for (const order of orders) {
      await test.step(`${point}, ${order}`, async () => {
        await using kit = await startKit();
        let alice = kit.wallet();
        await alice.fund(100n);
        const begun = kind === "send"
          ? await beginSend(alice.context, { mint: kit.url(), amount: 21n })
          : await beginFund(alice.context, { mint: kit.url(), amount: 21n });
        const act = async () => {
          await alice.engine.drive(begun.id);
          kit.clock.jump(3000);
          await alice.engine.drive(begun.id);
          if (kind === "send") return void markDelivered(alice.context, begun.id);
          const quote = alice.store.quotes(begun.id)[0];
          if (quote !== undefined) await kit.pay(quote.request);
          await alice.driveToEnd(begun.id);
        };
        alice.crashAt(point);
        await act().catch(() => {});
        // The backup is of the state at the crash; the wallet itself goes on and is lost later.
        const path = `${kit.directory}/backup`;
        await alice.backup(path);
        alice = await alice.reopen();
        await act();
        if (kind === "send") {
          assert.equal(await kit.redeem(tokenOf(alice.context, begun.id)), 21n);
        }
        const expected = kind === "send" ? 79n : 121n;
        assert.equal(alice.free(), expected);

        const copy = kit.wallet("copy", { wordsOf: "alice" });
        await copy.takeOver(path);
        if (order === "restore first") await restore(copy);
        const ended = await copy.driveToEnd(begun.id, { tries: 5 });
        assert.notEqual(ended.status, "attention", String(ended.reason));
        if (order === "operation first") await restore(copy);
        const invoices = copy.store.quotes(begun.id);
        const isIdle = ended.kind === "fund" && ended.status === "open" && invoices.length > 0;
        if (isIdle) await copy.driveToEnd(begun.id);
        const outgoing = copy.store.balances().reduce((sum, one) => sum + one.outgoing, 0n);
        const mint = kit.mints[0]!.admin.books().outstanding;
        assert.equal(copy.free() + outgoing, expected, `${ended.state}, mint owes ${mint}`);
        assert.deepEqual(copy.troubles(), []);
      });
    }
  }
});
