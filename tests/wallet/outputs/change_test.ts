import assert from "node:assert/strict";
import { readMeltQuote } from "../../../wallet/mint/answers.ts";
import type { MeltQuote } from "../../../wallet/mint/mint_api.ts";
import { restoreChange, unblindChange } from "../../../wallet/outputs/change.ts";
import { outputCountOf, planBlanks, planOutputs } from "../../../wallet/outputs/planning.ts";
import { meltBody, swapBody } from "../../../wallet/outputs/requests.ts";
import type { BlindSignature, PlannedOutput } from "../../../wallet/types.ts";
import { startKit, type TestWallet } from "../../support/wallet_kit.ts";

/** What 77 sat leave after 30 and Lightning's fee of 2 were paid. */
const CHANGE = 45n;

interface World {
  readonly wallet: TestWallet;
  /** Plans the blanks. */
  readonly plan: () => Promise<PlannedOutput[]>;
  /** Pays 30 sat of 77 and gives the mint's answer. */
  readonly melt: (blanks: readonly PlannedOutput[]) => Promise<MeltQuote>;
}

function changeTest(name: string, test: (world: World) => Promise<void>): void {
  Deno.test(name, async () => {
    await using kit = await startKit();
    const wallet = kit.wallet();
    await wallet.fund(77n);
    const mint = wallet.context.mints.of(kit.url());
    const invoice = await kit.lightning.createInvoice({ amountMsat: 30_000n, payee: "outside" });
    const quote = await mint.createMeltQuote({ invoice: invoice.bolt11 });
    await test({
      wallet,
      plan: async () =>
        planBlanks({
          feeReserve: 77n - 30n,
          keyset: await mint.activeKeyset({ fresh: true }),
          keys: wallet.keys,
          firstCounter: 500,
        }),
      melt: async (blanks) => {
        const inputs = wallet.store.proofs({ state: "free" });
        const body = meltBody({ quoteId: quote.quoteId, inputs, blanks });
        const outcome = await mint.post("/v1/melt/bolt11", body);
        assert.ok(outcome.kind === "answered", JSON.stringify(outcome));
        return readMeltQuote(outcome.body);
      },
    });
  });
}

function mintOf(wallet: TestWallet) {
  return wallet.context.mints.of(wallet.kit.url());
}

async function paid(wallet: TestWallet, quoteId: string): Promise<MeltQuote> {
  for (;;) {
    const quote = await mintOf(wallet).meltQuote(quoteId);
    if (quote.state === "PAID") return quote;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function assertClaimed(
  wallet: TestWallet,
  outcome: Awaited<ReturnType<typeof unblindChange>>,
): Promise<void> {
  assert.equal(outcome.kind, "claimed", JSON.stringify(outcome, (_, value) => String(value)));
  assert.equal(outcome.proofs.reduce((sum, { amount }) => sum + amount, 0n), CHANGE);
  // Whoever signed it must take it: a swap shows that each proof is good.
  const keyset = await mintOf(wallet).activeKeyset({ fresh: true });
  const outputs = planOutputs({
    amount: CHANGE,
    role: "keep",
    keyset,
    keys: wallet.keys,
    firstCounter: 900,
  });
  assert.equal(outputs.length, outputCountOf(CHANGE, keyset));
  const body = swapBody({ inputs: outcome.proofs, outputs });
  assert.equal((await mintOf(wallet).post("/v1/swap", body)).kind, "answered");
}

changeTest("unblindChange claims the change in the answer", async ({ wallet, plan, melt }) => {
  const blanks = await plan();
  const { change, state } = await melt(blanks);
  assert.equal(state, "PAID");
  await assertClaimed(wallet, await unblindChange(mintOf(wallet), blanks, change));
});

changeTest("unblindChange claims change of a keyset newer than the blanks", async (world) => {
  const { wallet, plan, melt } = world;
  const blanks = await plan();
  const { admin } = wallet.kit.mints[0]!;
  admin.change({ changeKeyset: "active" });
  admin.pendingForever(1);
  const pending = await melt(blanks);
  assert.equal(pending.state, "PENDING");
  const rotated = admin.rotateKeyset();
  await admin.releasePending();
  const { change } = await paid(wallet, pending.quoteId);
  assert.ok(change.every(({ keysetId }) => keysetId === rotated));
  assert.ok(blanks.every(({ keysetId }) => keysetId !== rotated));
  await assertClaimed(wallet, await unblindChange(mintOf(wallet), blanks, change));
});

changeTest("unblindChange ignores signatures over nothing", async ({ wallet, plan, melt }) => {
  wallet.kit.mints[0]!.admin.change({ zeroChange: true });
  const blanks = await plan();
  const { change } = await melt(blanks);
  assert.ok(change.some(({ amount }) => amount === 0n));
  await assertClaimed(wallet, await unblindChange(mintOf(wallet), blanks, change));
});

changeTest("unblindChange asks by blinded message when the order is wrong", async (world) => {
  const { wallet, plan, melt } = world;
  const blanks = await plan();
  const { change } = await melt(blanks);
  await assertClaimed(wallet, await unblindChange(mintOf(wallet), blanks, change.toReversed()));
});

changeTest("restoreChange claims the change of a lost answer, and a part is all", async (world) => {
  const { wallet, plan, melt } = world;
  const blanks = await plan();
  const before = await restoreChange(mintOf(wallet), blanks);
  assert.deepEqual(before, { kind: "claimed", proofs: [] });
  await melt(blanks);
  const restored = await restoreChange(mintOf(wallet), blanks);
  assert.ok(restored.proofs.length < blanks.length);
  await assertClaimed(wallet, restored);
});

changeTest("unblindChange keeps what is good of a dishonest mint's change", async (world) => {
  const { wallet, plan, melt } = world;
  const blanks = await plan();
  const { change } = await melt(blanks);
  const [first, ...rest] = change as [BlindSignature, ...BlindSignature[]];
  const { dleq: _, ...bare } = first;
  const outcome = await unblindChange(mintOf(wallet), blanks, [bare, ...rest]);
  assert.equal(outcome.kind, "dishonest");
  assert.equal(outcome.proofs.length, change.length - 1);
});

for (const lie of ["a false DLEQ", "another keyset", "another amount"]) {
  changeTest(`unblindChange sees through ${lie}, and keeps the change`, async (world) => {
    const { wallet, plan, melt } = world;
    const blanks = await plan();
    const { change } = await melt(blanks);
    const [first, ...rest] = change as [BlindSignature, ...BlindSignature[]];
    const wrong: Readonly<Record<string, BlindSignature>> = {
      "a false DLEQ": { ...first, dleq: { e: "01".repeat(32), s: "02".repeat(32) } },
      "another keyset": { ...first, keysetId: "01" + "ab".repeat(32) },
      "another amount": { ...first, amount: first.amount * 2n },
    };
    const outcome = await unblindChange(mintOf(wallet), blanks, [wrong[lie]!, ...rest]);
    assert.equal(outcome.kind, "dishonest");
    await assertClaimed(wallet, { kind: "claimed", proofs: outcome.proofs });
  });
}
