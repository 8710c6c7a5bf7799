import assert from "node:assert/strict";
import { startKit, type TestWallet } from "../../support/wallet_kit.ts";
import { publicKeyOf } from "../../../wallet/cashu.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import { beginRestore } from "../../../wallet/operations/restore_plan.ts";
import { beginRedeem, FAULT_POINTS } from "../../../wallet/operations/redeem.ts";
import {
  intakeOf,
  payingWallet,
  refusedCode,
  taken,
  tokenFrom,
} from "../payments/payments_world.ts";

function swapBodies(wallet: TestWallet): readonly string[] {
  const requests = wallet.kit.mints[0]!.admin.requests("/v1/swap");
  return requests.map((request) => JSON.stringify(request));
}

/** The same token with signatures that its mint never made. */
function forged(text: string, keysetIds: readonly string[]): string {
  const token = decodeToken(text, keysetIds);
  const C = publicKeyOf(new Uint8Array(32).fill(7));
  return encodeToken({ ...token, proofs: token.proofs.map((proof) => ({ ...proof, C })) });
}

Deno.test("redeemSaga redeems many locked payments of one mint in one swap", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(1000n);
  const intake = intakeOf(bob);
  const lockTo = bob.keys.payment.publicKey;
  const ids: string[] = [];
  for (const [index, amount] of [64n, 33n, 7n].entries()) {
    const token = await tokenFrom(alice, amount, { lockTo, includeFees: true });
    const payment = taken(await intake.take({ payer: "peer", paymentId: `p${index}`, token }));
    assert.equal(payment.state, "credited");
    assert.ok(payment.credit >= amount, "the seller nets the price");
    ids.push(payment.operationId!);
  }
  assert.equal(new Set(ids).size, 1);
  kit.mints[0]!.admin.clearRequests();
  const redeemed = await bob.driveToEnd(ids[0]!);
  assert.equal(redeemed.state, "redeemed");
  assert.equal(swapBodies(bob).length, 1);
  const payments = [0, 1, 2].map((index) => bob.store.incoming("peer", `p${index}`)!);
  assert.deepEqual(payments.map((payment) => payment.state), ["redeemed", "redeemed", "redeemed"]);
  const credit = payments.reduce((sum, payment) => sum + payment.credit, 0n);
  assert.ok(bob.free() >= credit, "what was credited is covered by what was redeemed");
  assert.equal(bob.free(), redeemed.amount - redeemed.fee);
  assert.deepEqual([...bob.troubles(), ...alice.troubles()], []);
});

