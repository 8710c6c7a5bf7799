import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import type { Proof } from "../../../wallet/types.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { newSeedWords } from "../../../src/core/keys.ts";
import { intakeOf, payingWallet, refusedCode, taken, tokenFrom } from "./payments_world.ts";

interface Scene {
  readonly kit: WalletKit;
  readonly alice: TestWallet;
  readonly bob: TestWallet;
  readonly lockTo: string;
}

async function scene(kit: WalletKit, bobOptions = {}): Promise<Scene> {
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob", bobOptions)];
  await alice.fund(2000n);
  return { kit, alice, bob, lockTo: bob.keys.payment.publicKey };
}

async function changed(
  { alice, kit }: Scene,
  text: string,
  change: (proof: Proof, index: number) => Proof,
): Promise<string> {
  const ids = (await alice.context.mints.of(kit.url()).keysets()).map((keyset) => keyset.id);
  const token = decodeToken(text, ids);
  return encodeToken({ ...token, proofs: token.proofs.map(change) });
}

Deno.test("Intake gives credit at once for a locked token of a trusted mint, without asking it", async () => {
  await using kit = await startKit();
  const world = await scene(kit);
  const { alice, bob, lockTo } = world;
  const [first, second] = [
    await tokenFrom(alice, 100n, { lockTo }),
    await tokenFrom(alice, 30n, { lockTo }),
  ];
  const intake = intakeOf(bob);
  taken(await intake.take({ payer: "peer", paymentId: "a", token: first }));
  kit.mints[0]!.admin.clearRequests();
  const payment = taken(await intake.take({ payer: "peer", paymentId: "b", token: second }));
  assert.deepEqual([payment.state, payment.credit], ["credited", 30n]);
  assert.equal(kit.mints[0]!.admin.requests().length, 0);
  assert.equal(bob.store.balances()[0]!.incoming, 130n);
});

Deno.test("Intake answers the same payment the same way, and calls anything else a conflict (C3)", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  const [token, other] = [
    await tokenFrom(alice, 100n, { lockTo }),
    await tokenFrom(alice, 100n, { lockTo }),
  ];
  const intake = intakeOf(bob);
  const [first, second] = await Promise.all([
    intake.take({ payer: "peer", paymentId: "a", token }),
    intake.take({ payer: "peer", paymentId: "a", token }),
  ]);
  assert.deepEqual(taken(first), taken(second));
  const again = await intakeOf(bob).take({ payer: "peer", paymentId: "a", token });
  assert.deepEqual(taken(again), taken(first));
  const conflicts = [
    await intake.take({ payer: "peer", paymentId: "a", token: other }),
    await intake.take({ payer: "peer", paymentId: "b", token }),
    await intake.take({ payer: "stranger", paymentId: "a", token }),
  ];
  assert.deepEqual(conflicts.map((outcome) => outcome.status), [
    "conflict",
    "conflict",
    "conflict",
  ]);
  assert.equal(bob.store.incomingPayments({}).length, 1);
  assert.equal(bob.store.balances()[0]!.incoming, 100n);
});

Deno.test("Intake says that it took a payment when the disk has it, and not before, however often it comes", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  const token = await tokenFrom(alice, 100n, { lockTo });
  const intake = intakeOf(bob);
  const offer = { payer: "peer", paymentId: "a", token };
  bob.store.flush = () => Promise.reject(new SeedmintError("storage", "the disk is broken"));
  for (let count = 0; count < 2; count++) {
    await assert.rejects(intake.take(offer), /the disk is broken/);
  }
  const disk = Promise.withResolvers<void>();
  bob.store.flush = () => disk.promise;
  let answeredCount = 0;
  const answers = [1, 2].map(() =>
    intake.take(offer).then((outcome) => {
      answeredCount++;
      return taken(outcome);
    })
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(answeredCount, 0, "while the disk is slow");
  disk.resolve();
  for (const { credit } of await Promise.all(answers)) assert.equal(credit, 100n);
  assert.equal(bob.store.incomingPayments({}).length, 1);
});

Deno.test("Intake asks nothing of a mint that is not listed", async () => {
  await using kit = await startKit({ mints: 2 });
  const { alice, bob, lockTo } = await scene(kit, { mints: [1] });
  const token = await tokenFrom(alice, 100n, { lockTo });
  kit.mints[0]!.admin.clearRequests();
  assert.equal(
    refusedCode(await intakeOf(bob).take({ payer: "p", paymentId: "a", token })),
    "mint",
  );
  assert.equal(kit.mints[0]!.admin.requests().length, 0);
});

