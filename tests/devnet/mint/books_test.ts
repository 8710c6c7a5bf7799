/** Whatever wallets do, the mint's books balance, and agree with Lightning's and the wallets'. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Proof } from "@cashu/cashu-ts";
import { MintWorld, sumOf } from "./support.ts";

type Step =
  | { readonly kind: "fund"; readonly amount: number }
  | { readonly kind: "send"; readonly share: number }
  | { readonly kind: "melt"; readonly amount: number; readonly fails: boolean }
  | { readonly kind: "rotate"; readonly feePpk: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("fund" as const), amount: fc.integer({ min: 1, max: 500 }) }),
  fc.record({
    kind: fc.constant("send" as const),
    share: fc.double({ min: 0.1, max: 0.9, noNaN: true }),
  }),
  fc.record({
    kind: fc.constant("melt" as const),
    amount: fc.integer({ min: 1, max: 200 }),
    fails: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("rotate" as const), feePpk: fc.constantFrom(0, 100, 1000) }),
);

async function run(world: MintWorld, steps: readonly Step[]): Promise<Proof[]> {
  let held: Proof[] = [];
  let wallet = await world.wallet();
  for (const step of steps) {
    if (step.kind === "fund") {
      held.push(...await world.fund(wallet, step.amount));
    } else if (step.kind === "rotate") {
      world.mint.admin.setFee(step.feePpk);
      wallet = await world.wallet();
      for (const { id } of held) await wallet.keyChain.ensureKeysetKeys(id);
    } else if (step.kind === "send") {
      const amount = Math.floor(sumOf(held) * step.share);
      if (amount < 1 || sumOf(held) - amount < held.length + 10) continue;
      const { keep, send } = await wallet.send(amount, held);
      held = [...keep, ...send];
    } else {
      const quote = await wallet.createMeltQuoteBolt11(await world.invoice(step.amount));
      const need = step.amount + quote.fee_reserve.toNumber() + held.length + 1;
      if (sumOf(held) < need) continue;
      if (step.fails) world.lightning.script({ action: "fail", match: { from: "A" } });
      const melting = wallet.meltProofsBolt11(quote, held);
      if (step.fails) await assert.rejects(melting, { code: 20004 });
      else held = (await melting).change;
    }
    assert.equal(world.mint.admin.books().isBalanced, true, JSON.stringify(step));
  }
  return held;
}

Deno.test("books balance after any mix of funding, sending, melting, failing and rotating", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
      await using world = await MintWorld.start();
      const held = await run(world, [{ kind: "fund", amount: 300 }, ...steps]);
      const books = world.mint.admin.books();
      assert.equal(Number(books.outstanding), sumOf(held));
      const node = world.lightning.books().nodes.find(({ node }) => node === "A")!;
      assert.equal(node.inMsat, books.lightningInMsat);
      assert.equal(node.outMsat + node.feesMsat, books.lightningOutMsat);
    }),
    { numRuns: 6 },
  );
});
