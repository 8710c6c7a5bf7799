import assert from "node:assert/strict";
import { hasValidDleq } from "../../../wallet/cashu.ts";
import {
  beginSend,
  markDelivered,
  requestReclaim,
  tokenOf,
} from "../../../wallet/operations/send_plan.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { assertConserved, PAYEE, send } from "./send_support.ts";

Deno.test("send swaps for the amount, keeps the change, and gives the same token each time", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  const sent = await send(alice, { amount: 21n, memo: "for you" });
  assert.equal(sent.state, "token-ready");
  assert.equal(sent.fee, 0n);
  const token = tokenOf(alice.context, sent.id);
  assert.equal(tokenOf(alice.context, sent.id), token);
  const mint = alice.context.mints.of(kit.url());
  const keyset = await mint.activeKeyset();
  const { proofs, memo } = decodeToken(token, [keyset.id]);
  assert.equal(memo, "for you");
  assert.equal(proofs.reduce((sum, proof) => sum + proof.amount, 0n), 21n);
  assert.ok(proofs.every((proof) => hasValidDleq(proof, keyset)), "DLEQ comes with the token");
  assert.equal(alice.free(), 79n);
  assertConserved(kit, alice, 0n);
  assert.equal(await kit.redeem(token), 21n);
  kit.clock.jump(120_000);
  const claimed = await alice.engine.drive(sent.id);
  assert.equal(claimed.state, "claimed");
  assert.equal(claimed.status, "done");
  assert.throws(() => tokenOf(alice.context, sent.id), { code: "denied" });
  assertConserved(kit, alice, 21n);
});

Deno.test("send gives proofs that fit as they are, without a swap, unless the token is locked", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(21n);
  const exact = await send(alice, { amount: 5n });
  assert.equal(exact.state, "token-ready");
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 0);
  assert.equal(await kit.redeem(tokenOf(alice.context, exact.id)), 5n);
  const locked = await send(alice, { amount: 16n, lock: { publicKey: PAYEE.publicKey } });
  assert.equal(locked.state, "token-ready");
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 2);
  assert.equal(alice.free(), 0n);
  kit.clock.jump(61_000);
  assert.equal((await alice.engine.drive(exact.id)).state, "claimed");
  assertConserved(kit, alice, 5n);
});

Deno.test("a locked token is redeemed with the receiver's key, and by nobody else before its locktime", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  const sent = await send(alice, { amount: 20n, lock: { publicKey: PAYEE.publicKey } });
  const token = tokenOf(alice.context, sent.id);
  assert.ok(typeof await kit.redeem(token) === "object");
  assert.ok(
    typeof await kit.redeem(token, { secretKey: alice.keys.payment.secretKey }) === "object",
  );
  assert.throws(() => requestReclaim(alice.context, sent.id), { code: "denied" });
  assert.equal(await kit.redeem(token, PAYEE), 20n);
  kit.clock.jump(61_000);
  assert.equal((await alice.engine.drive(sent.id)).state, "claimed");
  assertConserved(kit, alice, 20n);
});

Deno.test("with the receiver's fees in it, a token nets the amount, and the sender sees the fee before", async () => {
  for (const feePpk of [0, 100, 500, 999]) {
    await using kit = await startKit({ feePpk });
    const alice = kit.wallet();
    await alice.fund(200n);
    const held = await send(alice, { amount: 63n, includeFees: true, holdMs: 60_000 });
    assert.equal(held.state, "prepared");
    const { feeMaxSat } = held.plan;
    const sent = await alice.engine.confirm(held.id);
    assert.equal(sent.state, "token-ready");
    assert.equal(sent.fee, BigInt(feeMaxSat!));
    assert.equal(alice.free(), 200n - 63n - sent.fee);
    assert.equal(await kit.redeem(tokenOf(alice.context, sent.id)), 63n);
    assert.deepEqual(alice.troubles(), []);
  }
});

