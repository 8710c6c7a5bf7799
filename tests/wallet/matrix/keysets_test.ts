/** Q1 to Q3, D1, D2: keysets, fees, expiry, and mints that cannot or do not prove what they signed. */
import assert from "node:assert/strict";
import { beginFund } from "../../../wallet/operations/fund_plan.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import type { WalletKit } from "../../support/wallet_kit.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { fundedKit, play } from "../operations/melt_world.ts";
import { send } from "../operations/send_support.ts";
import { intakeOf, payingWallet, taken, tokenFrom } from "../payments/payments_world.ts";
import type { ModelWorld, Sent } from "../model/world.ts";
import { assertAllDone, inWeather } from "./weather.ts";
import { bothWays } from "./paying.ts";

/** Calls `change` for the mint right before the first request of each path that it gets. */
function beforeEachFirst(world: ModelWorld, change: (mint: number) => void): void {
  const seen = new Set<string>();
  world.beforePost = ({ mint, path }: Sent) => {
    if (seen.has(`${mint}${path}`)) return;
    seen.add(`${mint}${path}`);
    change(mint === world.url(0) ? 0 : 1);
  };
}

Deno.test("Q1 a rotation of keysets at the worst moment is planned anew and loses nothing", async (test) => {
  await test.step("between plan and request, of every kind", () =>
    inWeather((world) => {
      beforeEachFirst(world, (mint) => void world.kit.mints[mint]!.admin.rotateKeyset());
    }, assertAllDone));
  await test.step("before each operation: tokens and coins are of old keysets", () =>
    inWeather(({ kit }) => {
      for (const { admin } of kit.mints) admin.rotateKeyset();
    }, assertAllDone));
  for (const changeKeyset of ["blank", "active"] as const) {
    await bothWays(
      test,
      `while it is pending; change of the ${changeKeyset} keyset`,
      async (paying) => {
        paying.admin.setFeeReserve({ minSat: 20 });
        paying.admin.change({ changeKeyset });
        paying.kit.lightning.script({ action: "hold" });
        await paying.begin();
        assert.equal((await paying.drive()).state, paying.state("pending"));
        for (const { admin } of paying.kit.mints) admin.rotateKeyset();
        paying.kit.lightning.settle(paying.paymentHash);
        const ended = await paying.play();
        paying.assertPaid(ended);
        assert.ok(ended.fee < 10n, "of 20 sat in reserve most came back");
      },
    );
  }
});

Deno.test("Q2 fees that change under way are learnt, and dust is never put in", async (test) => {
  await test.step("0, 100 and 1000 ppk, one after the other, before requests", () =>
    inWeather((world) => {
      const fees = [100, 1000, 0, 1000, 100];
      beforeEachFirst(world, (mint) => {
        const feePpk = fees.shift() ?? 1000;
        world.kit.mints[mint]!.admin.setFee(feePpk);
      });
    }, assertAllDone));
  await test.step("a sat that costs a sat stays where it is", async () => {
    await using world = await fundedKit({ feePpk: 1000, sat: 1023n });
    const { kit, alice } = world;
    const sent = await send(alice, { amount: 300n });
    assert.equal(sent.state, "token-ready", String(sent.reason));
    const gone = alice.store.proofs({ mint: kit.url(), state: "spent" });
    assert.ok(gone.length > 0 && gone.every(({ amount }) => amount > 1n));
    assert.deepEqual(alice.troubles(), []);
  });
});

Deno.test("Q3 ecash of a keyset that has expired is neither taken offline nor chosen", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  const nowS = Math.floor(kit.clock.nowMs() / 1000);
  kit.mints[0]!.admin.rotateKeyset({ finalExpiryS: nowS + 7_200 });
  await alice.fund(500n);
  const lockTo = bob.keys.payment.publicKey;
  const [early, late] = [
    await tokenFrom(alice, 100n, { lockTo }),
    await tokenFrom(alice, 50n, { lockTo }),
  ];
  const intake = intakeOf(bob);
  const before = taken(await intake.take({ payer: "peer", paymentId: "early", token: early }));
  assert.equal(before.state, "credited", "while it lasts it is as good as any");
  kit.clock.jump(7_300_000);
  const after = await intake.take({ payer: "peer", paymentId: "late", token: late });
  assert.ok(after.status !== "taken" || after.payment.state === "queued", "no credit offline");
  kit.mints[0]!.admin.rotateKeyset();
  const refused = await alice.driveToEnd((await send(alice, { amount: 10n })).id);
  assert.equal(refused.status, "failed");
  assert.match(refused.reason!, /0 sat are free there, which do not suffice|do not suffice/);
  assert.equal(
    kit.mints[0]!.admin.requests("/v1/swap").filter(({ status }) => status === 200).length,
    2,
  );
  assert.deepEqual(alice.troubles(), []);
});

