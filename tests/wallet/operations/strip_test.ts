import assert from "node:assert/strict";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { stripSaga } from "../../../wallet/operations/strip.ts";
import {
  beginStrip,
  FAULT_POINTS,
  hiddenPart,
  revealPart,
  type StripPlan,
  type StripRequest,
  tokenOfPart,
} from "../../../wallet/operations/strip_plan.ts";
import { requestReclaim } from "../../../wallet/operations/reclaim_request.ts";
import type { StripPart } from "../../../wallet/store/buying_store.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import { assertConserved, PAYEE } from "./send_support.ts";

const PEER = "12D3KooWSeller";
const HOUR_MS = 3_600_000;

function stripWallet(kit: WalletKit, name = "alice"): TestWallet {
  return kit.wallet(name, { sagas: [stripSaga] });
}

function begin(alice: TestWallet, request: Partial<StripRequest> = {}): Operation<StripPlan> {
  const nowMs = alice.kit.clock.nowMs();
  return beginStrip(alice.context, {
    mint: alice.kit.url(),
    peer: PEER,
    publicKey: PAYEE.publicKey,
    locktimeS: Math.ceil((nowMs + 2 * HOUR_MS) / 1000),
    count: 10,
    net: 20n,
    useByMs: nowMs + 60_000,
    ...request,
  });
}

async function strip(
  alice: TestWallet,
  request: Partial<StripRequest> = {},
): Promise<Operation<StripPlan>> {
  return await alice.engine.drive(begin(alice, request).id) as Operation<StripPlan>;
}

/** Hands the next top-up over as a buyer does. */
function reveal(alice: TestWallet, id: string): StripPart {
  const operation = alice.store.operation<StripPlan>(id)!;
  const options = { nowMs: alice.kit.clock.nowMs(), lockedMs: HOUR_MS };
  const part = hiddenPart(alice.store, operation, options) ?? assert.fail("there is a top-up");
  return revealPart(alice.context, part, (tx) => book(tx, part));
}

function book(
  tx: Parameters<Parameters<TestWallet["store"]["transact"]>[0]>[0],
  part: StripPart,
): void {
  tx.putOutgoing({
    paymentId: part.paymentId,
    subject: "blob",
    payee: part.peer,
    amount: part.net,
    cost: part.gross,
    state: "spent",
    operationId: part.operationId,
    createdMs: 1,
  });
}

Deno.test("a strip makes many top-ups in one swap, each worth its net sum to the seller alone", async () => {
  for (const feePpk of [0, 100, 500]) {
    await using kit = await startKit({ feePpk });
    const alice = stripWallet(kit);
    await alice.fund(500n);
    const operation = await strip(alice);
    assert.equal(operation.state, "ready");
    assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 1);
    const parts = alice.store.stripParts({ operationId: operation.id });
    assert.equal(parts.length, 10);
    assert.equal(new Set(parts.map(({ paymentId }) => paymentId)).size, 10);
    const part = reveal(alice, operation.id);
    const token = tokenOfPart(alice.store, part);
    assert.equal(tokenOfPart(alice.store, part), token);
    assert.equal(typeof await kit.redeem(token), "object", "nobody else can redeem it");
    const worth = await kit.redeem(token, PAYEE);
    assert.ok(typeof worth === "bigint" && worth >= 20n && worth <= 21n);
    assert.throws(() => tokenOfPart(alice.store, parts[5]!), { code: "denied" });
    assertConserved(kit, alice, worth - part.gross);
  }
});

Deno.test("a strip has as many top-ups as there is money for, and none when there is too little", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const alice = stripWallet(kit);
  await alice.fund(90n);
  const operation = await strip(alice);
  assert.equal(operation.plan.count, 4);
  const poor = await strip(alice);
  assert.equal(poor.status, "failed");
  assert.match(poor.reason!, /sat are free there/);
  assertConserved(kit, alice, 0n);
});

Deno.test("a strip that nobody waits for any more is not begun", async () => {
  await using kit = await startKit();
  const alice = stripWallet(kit);
  await alice.fund(300n);
  const { id } = begin(alice);
  kit.clock.jump(61_000);
  const late = await alice.engine.drive(id);
  assert.equal(late.status, "failed");
  assert.match(late.reason!, /nobody waits/);
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 0);
  assert.equal(alice.free(), 300n);
});

Deno.test("a strip can be cancelled before its swap was sent, and not once its top-ups exist", async () => {
  await using kit = await startKit();
  const alice = stripWallet(kit);
  await alice.fund(300n);
  assert.equal(alice.engine.cancel(begin(alice).id).status, "failed");
  const operation = await strip(alice);
  assert.throws(() => alice.engine.cancel(operation.id), { code: "denied" });
  assertConserved(kit, alice, 0n);
});

Deno.test("after the locktime a strip takes back exactly what was not redeemed", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const alice = stripWallet(kit);
  await alice.fund(500n);
  const { id } = await strip(alice);
  const [first, second, third] = [reveal(alice, id), reveal(alice, id), reveal(alice, id)];
  const got = await kit.redeem(tokenOfPart(alice.store, first), PAYEE);
  alice.store.transact((tx) => tx.moveStripPart(second.paymentId, "credited"));
  alice.store.transact((tx) => tx.moveStripPart(third.paymentId, "refused"));
  const resting = await alice.engine.resume(id);
  assert.equal(resting.state, "ready", "it is locked still");
  assert.equal(alice.store.stripPart(first.paymentId)!.state, "claimed");
  kit.clock.jump(2 * HOUR_MS + 120_000);
  const done = await alice.driveToEnd(id);
  assert.equal(done.state, "done");
  const states = alice.store.stripParts({ operationId: id }).map(({ state }) => state);
  assert.deepEqual(states, ["claimed", ...new Array(9).fill("returned")]);
  const account = alice.store.sellerAccount(PEER)!;
  assert.equal(account.paid, 20n);
  assert.equal(account.refused, 0n);
  assert.equal(alice.store.outgoing(second.paymentId)!.state, "returned");
  assert.equal(alice.store.spentSat({ subject: "blob" }), first.gross);
  assertConserved(kit, alice, got as bigint);
});

