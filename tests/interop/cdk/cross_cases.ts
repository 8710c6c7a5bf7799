/** Money from one implementation to the other, both ways. */
import assert from "node:assert/strict";
import { newSeedWords } from "../../../src/core/keys.ts";
import { Party } from "../mints/party.ts";
import type { ForeignMint } from "../mints/server.ts";
import type { Suite } from "../mints/suite.ts";
import { crash, settle } from "../mints/world.ts";

/** Swaps both ways, also through a crash on the way, and plans that need one. */
export async function crossCases(
  { suite, directory, cdk, nutshell }: {
    readonly suite: Suite;
    readonly directory: string;
    readonly cdk: ForeignMint;
    readonly nutshell: ForeignMint;
  },
): Promise<void> {
  // Each mint's other holders are not counted: what they hold stays as it is meanwhile.
  const othersSat = new Map([cdk, nutshell].map((mint) => [mint.url, mint.outstandingSat()]));
  const assertOwed = async (party: Party) => {
    assert.deepEqual(await party.wallet.audit(), []);
    for (const mint of [cdk, nutshell]) {
      const owedSat = mint.outstandingSat() - othersSat.get(mint.url)!;
      assert.equal(await party.heldSat(mint.url), owedSat, `held and owed by ${mint.name}`);
    }
  };
  const seedWords = newSeedWords();
  const where = { directory, seedWords, mints: [cdk.url, nutshell.url] };
  let erin = await Party.open("erin", where);
  try {
    for (const [from, to] of [[nutshell, cdk], [cdk, nutshell]] as const) {
      await suite.case(
        `swap: from ${from.name} to ${to.name}, exactly and within the fee shown`,
        async () => {
          await erin.fund(from.url, 600);
          const [beforeFrom, beforeTo] = [await erin.freeSat(from.url), await erin.freeSat(to.url)];
          const { id, feeMaxSat } = await erin.wallet.prepareSwap({
            from: from.url,
            to: to.url,
            amountSat: 400,
          });
          const startMs = performance.now();
          await erin.wallet.confirm(id);
          const swapped = await erin.wallet.wait(id);
          assert.equal(swapped.status, "done", `${swapped.state}: ${swapped.reason}`);
          assert.equal(await erin.freeSat(to.url), beforeTo + 400);
          assert.equal(await erin.freeSat(from.url), beforeFrom - 400 - swapped.feeSat);
          assert.ok(swapped.feeSat <= feeMaxSat!);
          await assertOwed(erin);
          const ms = Math.round(performance.now() - startMs);
          suite.note(`it cost ${swapped.feeSat} sat of at most ${feeMaxSat} sat and took ${ms} ms`);
        },
      );
    }
    await suite.case(
      "swap: confirmed when too little is left of cdk's quote, it is quoted anew",
      async () => {
        const [from, to] = [cdk, nutshell];
        await erin.fund(from.url, 200);
        const beforeTo = await erin.freeSat(to.url);
        const request = { from: from.url, to: to.url, amountSat: 90 };
        const { id, feeMaxSat } = await erin.wallet.prepareSwap(request);
        await new Promise((resolve) => setTimeout(resolve, 20_000));
        await erin.wallet.confirm(id);
        const swapped = await erin.wallet.wait(id);
        assert.equal(swapped.status, "done", `${swapped.state}: ${swapped.reason}`);
        assert.ok(swapped.feeSat <= feeMaxSat!);
        assert.equal(await erin.freeSat(to.url), beforeTo + 90);
        await assertOwed(erin);
      },
    );
    for (
      const [from, to, point] of [
        [nutshell, cdk, "swap.melt.after-send"],
        [cdk, nutshell, "swap.melt.after-send"],
        [nutshell, cdk, "swap.mint.after-send"],
        [cdk, nutshell, "swap.mint.after-send"],
      ] as const
    ) {
      await suite.case(`swap: from ${from.name} to ${to.name}, killed at ${point}`, async () => {
        await erin.fund(from.url, 200);
        const beforeTo = await erin.freeSat(to.url);
        await erin[Symbol.asyncDispose]();
        await crash({
          directory: erin.directory,
          seedWords,
          mint: from.url,
          point,
          act: { kind: "swap", to: to.url, amountSat: 100 },
        });
        erin = await Party.open("erin", where);
        await settle(erin);
        assert.equal(await erin.freeSat(to.url), beforeTo + 100);
        await assertOwed(erin);
      });
    }
    await suite.case(
      "preparePayment: a price at the mint where nothing is held is swapped for",
      async () => {
        const [from, to] = [nutshell, cdk];
        const all = await erin.freeSat(to.url);
        const payee = await Party.open("frank", { directory, mints: [to.url] });
        await using _ = payee;
        const priceSat = all + 50;
        await erin.fund(from.url, priceSat);
        const plan = await erin.wallet.plan({ acceptedMints: [to.url], amountSat: priceSat });
        assert.equal(plan.kind, "swap", JSON.stringify(plan));
        const outcome = await erin.wallet.preparePayment({
          acceptedMints: [to.url],
          priceSat,
          lockTo: payee.wallet.paymentKey,
          confirmed: true,
        });
        assert.equal(outcome.status, "ready", JSON.stringify(outcome));
        const { token } = outcome as Extract<typeof outcome, { readonly status: "ready" }>;
        const taken = await payee.wallet.takePayment({
          payer: "erin",
          paymentId: "one",
          token,
          priceSat,
        });
        assert.equal(taken.status, "taken", JSON.stringify(taken));
        await settle(payee);
        assert.ok(await payee.freeSat(to.url) >= priceSat);
        assert.deepEqual(await payee.wallet.audit(), []);
      },
    );
  } finally {
    await erin[Symbol.asyncDispose]();
  }
}
