/** The mint as cashu-ts sees it: fund, swap, send, melt with change, restore. */
import assert from "node:assert/strict";
import { MintWorld, post, sumOf, wireProofs } from "./support.ts";

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

Deno.test("mints pay each other's invoices, and a mint its own, and Lightning's books agree", async () => {
  await using a = await MintWorld.start({ name: "A" });
  await using b = await MintWorld.start({ name: "B", lightning: a.lightning });
  const [walletA, walletB] = [await a.wallet(), await b.wallet()];
  let held = await a.fund(walletA, 500);
  for (const [payee, amount] of [[walletB, 100], [walletA, 50]] as const) {
    const mintQuote = await payee.createMintQuoteBolt11(amount);
    const meltQuote = await walletA.createMeltQuoteBolt11(mintQuote.request);
    const melted = await walletA.meltProofsBolt11(meltQuote, held);
    assert.equal(melted.quote.state, "PAID");
    const minted = await payee.mintProofsBolt11(amount, mintQuote.quote);
    assert.equal(sumOf(minted), amount);
    held = payee === walletA ? [...melted.change, ...minted] : melted.change;
  }
  const [booksA, booksB] = [a.mint.admin.books(), b.mint.admin.books()];
  assert.equal(Number(booksA.outstanding), sumOf(held));
  assert.equal(booksB.outstanding, 100n);
  assert.ok(booksA.isBalanced && booksB.isBalanced);
  for (const [name, books] of [["A", booksA], ["B", booksB]] as const) {
    const node = a.lightning.books().nodes.find(({ node }) => node === name)!;
    assert.equal(node.inMsat, books.lightningInMsat);
    assert.equal(node.outMsat + node.feesMsat, books.lightningOutMsat);
  }
});

Deno.test("an invoice without an amount is paid with the amount that the wallet names", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 64);
  const { bolt11 } = await world.lightning.createInvoice({ payee: "shop" });
  const url = `${world.mint.url}/v1/melt/quote/bolt11`;
  const bare = await post(url, { request: bolt11, unit: "sat" });
  assert.equal(bare.body.code, 11011);
  const options = { amountless: { amount_msat: 20_500 } };
  const { body: quote } = await post(url, { request: bolt11, unit: "sat", options });
  assert.equal(quote.amount, 21, "rounded up to whole sats");
  const body = { quote: quote.quote, inputs: wireProofs(proofs) };
  assert.equal((await post(`${world.mint.url}/v1/melt/bolt11`, body)).body.state, "PAID");
  const node = world.lightning.books().nodes.find(({ node }) => node === "shop")!;
  assert.equal(node.inMsat, 20_500n);
  assert.equal(world.mint.admin.books().isBalanced, true);
});
