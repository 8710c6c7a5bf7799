import assert from "node:assert/strict";
import { hasValidDleq } from "../../../wallet/cashu.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  beginSend,
  FAULT_POINTS,
  markDelivered,
  requestReclaim,
  type SendPlan,
  type SendRequest,
  tokenOf,
} from "../../../wallet/operations/send_plan.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";

const PAYEE = {
  secretKey: "11".repeat(32),
  publicKey: "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa",
};

async function send(
  alice: TestWallet,
  request: Partial<SendRequest> & { readonly amount: bigint },
): Promise<Operation<SendPlan>> {
  const begun = await beginSend(alice.context, { mint: alice.kit.url(), ...request });
  return await alice.engine.drive(begun.id) as Operation<SendPlan>;
}

/** What all wallets and strangers have is what the mint owes. */
function assertConserved(kit: WalletKit, alice: TestWallet, elsewhere: bigint): void {
  const [balance] = alice.store.balances();
  const held = balance === undefined ? 0n : balance.free + balance.reserved + balance.outgoing;
  assert.equal(kit.mints[0]!.admin.books().outstanding, held + elsewhere);
  assert.deepEqual(alice.troubles(), []);
}

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

Deno.test("send and reclaim conserve every sat wherever they crash", async (test) => {
  for (const point of FAULT_POINTS) {
    await test.step(point, async () => {
      await using kit = await startKit({ feePpk: 100 });
      let alice = kit.wallet();
      await alice.fund(100n);
      const begun = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
      const tokens = new Set<string>();
      const drive = async () => {
        let operation = await alice.engine.drive(begun.id);
        if (operation.state === "token-ready") {
          tokens.add(tokenOf(alice.context, begun.id));
          // Once as it lies there, once when it was handed over.
          if (point.startsWith("send.token-ready")) requestReclaim(alice.context, begun.id);
          else markDelivered(alice.context, begun.id);
          operation = await alice.engine.drive(begun.id);
        }
        if (operation.state === "delivered") {
          tokens.add(tokenOf(alice.context, begun.id));
          requestReclaim(alice.context, begun.id);
        }
        await alice.driveToEnd(begun.id);
      };
      alice.crashAt(point);
      await drive().catch((error) => {
        if (!alice.isDead) throw error;
      });
      assert.ok(alice.isDead, `${point} is never passed: ${alice.points.join(" ")}`);
      alice = await alice.reopen();
      await drive();
      assert.equal(alice.store.operation(begun.id)!.state, "reclaimed");
      assert.ok(tokens.size <= 1, "the token is the same before and after");
      const { fees } = kit.mints[0]!.admin.books();
      assert.equal(alice.free(), 100n - fees);
      assertConserved(kit, alice, 0n);
    });
  }
});

Deno.test("send finds its outputs, locked ones too, when the answer was lost and the mint has no cache", async () => {
  await using kit = await startKit();
  kit.mints[0]!.admin.change({ cacheTtlS: 0 });
  let alice = kit.wallet();
  await alice.fund(64n);
  const begun = await beginSend(alice.context, {
    mint: kit.url(),
    amount: 20n,
    lock: { publicKey: PAYEE.publicKey },
  });
  alice.crashAt("send.swap.after-send");
  await alice.engine.drive(begun.id).catch(() => {});
  assert.ok(alice.isDead);
  alice = await alice.reopen();
  const sent = await alice.engine.drive(begun.id);
  assert.equal(sent.state, "token-ready");
  assert.equal(await kit.redeem(tokenOf(alice.context, sent.id), PAYEE), 20n);
  kit.clock.jump(61_000);
  assert.equal((await alice.engine.drive(sent.id)).state, "claimed");
  assertConserved(kit, alice, 20n);
});

Deno.test("a lost answer to a signed reclaim is found again by the same bytes", async () => {
  await using kit = await startKit();
  let alice = kit.wallet();
  await alice.fund(64n);
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 60;
  const sent = await send(alice, {
    amount: 20n,
    lock: { publicKey: PAYEE.publicKey, locktimeS },
  });
  alice.crashAt("send.reclaim.after-send");
  await alice.driveToEnd(sent.id).catch(() => {});
  assert.ok(alice.isDead);
  alice = await alice.reopen();
  assert.equal((await alice.driveToEnd(sent.id)).state, "reclaimed");
  assert.equal(alice.free(), 64n);
  const swaps = kit.mints[0]!.admin.requests("/v1/swap");
  assert.equal(swaps.length, 3);
  assert.equal(swaps[1]!.bodySha256, swaps[2]!.bodySha256);
  assertConserved(kit, alice, 0n);
});

