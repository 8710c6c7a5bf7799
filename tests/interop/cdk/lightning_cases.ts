/** Melts whose payment hangs or fails: cdk's FakeWallet reads what to do from the invoice. */
import assert from "node:assert/strict";
import type { Party } from "../mints/party.ts";
import { assertBooks, outsideInvoice, settle, type World } from "../mints/world.ts";

/** What FakeWallet says of the payment when it is made, and when it is asked again. */
function scripted(amountSat: number, paid: string, asked: string): string {
  const description = JSON.stringify({
    pay_invoice_state: paid,
    check_payment_state: asked,
    pay_err: false,
    check_err: false,
  });
  return outsideInvoice(amountSat, { description });
}

/** Pending, then paid; failed at once. */
export async function lightningCases(world: World): Promise<void> {
  const { suite, mint, alice } = world;
  await suite.case("melt pending: held, then paid with change", async () => {
    const before = await alice.freeSat(mint.url);
    const invoice = scripted(110, "PENDING", "PAID");
    const prepared = await alice.wallet.preparePay({ mint: mint.url, invoice });
    const begun = await alice.wallet.confirm(prepared.id);
    suite.note(`right after it was sent the melt is ${begun.state}`);
    await settle(alice);
    const paid = await alice.wallet.operation(begun.id);
    assert.equal(paid.status, "done", `${paid.state}: ${paid.reason}`);
    assert.equal(await alice.freeSat(mint.url), before - 110 - paid.feeSat);
    await assertBooks(world);
  });
  await suite.case("melt failed: refused by Lightning, the ecash is free again", async () => {
    const invoice = scripted(130, "FAILED", "FAILED");
    const prepared = await alice.wallet.preparePay({ mint: mint.url, invoice });
    const begun = await alice.wallet.confirm(prepared.id);
    await settle(alice);
    const failed = await alice.wallet.operation(begun.id);
    assert.notEqual(failed.status, "done", `${failed.state}: ${failed.reason}`);
    suite.note(
      `a payment that fails is answered with ${
        lastAnswerOf(alice)
      } and ends as ${failed.state} (${failed.feeSat} sat of fees)`,
    );
    await assertBooks(world);
  });
}

/** A payment that stays under way: held over a restart of the mint, neither spent nor released. */
export async function heldCase(world: World, held: Party): Promise<void> {
  const { suite, mint } = world;
  await suite.case(
    "melt pending for ever: held over a restart of the mint, and in the books",
    async () => {
      await held.fund(mint.url, 200);
      const invoice = scripted(100, "PENDING", "PENDING");
      const prepared = await held.wallet.preparePay({ mint: mint.url, invoice });
      const startMs = performance.now();
      const begun = await held.wallet.confirm(prepared.id);
      assert.equal(begun.state, "pending", begun.reason ?? "");
      const seconds = Math.round((performance.now() - startMs) / 1000);
      suite.note(
        `the mint answered after ${seconds} s with ${lastAnswerOf(held)}; the quote is pending`,
      );
      await mint.restart();
      const [after] = await held.wallet.resume({ id: begun.id });
      suite.note(`after a restart of the mint it is ${after!.state}: ${after!.reason}`);
      assert.equal(after!.status, "open");
      assert.ok(await held.heldSat(mint.url) === 200 && await held.freeSat(mint.url) < 100);
      assert.deepEqual(await held.wallet.audit(), []);
    },
  );
}

/** A person who confirms after the quote has gone: cdk's melt quotes last a minute by default. */
export async function lateCase(world: World, late: Party): Promise<void> {
  const { suite, mint } = world;
  await suite.case("melt late: confirmed after its quote expired, it is quoted anew", async () => {
    await late.fund(mint.url, 200);
    const prepared = await late.wallet.preparePay({
      mint: mint.url,
      invoice: outsideInvoice(100),
    });
    const quote = late.seen.findLast(({ path }) => path === "/v1/melt/quote/bolt11")!;
    const { expiry } = quote.answer as { readonly expiry: number };
    const lastsS = expiry - Math.floor(quote.atMs / 1000);
    suite.note(`a melt quote lasts ${lastsS} s`);
    await new Promise((resolve) => setTimeout(resolve, (lastsS + 2) * 1000));
    await late.wallet.confirm(prepared.id);
    const paid = await late.wallet.wait(prepared.id);
    assert.equal(paid.status, "done", `${paid.state}: ${paid.reason}`);
    assert.ok(paid.feeSat <= prepared.feeMaxSat!);
    assert.equal(await late.freeSat(mint.url), 200 - 100 - paid.feeSat);
    assert.deepEqual(await late.wallet.audit(), []);
  });
}

/** Status and code of the last melt. */
function lastAnswerOf(party: Party): string {
  const seen = party.seen.findLast(({ path }) => path === "/v1/melt/bolt11")!;
  const { code, state } = (seen.answer ?? {}) as {
    readonly code?: number;
    readonly state?: string;
  };
  return `status ${seen.status}, ${code === undefined ? `state ${state}` : `code ${code}`}`;
}
