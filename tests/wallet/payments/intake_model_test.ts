import assert from "node:assert/strict";
import fc from "fast-check";
import { startKit, type TestWallet } from "../../support/wallet_kit.ts";
import { intakeOf, payingWallet, tokenFrom } from "./payments_world.ts";

const TOKEN_COUNT = 4;

/** What may happen to a seller. */
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("take" as const),
      payer: fc.constantFrom("p", "q"),
      paymentId: fc.constantFrom("1", "2", "3"),
      token: fc.nat(TOKEN_COUNT - 1),
      isTwice: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("redeem" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      point: fc.constantFrom(
        "redeem.take.after-commit",
        "redeem.prepared.after-commit",
        "redeem.swap.after-send",
        "redeem.swap-inflight.after-commit",
      ),
    }),
  },
);

/** Redeems everything that is open. */
async function redeemAll(wallet: TestWallet): Promise<void> {
  for (const { id } of wallet.store.operations({ status: "open" })) await wallet.driveToEnd(id);
}

Deno.test("Intake credits each payment id and each token at most once, whatever comes in any order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 4, maxLength: 14 }), async (events) => {
      await using kit = await startKit();
      const alice = payingWallet(kit, "alice");
      let bob = payingWallet(kit, "bob");
      await alice.fund(1000n);
      const tokens: string[] = [];
      for (let index = 0; index < TOKEN_COUNT; index++) {
        // Every other one is locked, so that both ways in are taken.
        const wish = index % 2 === 0 ? { lockTo: bob.keys.payment.publicKey } : {};
        tokens.push(await tokenFrom(alice, BigInt(2 ** index), wish));
      }
      const answers = new Map<string, number>();
      let intake = intakeOf(bob);
      for (const one of events) {
        try {
          if (one.kind === "crash") bob.crashAt(one.point);
          if (one.kind === "redeem") await redeemAll(bob);
          if (one.kind === "take") {
            const offer = { payer: one.payer, paymentId: one.paymentId, token: tokens[one.token]! };
            const tries = await Promise.all(
              Array.from({ length: one.isTwice ? 2 : 1 }, () => intake.take(offer)),
            );
            const key = `${one.payer} ${one.paymentId}`;
            for (const { status } of tries) {
              if (status !== "taken") continue;
              assert.equal(answers.get(key) ?? one.token, one.token, "one token for an id");
              answers.set(key, one.token);
            }
          }
        } catch (error) {
          if (!bob.isDead) throw error;
        }
        if (bob.isDead || one.kind === "restart") {
          bob = await bob.reopen();
          intake = intakeOf(bob);
        }
      }
      bob = await bob.reopen();
      await redeemAll(bob);
      const payments = bob.store.incomingPayments({});
      assert.equal(new Set(payments.map((payment) => payment.tokenHash)).size, payments.length);
      assert.ok(payments.length >= new Set(answers.values()).size);
      assert.ok(payments.every((payment) => payment.state === "redeemed"));
      const credit = payments.reduce((sum, payment) => sum + payment.credit, 0n);
      assert.equal(bob.free(), credit);
      assert.deepEqual(bob.troubles(), []);
    }),
    { numRuns: 8 },
  );
});