/** Ways in which a mint fails to prove its signatures. */
const FALSE: readonly (readonly [string, (kit: WalletKit) => void])[] = [
  ["false proofs", ({ mints }) => mints[0]!.admin.badDleq(1_000)],
  ["no proofs", ({ mints }) => mints[0]!.admin.omitDleq(1_000)],
];

Deno.test("D1 a mint whose signatures do not prove themselves is blocked, and its debt is kept", async (test) => {
  for (const [name, spoil] of FALSE) {
    await test.step(`fund: ${name}`, async () => {
      await using world = await fundedKit();
      const { kit, alice } = world;
      spoil(kit);
      const begun = await beginFund(alice.context, { mint: kit.url(), amount: 64n });
      await alice.engine.drive(begun.id);
      await kit.pay(alice.invoiceOf(begun));
      const stopped = await alice.driveToEnd(begun.id);
      assert.equal(stopped.status, "attention", stopped.state);
      await assertKept(kit, alice, begun.id);
    });
    await test.step(`send: ${name}`, async () => {
      await using world = await fundedKit();
      const { kit, alice } = world;
      spoil(kit);
      const begun = await send(alice, { amount: 10n });
      const stopped = await alice.driveToEnd(begun.id);
      assert.equal(stopped.status, "attention", stopped.state);
      await assertKept(kit, alice, begun.id);
    });
  }
  await bothWays(test, "change with false proofs", async (paying) => {
    paying.admin.setFeeReserve({ minSat: 20 });
    paying.admin.badDleq(1_000);
    await paying.begin();
    await paying.play();
    const { kit, alice } = paying;
    assert.notEqual(alice.store.mint(kit.url())!.blockedReason, undefined);
    await paying.admin.clearFaults();
    await alice.engine.resume(paying.begun!.id);
    const ended = await paying.play();
    assert.equal(ended.status, "done", `${ended.state}: ${ended.reason}`);
    assert.ok(ended.fee < 10n, "the change is here as soon as its mint is honest");
    assert.deepEqual(alice.troubles(), []);
  });
  await test.step("a token without proofs is redeemed before it counts", async () => {
    await using kit = await startKit();
    const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
    await alice.fund(500n);
    const text = await tokenFrom(alice, 100n, { lockTo: bob.keys.payment.publicKey });
    const ids = kit.mints[0]!.admin.books().keysets.map(({ id }) => id);
    const { proofs, ...rest } = decodeToken(text, ids);
    const bare = proofs.map(({ dleq: _dleq, ...proof }) => proof);
    const token = encodeToken({ ...rest, proofs: bare });
    const intake = intakeOf(bob, { unproven: "queue" });
    const payment = taken(await intake.take({ payer: "peer", paymentId: "p", token }));
    assert.equal(payment.state, "queued");
    const redeemed = await bob.driveToEnd(payment.operationId!);
    assert.equal(redeemed.state, "redeemed");
    assert.equal(bob.free(), 100n);
  });
});

/** The mint is blocked; once it is honest, what it owed is had. */
async function assertKept(
  kit: WalletKit,
  alice: Awaited<ReturnType<typeof fundedKit>>["alice"],
  id: string,
): Promise<void> {
  assert.notEqual(alice.store.mint(kit.url())!.blockedReason, undefined);
  assert.ok(alice.events.some(({ event }) => event === "mint-blocked"));
  assert.deepEqual(alice.troubles(), []);
  await kit.mints[0]!.admin.clearFaults();
  await alice.engine.resume(id);
  const ended = await play({}, alice, id);
  assert.ok(
    ended.status === "done" || ended.state === "token-ready",
    `${ended.state}: ${ended.reason}`,
  );
  const [held] = alice.store.balances();
  const { outstanding } = kit.mints[0]!.admin.books();
  assert.equal(held!.free + held!.outgoing, outstanding, "nothing that it owes is forgotten");
  assert.deepEqual(alice.troubles(), []);
}

Deno.test("D2 a mint without NUT-11 gets no locked token, and none of it is taken offline", async () => {
  await using kit = await startKit();
  const bob = payingWallet(kit, "bob");
  const lockTo = bob.keys.payment.publicKey;
  const honest = payingWallet(kit, "honest");
  await honest.fund(500n);
  const token = await tokenFrom(honest, 100n, { lockTo });
  kit.mints[0]!.admin.disableNuts([11]);
  const alice = payingWallet(kit, "alice");
  await alice.fund(500n);
  const refused = await send(alice, { amount: 10n, lock: { publicKey: lockTo } });
  assert.equal(refused.status, "failed");
  assert.equal(alice.free(), 500n);
  const outcome = await intakeOf(bob).take({ payer: "peer", paymentId: "p", token });
  assert.ok(outcome.status !== "taken" || outcome.payment.state === "queued", "no credit offline");
  assert.deepEqual([...alice.troubles(), ...bob.troubles()], []);
});