Deno.test("a send that is held reserves, and lets go when nobody confirms it in time or it is cancelled", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  const held = await send(alice, { amount: 60n, holdMs: 60_000 });
  assert.equal(held.state, "prepared");
  assert.ok(alice.free() < 100n);
  assert.equal((await alice.engine.drive(held.id)).state, "prepared", "driving is no confirmation");
  kit.clock.jump(61_000);
  const failed = await alice.engine.drive(held.id);
  assert.equal(failed.status, "failed");
  assert.equal(alice.free(), 100n);
  const second = await send(alice, { amount: 60n, holdMs: 60_000 });
  assert.equal(alice.engine.cancel(second.id).status, "failed");
  assert.equal(alice.free(), 100n);
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 0);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("send fails with the reason when there is too little or it costs too much", async () => {
  await using kit = await startKit({ feePpk: 1000 });
  const alice = kit.wallet();
  await alice.fund(31n);
  const poor = await send(alice, { amount: 31n, includeFees: true });
  assert.equal(poor.status, "failed");
  assert.match(poor.reason!, /31 sat are free/);
  const dear = await send(alice, { amount: 9n, maxFee: 0n, lock: { publicKey: PAYEE.publicKey } });
  assert.equal(dear.status, "failed");
  assert.match(dear.reason!, /at most 0 sat/);
  assert.equal(alice.free(), 31n);
  kit.mints[0]!.admin.disableNuts([11]);
  await alice.context.mints.of(kit.url()).info({ fresh: true });
  const open = await send(alice, { amount: 9n, lock: { publicKey: PAYEE.publicKey } });
  assert.equal(open.status, "failed");
  assert.match(open.reason!, /NUT-11/);
});

Deno.test("an unlocked token can be taken back at once, less the fee", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const alice = kit.wallet();
  await alice.fund(100n);
  const sent = await send(alice, { amount: 21n });
  const before = alice.free();
  const token = tokenOf(alice.context, sent.id);
  markDelivered(alice.context, sent.id);
  requestReclaim(alice.context, sent.id);
  const back = await alice.engine.drive(sent.id);
  assert.equal(back.state, "reclaimed");
  assert.equal(alice.free(), before + 20n);
  assert.deepEqual(await kit.redeem(token), { code: 11001 });
  assertConserved(kit, alice, 0n);
});

Deno.test("a locked token comes back by itself after its locktime", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 7200;
  const sent = await send(alice, {
    amount: 20n,
    lock: { publicKey: PAYEE.publicKey, locktimeS },
  });
  markDelivered(alice.context, sent.id);
  const back = await alice.driveToEnd(sent.id);
  assert.equal(back.state, "reclaimed");
  assert.ok(kit.clock.nowMs() < (locktimeS + 300) * 1000, "soon after the locktime");
  assert.equal(alice.free(), 64n);
  assertConserved(kit, alice, 0n);
});

Deno.test("a reclaim that loses the race ends as claimed; one that loses a part takes the rest", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(64n);
  const all = await send(alice, { amount: 7n });
  let armed = () => Promise.resolve();
  const racer = kit.wallet("bob", {
    fetch: async (input, init) => {
      if (String(input).endsWith("/v1/swap")) await armed();
      return await fetch(input, init);
    },
  });
  await racer.fund(64n);
  const lost = await send(racer, { amount: 11n });
  const token = tokenOf(racer.context, lost.id);
  armed = async () => {
    armed = () => Promise.resolve();
    assert.equal(await kit.redeem(token), 11n);
  };
  requestReclaim(racer.context, lost.id);
  assert.equal((await racer.engine.drive(lost.id)).state, "claimed");
  assert.deepEqual(racer.troubles(), []);

  const { proofs } = decodeToken(
    tokenOf(alice.context, all.id),
    [(await alice.context.mints.of(kit.url()).activeKeyset()).id],
  );
  const part = encodeToken({ mint: kit.url(), unit: "sat", proofs: proofs.slice(0, 1) });
  const taken = await kit.redeem(part) as bigint;
  requestReclaim(alice.context, all.id);
  const back = await alice.engine.drive(all.id);
  assert.equal(back.state, "reclaimed");
  assert.equal(alice.free(), 64n - taken);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("eight drives of one send at once make one swap and one token", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  const begun = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
  await Promise.all(Array.from({ length: 8 }, () => alice.engine.drive(begun.id)));
  assert.equal(alice.store.operation(begun.id)!.state, "token-ready");
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 1);
  assert.equal(alice.free(), 79n);
});

Deno.test("many sends at once never reserve the same proof", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  for (let count = 0; count < 3; count++) await alice.fund(100n);
  const sends = await Promise.all(
    Array.from({ length: 6 }, () => beginSend(alice.context, { mint: kit.url(), amount: 30n })),
  );
  await Promise.all(sends.map(({ id }) => alice.driveToEnd(id, { tries: 5 })));
  const tokens = sends.flatMap(({ id }) =>
    alice.store.operation(id)!.state === "token-ready" ? [tokenOf(alice.context, id)] : []
  );
  let taken = 0n;
  for (const token of tokens) taken += await kit.redeem(token) as bigint;
  assert.equal(taken, 30n * BigInt(tokens.length));
  assert.ok(tokens.length >= 3);
  for (const { id } of sends) {
    const { state } = alice.store.operation(id)!;
    assert.ok(state === "token-ready" || state === "failed", state);
  }
  assert.deepEqual(alice.troubles(), []);
});
