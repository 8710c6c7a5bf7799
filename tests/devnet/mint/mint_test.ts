/** The mint as cashu-ts sees it: fund, swap, send, melt with change, restore. */
import assert from "node:assert/strict";
import { MintWorld, sumOf } from "./support.ts";

Deno.test("a wallet funds, swaps, and melts with change, and the books agree to the sat", async () => {
  await using world = await MintWorld.start({ inputFeePpk: 100 });
  const wallet = await world.wallet();
  const funded = await world.fund(wallet, 1000);
  assert.equal(sumOf(funded), 1000);
  const { keep, send } = await wallet.send(100, funded);
  assert.equal(sumOf(send), 100);
  const received = await wallet.receive({ mint: world.mint.url, proofs: send, unit: "sat" });
  const quote = await wallet.createMeltQuoteBolt11(await world.invoice(200));
  assert.ok(quote.fee_reserve.toNumber() >= 1);
  const melted = await wallet.meltProofsBolt11(quote, keep);
  assert.equal(melted.quote.state, "PAID");
  assert.ok(melted.quote.payment_preimage);
  const books = world.mint.admin.books();
  assert.equal(books.isBalanced, true);
  assert.equal(Number(books.outstanding), sumOf(melted.change) + sumOf(received));
  assert.equal(books.lightningInMsat, 1_000_000n);
  assert.ok(books.fees > 0n);
});