Deno.test("what its seller redeems while it is taken back stays with the seller, and the rest is ours", async () => {
  await using kit = await startKit();
  const alice = stripWallet(kit);
  await alice.fund(300n);
  const { id } = await strip(alice, { count: 3 });
  const part = reveal(alice, id);
  const token = tokenOfPart(alice.store, part);
  kit.clock.jump(2 * HOUR_MS + 120_000);
  alice.crashAt("strip.reclaim.before-send");
  await alice.engine.drive(id).catch(() => {});
  assert.ok(alice.isDead);
  assert.equal(await kit.redeem(token, PAYEE), 20n);
  const again = await alice.reopen();
  const done = await again.driveToEnd(id);
  assert.equal(done.state, "done");
  assert.equal(again.store.stripPart(part.paymentId)!.state, "claimed");
  assert.equal(again.free(), 280n);
  assertConserved(kit, again, 20n);
});

Deno.test("a keyset that rotates before the swap makes a strip be planned anew", async () => {
  await using kit = await startKit();
  const alice = stripWallet(kit);
  await alice.fund(300n);
  alice.crashAt("strip.prepared.after-commit");
  const { id } = begin(alice);
  await alice.engine.drive(id).catch(() => {});
  const again = await alice.reopen();
  kit.mints[0]!.admin.rotateKeyset();
  let ready = await again.engine.drive(id);
  if (ready.state === "planned") ready = await again.engine.resume(id);
  assert.equal(ready.state, "ready", String(ready.reason));
  assert.equal(again.store.stripParts({ operationId: id }).length, 10);
  assertConserved(kit, again, 0n);
});

for (const point of FAULT_POINTS) {
  Deno.test(`a strip that dies at ${point} loses nothing, and reveals nothing that is not on disk`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    let alice = stripWallet(kit);
    await alice.fund(500n);
    alice.crashAt(point);
    const begun = begin(alice, { count: 5 });
    const tokens: string[] = [];
    const play = async () => {
      await alice.engine.drive(begun.id);
      while (tokens.length < 2) {
        tokens.push(tokenOfPart(alice.store, reveal(alice, begun.id)));
      }
      kit.clock.jump(2 * HOUR_MS + 120_000);
      await alice.driveToEnd(begun.id);
    };
    await play().catch(() => {});
    assert.ok(alice.isDead, `${point} is passed`);
    alice = await alice.reopen();
    const { id } = begun;
    // What had left the wallet is known to have, and is the same.
    const revealed = alice.store.stripParts({ operationId: id })
      .filter((part) => part.revealedMs !== undefined);
    assert.ok(revealed.length >= tokens.length);
    const isBack = alice.store.operation(id)!.status === "done";
    for (const [index, token] of isBack ? [] : tokens.entries()) {
      assert.equal(tokenOfPart(alice.store, revealed[index]!), token);
    }
    kit.clock.jump(3 * HOUR_MS);
    const ended = await alice.driveToEnd(id);
    assert.ok(ended.status === "done" || ended.status === "failed", String(ended.reason));
    const fees = alice.store.ledger({ operationId: id })
      .reduce((sum, { kind, delta }) => kind === "fee" ? sum - delta : sum, 0n);
    assert.equal(alice.free(), 500n - fees, "nothing is lost but fees");
    assert.ok(fees <= 4n);
    assert.equal(alice.store.sellerAccount(PEER)?.paid ?? 0n, 0n);
    assertConserved(kit, alice, 0n);
  });
}

Deno.test("requestReclaim() of a strip says until when it is locked, and after that has it tried at once", async () => {
  await using kit = await startKit();
  const alice = stripWallet(kit);
  await alice.fund(300n);
  const { id } = await strip(alice, { count: 3 });
  assert.throws(() => requestReclaim(alice.context, id), {
    code: "denied",
    message: /locked to their seller until \d{4}-/,
  });
  kit.clock.jump(2 * HOUR_MS + 120_000);
  const operation = alice.store.operation(id)!;
  alice.store.transact((tx) =>
    tx.updateOperation(operation, { nextAtMs: kit.clock.nowMs() + HOUR_MS })
  );
  assert.equal((await alice.engine.drive(id)).state, "ready", "it rests");
  requestReclaim(alice.context, id);
  assert.equal((await alice.engine.drive(id)).state, "done");
  assert.equal(requestReclaim(alice.context, id).state, "done", "asked again, it is over");
  assertConserved(kit, alice, 0n);
});

Deno.test("what top-ups hold for the fee of redeeming them counts as a fee of the strip", async () => {
  await using kit = await startKit({ feePpk: 500 });
  const alice = stripWallet(kit);
  await alice.fund(500n);
  const dear = await strip(alice, { maxFee: 10n });
  assert.equal(dear.status, "failed");
  assert.match(dear.reason!, /the fees are \d+ sat, and at most 10 sat are allowed/);
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 0);
  const { state, fee, plan } = await strip(alice, { maxFee: 40n });
  assert.equal(state, "ready");
  const all = fee + (BigInt(plan.grossSat!) - 20n) * 10n;
  assert.ok(fee <= 10n && all > 10n && all <= 40n, `${fee} of ${all} sat`);
});