Deno.test("Intake redeems before it counts what is not locked to this node, or too short", async () => {
  await using kit = await startKit();
  const world = await scene(kit);
  const { alice, bob, lockTo } = world;
  const nowS = Math.floor(kit.clock.nowMs() / 1000);
  const locked = await tokenFrom(alice, 64n, { lockTo });
  const tokens: Readonly<Record<string, string>> = {
    "not locked": await tokenFrom(alice, 64n),
    "locktime too near": await tokenFrom(alice, 64n, { lockTo, locktimeS: nowS + 3600 }),
    "without DLEQ": await changed(world, locked, ({ dleq: _, ...proof }) => proof),
  };
  const intake = intakeOf(bob, { unproven: "queue" });
  for (const [name, token] of Object.entries(tokens)) {
    const payment = taken(await intake.take({ payer: name, paymentId: "a", token }));
    assert.equal(payment.state, "queued", name);
    const redeemed = await bob.driveToEnd(payment.operationId!);
    assert.equal(redeemed.state, "redeemed", `${name}: ${redeemed.reason}`);
    assert.equal(bob.store.incoming(name, "a")!.state, "redeemed");
  }
});

Deno.test("Intake gives no credit for a signature that does not prove itself", async () => {
  await using kit = await startKit();
  const world = await scene(kit);
  const { alice, bob, lockTo } = world;
  const token = await tokenFrom(alice, 96n, { lockTo });
  const forged = await changed(
    world,
    token,
    (proof, index) =>
      index === 0 ? proof : { ...proof, dleq: { ...proof.dleq!, r: "0".repeat(63) + "1" } },
  );
  const offer = { payer: "p", paymentId: "a", token: forged };
  assert.equal(refusedCode(await intakeOf(bob).take(offer)), "malformed");
  assert.equal(bob.store.operations().length, 0, "no mint is asked about what a forger sends");
  const patient = intakeOf(bob, { unproven: "queue" });
  assert.equal(taken(await patient.take(offer)).state, "queued");
});

Deno.test("Intake refuses what this node cannot spend, at once and for good", async () => {
  await using kit = await startKit();
  const { alice, bob } = await scene(kit);
  const lockTo = walletKeysOf(newSeedWords()).payment.publicKey;
  const token = await tokenFrom(alice, 64n, { lockTo });
  const intake = intakeOf(bob);
  assert.equal(refusedCode(await intake.take({ payer: "p", paymentId: "a", token })), "locked");
  assert.equal(refusedCode(await intake.take({ payer: "p", paymentId: "b", token })), "locked");
  assert.equal(bob.store.operations().length, 0);
});

Deno.test("Intake refuses what cannot be read, or breaks a limit", async () => {
  await using kit = await startKit();
  const { bob } = await scene(kit);
  const intake = intakeOf(bob);
  const broken = [
    { payer: "p", paymentId: "a", token: "cashuBgarbage" },
    { payer: "p", paymentId: "a", token: "" },
    { payer: "p", paymentId: "a", token: "x".repeat(300_000) },
    { payer: "p", paymentId: "", token: "cashuB" },
    { payer: "p", paymentId: "x".repeat(65), token: "cashuB" },
  ];
  for (const offer of broken) assert.equal(refusedCode(await intake.take(offer)), "malformed");
});

Deno.test("Intake refuses less than the price, and less than redeeming costs", async () => {
  await using kit = await startKit({ feePpk: 1000 });
  const { alice, bob, lockTo } = await scene(kit);
  const intake = intakeOf(bob);
  const dust = await tokenFrom(alice, 1n, { lockTo });
  assert.equal(
    refusedCode(await intake.take({ payer: "p", paymentId: "a", token: dust })),
    "worthless",
  );
  const token = await tokenFrom(alice, 64n, { lockTo, includeFees: true });
  const dear = { payer: "p", paymentId: "b", token, price: 65n };
  assert.equal(refusedCode(await intake.take(dear)), "worthless");
});