Deno.test("redeemSaga redeems ecash of a keyset that rotated out (trap A)", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(200n);
  const token = await tokenFrom(alice, 100n, { lockTo: bob.keys.payment.publicKey });
  kit.mints[0]!.admin.rotateKeyset({ feePpk: 200 });
  const payment = taken(await intakeOf(bob).take({ payer: "peer", paymentId: "p", token }));
  const redeemed = await bob.driveToEnd(payment.operationId!);
  assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("redeemSaga plans anew when the keyset rotates between plan and request", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(200n);
  const token = await tokenFrom(alice, 100n);
  // Bob knows the old keyset as the active one.
  await bob.context.mints.of(kit.url()).activeKeyset();
  kit.mints[0]!.admin.rotateKeyset({ feePpk: 0 });
  const payment = taken(await intakeOf(bob).take({ payer: "peer", paymentId: "p", token }));
  const redeemed = await bob.driveToEnd(payment.operationId!);
  assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  assert.equal(bob.free(), 100n);
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("redeemSaga drops what was spent elsewhere, takes its credit back, and redeems the rest", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  // The same words elsewhere: the one way to spend a token that is locked to Bob.
  const twin = payingWallet(kit, "twin", { wordsOf: "bob" });
  await alice.fund(1000n);
  const lockTo = bob.keys.payment.publicKey;
  const [good, bad] = [
    await tokenFrom(alice, 100n, { lockTo }),
    await tokenFrom(alice, 50n, { lockTo }),
  ];
  const intake = intakeOf(bob);
  const first = taken(await intake.take({ payer: "peer", paymentId: "good", token: good }));
  taken(await intake.take({ payer: "cheat", paymentId: "bad", token: bad }));
  const { id: keysetId } = await twin.context.mints.of(kit.url()).activeKeyset();
  twin.store.transact((tx) => tx.advanceCounter(keysetId, 1000));
  const stolen = taken(await intakeOf(twin).take({ payer: "cheat", paymentId: "x", token: bad }));
  await twin.driveToEnd(stolen.operationId!);
  const redeemed = await bob.driveToEnd(first.operationId!);
  assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  const [kept, dead] = [bob.store.incoming("peer", "good")!, bob.store.incoming("cheat", "bad")!];
  assert.deepEqual([kept.state, kept.credit], ["redeemed", 100n]);
  assert.deepEqual([dead.state, dead.credit], ["dead", 0n]);
  assert.equal(bob.free(), 100n);
  assert.deepEqual(bob.store.audit(), []);
  assert.equal(
    refusedCode(await intake.take({ payer: "other", paymentId: "y", token: bad })),
    "spent",
  );
});

Deno.test("redeemSaga ends as dead when everything was spent elsewhere", async () => {
  await using kit = await startKit();
  const [alice, bob, carol] = [
    payingWallet(kit, "alice"),
    payingWallet(kit, "bob"),
    payingWallet(kit, "carol"),
  ];
  await alice.fund(100n);
  const token = await tokenFrom(alice, 60n);
  const first = taken(await intakeOf(carol).take({ payer: "peer", paymentId: "p", token }));
  assert.equal(first.state, "queued");
  await carol.driveToEnd(first.operationId!);
  const second = taken(await intakeOf(bob).take({ payer: "peer", paymentId: "p", token }));
  const ended = await bob.driveToEnd(second.operationId!);
  assert.deepEqual([ended.state, ended.status], ["dead", "failed"]);
  assert.equal(bob.store.incoming("peer", "p")!.state, "dead");
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("redeemSaga halves a batch that is refused until the bad payment is alone", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(1000n);
  const tokens: string[] = [];
  for (const amount of [10n, 20n, 30n, 40n]) tokens.push(await tokenFrom(alice, amount));
  const keysets = await alice.context.mints.of(kit.url()).keysets();
  tokens[2] = forged(tokens[2]!, keysets.map((keyset) => keyset.id));
  const intake = intakeOf(bob, { unproven: "queue" });
  const ids = new Set<string>();
  for (const [index, token] of tokens.entries()) {
    const payment = taken(await intake.take({ payer: `peer${index}`, paymentId: "p", token }));
    ids.add(payment.operationId!);
  }
  assert.equal(ids.size, 1);
  for (let round = 0; round < 10; round++) {
    for (const { id } of bob.store.operations({ status: "open" })) await bob.driveToEnd(id);
  }
  const states = [0, 1, 2, 3].map((index) => bob.store.incoming(`peer${index}`, "p")!.state);
  assert.deepEqual(states, ["redeemed", "redeemed", "dead", "redeemed"]);
  assert.equal(bob.free(), 70n);
  assert.deepEqual(bob.store.audit(), []);
});

for (const point of ["redeem.sorting.before-commit", "redeem.sorting.after-commit"]) {
  Deno.test(`a redemption that dies at ${point} still drops the dead and redeems the rest`, async () => {
    await using kit = await startKit();
    const [alice, carol] = [payingWallet(kit, "alice"), payingWallet(kit, "carol")];
    let bob = payingWallet(kit, "bob");
    await alice.fund(200n);
    const [good, bad] = [await tokenFrom(alice, 100n), await tokenFrom(alice, 50n)];
    const first = taken(await intakeOf(bob).take({ payer: "a", paymentId: "p", token: good }));
    taken(await intakeOf(bob).take({ payer: "b", paymentId: "p", token: bad }));
    const stolen = taken(await intakeOf(carol).take({ payer: "b", paymentId: "p", token: bad }));
    await carol.driveToEnd(stolen.operationId!);
    bob.crashAt(point);
    await assert.rejects(bob.driveToEnd(first.operationId!));
    assert.ok(bob.isDead);
    bob = await bob.reopen();
    const redeemed = await bob.driveToEnd(first.operationId!);
    assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
    const states = ["a", "b"].map((payer) => bob.store.incoming(payer, "p")!.state);
    assert.deepEqual(states, ["redeemed", "dead"]);
    assert.equal(bob.free(), 100n);
    assert.deepEqual(bob.troubles(), []);
  });
}

Deno.test("redeemSaga lets a batch grow while the mint wants to be left alone (O2)", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(500n);
  const tokens: string[] = [];
  for (let count = 0; count < 3; count++) tokens.push(await tokenFrom(alice, 64n));
  const intake = intakeOf(bob);
  const takeOne = async (index: number) =>
    taken(await intake.take({ payer: "a", paymentId: `p${index}`, token: tokens[index]! }));
  const first = await takeOne(0);
  kit.mints[0]!.admin.failNext("/v1/swap", 1, 429);
  await bob.engine.drive(first.operationId!);
  assert.ok(bob.context.mints.of(kit.url()).cooldownMs!() > 0);
  const second = await takeOne(1);
  await bob.engine.drive(second.operationId!);
  const third = await takeOne(2);
  assert.equal(third.operationId, second.operationId);
  assert.notEqual(second.operationId, first.operationId);
  for (const payment of [first, second]) await bob.driveToEnd(payment.operationId!);
  assert.equal(bob.free(), 192n);
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("redeemSaga never gives ecash up for a refusal that may pass", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(500n);
  const token = await tokenFrom(alice, 64n);
  const payment = taken(await intakeOf(bob).take({ payer: "a", paymentId: "p", token }));
  const swapping = bob.store.operation(payment.operationId!)!;
  const original = bob.context.mints.of(kit.url()).post;
  const mint = bob.context.mints.of(kit.url()) as { post: typeof original };
  let refusals = 10;
  mint.post = (path, body, options) =>
    refusals-- > 0
      ? Promise.resolve({ kind: "refused", code: 30001, detail: "closed for today" })
      : original.call(mint, path, body, options);
  const stopped = await bob.driveToEnd(swapping.id);
  assert.equal(stopped.status, "attention");
  assert.match(stopped.reason!, /code 30001/);
  assert.equal(bob.store.incoming("a", "p")!.state, "queued");
  await bob.engine.resume(swapping.id);
  const redeemed = await bob.driveToEnd(swapping.id);
  assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("beginRedeem redeems proofs that are at hand", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(100n);
  const text = await tokenFrom(alice, 64n);
  const ids = (await bob.context.mints.of(kit.url()).keysets()).map((keyset) => keyset.id);
  const { proofs } = decodeToken(text, ids);
  const begun = await beginRedeem(bob.context, { mint: kit.url(), proofs });
  assert.equal((await bob.driveToEnd(begun.id)).state, "redeemed");
  assert.equal(bob.free(), 63n);
});

Deno.test("redeemSaga keeps payments that were checked apart from those that were not", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(200n);
  const intake = intakeOf(bob);
  const token = await tokenFrom(alice, 64n, { lockTo: bob.keys.payment.publicKey });
  const checked = taken(await intake.take({ payer: "a", paymentId: "p", token }));
  const plain = await tokenFrom(alice, 64n);
  const unchecked = taken(await intake.take({ payer: "b", paymentId: "p", token: plain }));
  assert.deepEqual([checked.state, unchecked.state], ["credited", "queued"]);
  assert.notEqual(checked.operationId, unchecked.operationId);
});

Deno.test("redeemSaga stops and blocks the mint when it signs with the wrong key (D1)", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(200n);
  const token = await tokenFrom(alice, 64n, { lockTo: bob.keys.payment.publicKey });
  const payment = taken(await intakeOf(bob).take({ payer: "a", paymentId: "p", token }));
  kit.mints[0]!.admin.badDleq();
  const stopped = await bob.driveToEnd(payment.operationId!);
  assert.equal(stopped.status, "attention");
  assert.ok(bob.store.mint(kit.url())!.blockedReason !== undefined);
  const more = await tokenFrom(alice, 64n, { lockTo: bob.keys.payment.publicKey });
  const refused = await intakeOf(bob).take({ payer: "a", paymentId: "q", token: more });
  assert.equal(refusedCode(refused), "mint");
  assert.equal(bob.store.incoming("a", "p")!.state, "credited", "evidence is kept");
});

for (const point of FAULT_POINTS.filter((point) => !point.startsWith("redeem.sorting"))) {
  Deno.test(`a redemption that dies at ${point} gives one credit and loses nothing (K7 to K12)`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const alice = payingWallet(kit, "alice");
    let bob = payingWallet(kit, "bob");
    await alice.fund(500n);
    const token = await tokenFrom(alice, 100n, { lockTo: bob.keys.payment.publicKey });
    const offer = { payer: "peer", paymentId: "p", token };
    bob.crashAt(point);
    try {
      const payment = taken(await intakeOf(bob).take(offer));
      await bob.driveToEnd(payment.operationId!);
      assert.fail("the wallet dies");
    } catch (error) {
      assert.ok(bob.isDead, String(error));
    }
    bob = await bob.reopen();
    // The payer never got an answer and sends the same again.
    const again = taken(await intakeOf(bob).take(offer));
    const redeemed = await bob.driveToEnd(again.operationId!);
    assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
    const payment = bob.store.incoming("peer", "p")!;
    assert.equal(payment.state, "redeemed");
    assert.equal(bob.free(), payment.credit);
    assert.equal(bob.store.operations({ kind: "redeem" }).length, 1);
    assert.deepEqual(bob.troubles(), []);
  });
}