Deno.test("a rotation of keysets or a change of fees before the swap is planned anew", async (test) => {
  const changes = { rotation: 0, "higher fee": 100, "much higher fee": 400 };
  for (const [name, feePpk] of Object.entries(changes)) {
    await test.step(name, async () => {
      await using kit = await startKit();
      let alice = kit.wallet();
      await alice.fund(100n);
      const begun = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
      alice.crashAt("send.swap.before-send");
      await alice.engine.drive(begun.id).catch(() => {});
      kit.mints[0]!.admin.rotateKeyset({ feePpk });
      alice = await alice.reopen();
      const sent = await alice.driveToEnd(begun.id, { tries: 3 });
      assert.equal(sent.state, "token-ready");
      const states = new Set(
        alice.store.outputs(begun.id).map((one) => `${one.phase} ${one.state}`),
      );
      assert.deepEqual(states, new Set(["swap void", "swap.2 signed"]));
      assertConserved(kit, alice, 0n);
    });
  }
});

Deno.test("a confirmed send costs what was shown, whatever the mint's fees are by then", async () => {
  await using kit = await startKit();
  let alice = kit.wallet();
  await alice.fund(100n);
  const held = await send(alice, { amount: 21n, holdMs: 60_000 });
  assert.equal(held.plan.feeMaxSat, 0);
  kit.mints[0]!.admin.setFee(500);
  await alice.context.mints.of(kit.url()).keysets({ fresh: true });
  alice = await alice.reopen();
  const ended = await alice.engine.confirm(held.id);
  assert.equal(ended.state, "token-ready");
  assert.equal(ended.fee, 0n);
  assert.equal(kit.mints[0]!.admin.books().fees, 0n);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("a mint that answers a swap falsely once costs nothing, and false for ever is found out", async (test) => {
  const faults = [
    "dropSignature",
    "permuteSignatures",
    "wrongAmount",
    "omitDleq",
    "badDleq",
  ] as const;
  for (const fault of faults) {
    await test.step(fault, async () => {
      await using kit = await startKit();
      const alice = kit.wallet();
      await alice.fund(100n);
      kit.mints[0]!.admin[fault](1, { path: "/v1/swap" });
      const begun = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
      const ended = await alice.driveToEnd(begun.id, { tries: 5 });
      if (ended.status === "attention") {
        assert.ok(alice.store.mint(kit.url())!.blockedReason !== undefined);
        assert.ok(alice.store.proofs({ operationId: begun.id, state: "reserved" }).length > 0);
        return;
      }
      assert.equal(ended.state, "token-ready");
      assert.equal(await kit.redeem(tokenOf(alice.context, begun.id)), 21n);
      assert.equal((await alice.engine.resume(begun.id)).state, "claimed");
      assertConserved(kit, alice, 21n);
    });
  }
});

Deno.test("an answer to a swap that comes after we gave up waiting changes nothing", async () => {
  await using kit = await startKit();
  const late = Promise.withResolvers<void>();
  let isSlow = true;
  const alice = kit.wallet("alice", {
    fetch: async (input, init) => {
      if (!String(input).endsWith("/v1/swap") || !isSlow) return await fetch(input, init);
      isSlow = false;
      // The request goes on without us, as on a real line.
      const { signal: _, ...rest } = init ?? {};
      late.promise.then(() => fetch(input, rest)).then((response) => response.text());
      throw new DOMException("timed out", "TimeoutError");
    },
  });
  await alice.fund(100n);
  const begun = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
  assert.equal((await alice.engine.drive(begun.id)).state, "swap-inflight");
  const ended = await alice.driveToEnd(begun.id, { tries: 3 });
  assert.equal(ended.state, "token-ready");
  late.resolve();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 2);
  assertConserved(kit, alice, 0n);
});

Deno.test("proofs that another copy of the wallet has spent are written off, and the rest is free again", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(63n);
  const sent = await send(alice, {
    amount: 63n,
    holdMs: 60_000,
    lock: { publicKey: PAYEE.publicKey },
  });
  // Somebody else has the largest of the proofs that are reserved.
  const [largest] = alice.store.proofs({ operationId: sent.id, state: "reserved" })
    .sort((a, b) => Number(b.amount - a.amount));
  const stolen = encodeToken({ mint: kit.url(), unit: "sat", proofs: [largest!] });
  assert.equal(await kit.redeem(stolen), 32n);
  const failed = await alice.engine.confirm(sent.id);
  assert.equal(failed.status, "failed");
  assert.match(failed.reason!, /32 sat were spent elsewhere/);
  assert.equal(alice.free(), 31n);
  assertConserved(kit, alice, 32n);
});

Deno.test("a mint whose signatures are not its own is blocked, and what was spent is not forgotten", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  kit.mints[0]!.admin.badDleq(5);
  const stopped = await send(alice, { amount: 21n });
  assert.equal(stopped.status, "attention");
  assert.ok(alice.store.mint(kit.url())!.blockedReason !== undefined);
  assert.ok(alice.store.proofs({ operationId: stopped.id, state: "reserved" }).length > 0);
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