Deno.test("Intake bounds what is credited and not redeemed, of a payer and of a mint", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  const intake = intakeOf(bob, {
    unredeemedPerPayerMaxSat: 100n,
    unredeemedPerMintMaxSat: 150n,
  });
  const states: string[] = [];
  for (const [payer, paymentId] of [["p", "a"], ["p", "b"], ["q", "a"], ["r", "a"]]) {
    const token = await tokenFrom(alice, 64n, { lockTo });
    states.push(taken(await intake.take({ payer: payer!, paymentId: paymentId!, token })).state);
  }
  assert.deepEqual(states, ["credited", "queued", "credited", "queued"]);
});

Deno.test("Intake keeps a mint within its exposure", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  bob.store.transact((tx) => tx.putMint({ ...tx.mint(kit.url())!, exposureMaxSat: 100n }));
  const intake = intakeOf(bob);
  const [token, more] = [
    await tokenFrom(alice, 64n, { lockTo }),
    await tokenFrom(alice, 64n, { lockTo }),
  ];
  taken(await intake.take({ payer: "p", paymentId: "a", token }));
  const outcome = await intake.take({ payer: "p", paymentId: "b", token: more });
  assert.equal(refusedCode(outcome), "exposure");
});

Deno.test("Intake goes on while the mint is offline, as far as it is known (O1)", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  const tokens = [];
  for (let count = 0; count < 3; count++) tokens.push(await tokenFrom(alice, 64n, { lockTo }));
  await bob.context.mints.of(kit.url()).activeKeyset();
  await bob.context.mints.of(kit.url()).info();
  await kit.mints[0]!.admin.offline(true);
  const intake = intakeOf(bob);
  const offline = await intake.take({ payer: "p", paymentId: "a", token: tokens[0]! });
  assert.equal(taken(offline).state, "credited");
  const waiting = await bob.engine.drive(taken(offline).operationId!);
  assert.equal(waiting.status, "open");
  assert.ok(waiting.nextAtMs! > kit.clock.nowMs(), "it does not hammer a mint that is down");
  // A day later nobody vouches for the mint any more.
  kit.clock.jump(25 * 3_600_000);
  const late = taken(await intake.take({ payer: "p", paymentId: "b", token: tokens[1]! }));
  assert.equal(late.state, "queued");
  await kit.mints[0]!.admin.offline(false);
  for (const payment of [taken(offline), late]) {
    const redeemed = await bob.driveToEnd(payment.operationId!);
    assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  }
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("Intake needs a mint that knows locks: without NUT-11 anybody could spend (D2)", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  const token = await tokenFrom(alice, 64n, { lockTo });
  kit.mints[0]!.admin.disableNuts([11]);
  const payment = taken(await intakeOf(bob).take({ payer: "p", paymentId: "a", token }));
  assert.equal(payment.state, "queued");
});

Deno.test("Intake closes a batch when it is full, idle, or near the locktime", async () => {
  await using kit = await startKit();
  const { alice, bob, lockTo } = await scene(kit);
  const batch = { proofsMin: 6, idleMs: 20_000, lingerMs: 300_000 };
  const intake = intakeOf(bob, { batch });
  const dueInMs = (id: string) => bob.store.operation(id)!.nextAtMs! - kit.clock.nowMs();
  const first = taken(
    await intake.take({
      payer: "p",
      paymentId: "a",
      token: await tokenFrom(alice, 7n, { lockTo }),
    }),
  );
  assert.ok(dueInMs(first.operationId!) > 15_000 && dueInMs(first.operationId!) <= 20_000);
  const second = taken(
    await intake.take({
      payer: "q",
      paymentId: "b",
      token: await tokenFrom(alice, 7n, { lockTo }),
    }),
  );
  assert.equal(second.operationId, first.operationId);
  assert.ok(dueInMs(first.operationId!) <= 0, "six proofs are enough");
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 4300;
  const slow = intakeOf(bob, {
    batch: { proofsMin: 100, idleMs: 10 * 3_600_000, lingerMs: 10 * 3_600_000 },
  });
  await bob.driveToEnd(first.operationId!);
  const third = taken(
    await slow.take({
      payer: "p",
      paymentId: "c",
      token: await tokenFrom(alice, 7n, { lockTo, locktimeS }),
    }),
  );
  assert.equal(third.state, "credited");
  assert.equal(third.redeemByMs, locktimeS * 1000 - 600_000);
  assert.ok(bob.store.operation(third.operationId!)!.nextAtMs! <= third.redeemByMs!);
});