Deno.test("redeemSaga takes what another copy of the wallet left of what it was given", async () => {
  await using kit = await startKit({ feePpk: 100 });
  kit.mints[0]!.admin.change({ cacheTtlS: 0 });
  const alice = payingWallet(kit, "alice");
  let bob = payingWallet(kit, "bob");
  await alice.fund(1000n);
  const token = await tokenFrom(alice, 101n, { lockTo: bob.keys.payment.publicKey });
  const payment = taken(await intakeOf(bob).take({ payer: "peer", paymentId: "p", token }));
  bob.crashAt("redeem.swap.after-send");
  await bob.driveToEnd(payment.operationId!).catch(() => {});
  assert.ok(bob.isDead, "the mint has signed, and the wallet does not know");
  const copy = payingWallet(kit, "copy", { wordsOf: "bob" });
  const restored = await beginRestore(copy.context, { mint: kit.url() });
  assert.equal((await copy.driveToEnd(restored.id)).status, "done");
  const all = copy.free();
  const stolen = await tokenFrom(copy, 32n);
  assert.equal(typeof await kit.redeem(stolen), "bigint");
  bob = await bob.reopen();
  const redeemed = await bob.driveToEnd(payment.operationId!);
  assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  assert.match(redeemed.reason!, /sat of it were spent by another copy/);
  assert.equal(bob.store.incoming("peer", "p")!.state, "redeemed", "the payer has paid");
  assert.ok(bob.free() > 0n && bob.free() < all);
  const lost = bob.store.ledger({ operationId: redeemed.id }).find(({ kind }) => kind === "loss");
  assert.equal(bob.free() - lost!.delta, all);
  assert.deepEqual(bob.troubles(), []);
});
