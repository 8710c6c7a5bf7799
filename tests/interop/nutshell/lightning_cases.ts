/** Melts whose payment hangs or fails, at a FakeWallet that is told so. */
import assert from "node:assert/strict";
import { assertBooks, outsideInvoice, pay, settle, type World } from "../mints/world.ts";
import type { Nutshell } from "./nutshell.ts";

/** Pending, then paid; pending, then failed; failed at once. */
export async function lightningCases(world: World, mint: Nutshell): Promise<void> {
  const { suite, alice, bob } = world;
  const begin = async (amountSat: number) => {
    const prepared = await alice.wallet.preparePay({
      mint: mint.url,
      invoice: outsideInvoice(amountSat),
    });
    return await alice.wallet.confirm(prepared.id);
  };
  await suite.case(
    "melt pending: held over a restart of the mint, then paid with change",
    async () => {
      await mint.restartWith({ paid: "PENDING", asked: "PENDING" });
      const before = await alice.freeSat(mint.url);
      const held = await begin(110);
      assert.equal(held.state, "pending", held.reason ?? "");
      const melt = alice.seen.findLast(({ path }) => path === "/v1/melt/bolt11")!;
      const { state } = (melt.answer ?? {}) as { readonly state?: string };
      suite.note(`a payment under way is answered with status ${melt.status}, ${state}`);
      await mint.restartWith({ paid: "SETTLED", asked: "SETTLED" });
      await settle(alice);
      const paid = await alice.wallet.operation(held.id);
      assert.equal(paid.status, "done", paid.reason ?? "");
      assert.equal(await alice.freeSat(mint.url), before - 110 - paid.feeSat);
      suite.note(`a payment found settled after a restart cost ${paid.feeSat} sat`);
      await assertBooks(world);
    },
  );
  await suite.case("melt pending, then failed: the ecash is fenced and free again", async () => {
    await mint.restartWith({ paid: "PENDING", asked: "PENDING" });
    const held = await begin(120);
    assert.equal(held.state, "pending", held.reason ?? "");
    await mint.restartWith({ paid: "FAILED", asked: "FAILED" });
    await settle(alice);
    const failed = await alice.wallet.operation(held.id);
    assert.notEqual(failed.status, "done", `${failed.state}: ${failed.reason}`);
    suite.note(`a payment found failed ends as ${failed.state} (${failed.feeSat} sat of fees)`);
    await assertBooks(world);
  });
  await suite.case("melt failed: refused by Lightning, the ecash is free again", async () => {
    await mint.restartWith({ paid: "FAILED", asked: "FAILED" });
    const begun = await begin(130);
    await settle(alice);
    const failed = await alice.wallet.operation(begun.id);
    assert.notEqual(failed.status, "done", `${failed.state}: ${failed.reason}`);
    const answer = alice.seen.findLast(({ path }) => path === "/v1/melt/bolt11")!;
    const { code } = (answer.answer ?? {}) as { readonly code?: number };
    suite.note(`a payment that fails is answered with status ${answer.status}, code ${code}`);
    await mint.restart();
    await assertBooks(world);
  });
  await suite.case(
    "melt inside: an invoice of the same mint is paid because we paid it, and costs no reserve",
    async () => {
      await mint.restartWith({ paid: "FAILED", asked: "FAILED", paysItself: false });
      const [beforeAlice, beforeBob] = [await alice.freeSat(mint.url), await bob.freeSat(mint.url)];
      const funding = await bob.wallet.fund({ mint: mint.url, amountSat: 70 });
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      const waiting = await bob.wallet.operation(funding.operation.id);
      assert.equal(waiting.status, "open", "nobody paid yet");
      const { invoice } = funding;
      const paid = await pay(alice, { mint: mint.url, invoice });
      const funded = await bob.wallet.wait(funding.operation.id);
      assert.equal(funded.status, "done", funded.reason ?? "");
      assert.equal(await bob.freeSat(mint.url), beforeBob + 70);
      assert.equal(await alice.freeSat(mint.url), beforeAlice - 70 - paid.feeSat);
      suite.note(`a payment inside the mint cost ${paid.feeSat} sat`);
      await mint.restart();
      await assertBooks(world);
    },
  );
}
