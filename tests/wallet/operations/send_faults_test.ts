import assert from "node:assert/strict";
import {
  beginSend,
  FAULT_POINTS,
  markDelivered,
  requestReclaim,
  tokenOf,
} from "../../../wallet/operations/send_plan.ts";
import { encodeToken } from "../../../wallet/token.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { assertConserved, PAYEE, send } from "./send_support.ts";

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

Deno.test("a swap that reaches the mint twice at once has one effect, whichever answer comes back", async (test) => {
  for (const which of [0, 1]) {
    await test.step(which === 0 ? "the first answer" : "the second answer", async () => {
      await using kit = await startKit();
      kit.mints[0]!.admin.change({ cacheTtlS: 0 });
      const alice = kit.wallet("alice", {
        fetch: async (input, init) => {
          if (!String(input).endsWith("/v1/swap")) return await fetch(input, init);
          const both = await Promise.all([fetch(input, init), fetch(input, init)]);
          await both[1 - which]!.body?.cancel();
          return both[which]!;
        },
      });
      await alice.fund(100n);
      const begun = await beginSend(alice.context, { mint: kit.url(), amount: 21n });
      assert.equal((await alice.driveToEnd(begun.id, { tries: 3 })).state, "token-ready");
      assert.equal(alice.free(), 79n);
      assertConserved(kit, alice, 0n);
    });
  }
});

Deno.test("a mint that takes few requests a minute delays sends and loses none", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  await alice.fund(100n);
  kit.mints[0]!.admin.rateLimit({ perMinute: 2 });
  const sends = [];
  for (let count = 0; count < 4; count++) {
    sends.push(await beginSend(alice.context, { mint: kit.url(), amount: 11n }));
  }
  for (const { id } of sends) {
    assert.equal((await alice.driveToEnd(id, { tries: 20 })).state, "token-ready");
  }
  assert.equal(alice.free(), 56n);
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
