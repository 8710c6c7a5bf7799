/** What every mint must be able to do with our wallet. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { newSeedWords } from "../../../src/core/keys.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { HttpMint } from "../../../wallet/mint/http_mint.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import type { PostOutcome } from "../../../wallet/mint/mint_api.ts";
import { planOutputs } from "../../../wallet/outputs/planning.ts";
import { swapBody } from "../../../wallet/outputs/requests.ts";
import { decodeToken, tokenMetadata } from "../../../wallet/token.ts";
import { Party } from "./party.ts";
import { assertBooks, crash, outsideInvoice, pay, settle, tokenOf, type World } from "./world.ts";

/** Sat that are swapped and paid in the cases; each fund is small against the mints' limits. */
const FUND_SAT = 2_000;

/** Funding, and whose quote it is (NUT-04, NUT-20). */
export async function fundCases({ suite, mint, alice, bob, ...rest }: World): Promise<void> {
  await suite.case("fund: an invoice that the mint takes for paid becomes ecash", async () => {
    await alice.fund(mint.url, FUND_SAT);
    assert.equal(await alice.freeSat(mint.url), FUND_SAT);
    await assertBooks({ suite, mint, alice, bob, ...rest });
  });
  await suite.case("NUT-20: nobody mints on our quote without our signature", async () => {
    const created = alice.seen.find(({ path }) => path === "/v1/mint/quote/bolt11")!;
    const { pubkey } = JSON.parse(created.body!) as { readonly pubkey: string };
    const answer = created.answer as { readonly pubkey?: string };
    assert.equal(answer.pubkey, pubkey, "the quote names our key");
    const quote = await rawPost(mint.url, "/v1/mint/quote/bolt11", created.body!);
    assert.equal(quote.kind, "answered");
    const { quote: quoteId } = (quote as { body: unknown }).body as { readonly quote: string };
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const outputs = await outputsOf(mint.url, FUND_SAT);
    const body = (JSON.parse(swapBody({ inputs: [], outputs })) as { outputs: unknown }).outputs;
    const claim = JSON.stringify({ quote: quoteId, outputs: body });
    const refused = await rawPost(mint.url, "/v1/mint/bolt11", claim);
    assert.equal(refused.kind, "refused", JSON.stringify(refused));
    suite.note(`an unsigned claim is refused with code ${codeOf(refused)}`);
    const claims = alice.seen.filter(({ path }) => path === "/v1/mint/bolt11");
    suite.note(
      `our first claim took ${claims.length} request(s): the ${
        claims.length === 1 ? "amended" : "older"
      } message of NUT-20 is what it verifies`,
    );
  });
}

/** Tokens, plain and locked, given and taken back (NUT-03, 07, 10, 11, 12). */
export async function tokenCases(world: World): Promise<void> {
  const { suite, mint, alice, bob } = world;
  await suite.case("send: a plain token is redeemed once, and its sender sees it", async () => {
    const { id, token } = await tokenOf(alice, { mint: mint.url, amountSat: 333 });
    const { receivedSat, operation } = await bob.wallet.receive({ token });
    assert.equal(operation.status, "done", operation.reason ?? "");
    assert.ok(receivedSat >= 330 && receivedSat < 333, `received ${receivedSat} sat`);
    await assert.rejects(bob.wallet.receive({ token }), /Cannot receive/);
    const [seen] = await alice.wallet.resume({ id });
    assert.equal(seen!.state, "claimed", "by checkstate");
    await assertBooks(world);
  });
  await suite.case("send locked: only the holder of the key redeems it", async () => {
    const { token } = await tokenOf(alice, {
      mint: mint.url,
      amountSat: 200,
      lockTo: bob.wallet.paymentKey,
    });
    await assert.rejects(alice.wallet.receive({ token }), /Cannot receive/);
    const stranger = await redeemRaw(token);
    assert.equal(stranger.kind, "refused", JSON.stringify(stranger));
    suite.note(`without its witness a locked proof is refused with code ${codeOf(stranger)}`);
    const { operation } = await bob.wallet.receive({ token });
    assert.equal(operation.status, "done", operation.reason ?? "");
    await assertBooks(world);
  });
  await suite.case(
    "redeem batched: five payments are credited at once, redeemed in one swap",
    () => redeemBatched(world),
  );
  await suite.case("reclaim: a token that nobody took comes back", async () => {
    const { id } = await tokenOf(alice, { mint: mint.url, amountSat: 77 });
    const back = await alice.wallet.reclaim(id);
    assert.equal(back.state, "reclaimed", back.reason ?? "");
    await assertBooks(world);
  });
  await suite.case("reclaim locked: our refund key spends it after the locktime", async () => {
    // A wallet of its own, for its clock is moved: it waits a minute longer than the mint does.
    await using gina = await Party.open("gina", { directory: world.directory, mints: [mint.url] });
    await gina.fund(mint.url, 200);
    const locktimeS = Math.floor(gina.clock.nowMs() / 1000) + 2;
    const lockTo = bob.wallet.paymentKey;
    const { id } = await tokenOf(gina, { mint: mint.url, amountSat: 64, lockTo, locktimeS });
    await assert.rejects(gina.wallet.reclaim(id), /locked to its receiver/);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    gina.clock.jump(70_000);
    await gina.wallet.reclaim(id);
    const back = await gina.wallet.wait(id);
    assert.equal(back.state, "reclaimed", back.reason ?? "");
    await assertEmptied(world, gina);
  });
}

async function redeemBatched(world: World): Promise<void> {
  const { mint, alice, bob } = world;
  const before = await bob.freeSat(mint.url);
  const swapsBefore = bob.count("POST", "/v1/swap");
  const payments: string[] = [];
  for (let index = 0; index < 5; index++) {
    const { token } = await tokenOf(alice, {
      mint: mint.url,
      amountSat: 40,
      lockTo: bob.wallet.paymentKey,
    });
    const paymentId = `payment-${crypto.randomUUID()}`;
    const taken = await bob.wallet.takePayment({ payer: "peer", paymentId, token });
    assert.equal(taken.status, "taken", JSON.stringify(taken));
    const { receipt } = taken as Extract<typeof taken, { readonly status: "taken" }>;
    assert.equal(receipt.state, "credited", "before the mint was asked");
    payments.push(paymentId);
  }
  const stateOf = (id: string) => bob.wallet.paymentReceipt("peer", id)?.state;
  for (let tries = 0; tries < 100 && payments.some((id) => stateOf(id) !== "redeemed"); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.deepEqual(payments.map(stateOf), payments.map(() => "redeemed"));
  assert.equal(bob.count("POST", "/v1/swap") - swapsBefore, 1, "swaps");
  const gained = await bob.freeSat(mint.url) - before;
  assert.ok(gained > 190 && gained < 200, `gained ${gained} sat of 200 sat less one fee`);
  await assertBooks(world);
}

/** Paying invoices, with change (NUT-05, NUT-08). */
export async function meltCases(world: World): Promise<void> {
  const { suite, mint, alice, bob } = world;
  await suite.case(
    "melt: an invoice is paid, and what was reserved too much comes back",
    async () => {
      const before = await alice.freeSat(mint.url);
      const paid = await pay(alice, { mint: mint.url, invoice: outsideInvoice(250) });
      assert.equal(await alice.freeSat(mint.url), before - 250 - paid.feeSat);
      suite.note(`the fee was ${paid.feeSat} sat of at most ${paid.feeMaxSat} sat`);
      suite.note(describeMelt(alice));
      await assertBooks(world);
    },
  );
  for (const network of ["testnet", "signet", "regtest"] as const) {
    await suite.case(`melt: an invoice of ${network} is read by both`, async () => {
      await pay(alice, { mint: mint.url, invoice: outsideInvoice(20, { network }) });
      await assertBooks(world);
    });
  }
  await suite.case(
    "melt: an invoice that the mint's Lightning pays itself is paid once",
    async () => {
      const before = await bob.freeSat(mint.url);
      const { operation, invoice } = await bob.wallet.fund({ mint: mint.url, amountSat: 30 });
      const prepared = await alice.wallet.preparePay({ mint: mint.url, invoice }).catch(
        (error: Error) => error,
      );
      if (!(prepared instanceof Error)) {
        await alice.wallet.confirm(prepared.id);
        await settle(alice);
        const ended = await alice.wallet.operation(prepared.id);
        suite.note(
          `paying an invoice that its fake Lightning may have paid ends as ${ended.state}, after ${
            requestsOf(alice).split(", ").findLast((request) => request.startsWith("melt"))
          }`,
        );
      } else suite.note(`paying an invoice that its fake Lightning has paid: ${prepared.message}`);
      const funded = await bob.wallet.wait(operation.id);
      assert.equal(funded.status, "done", funded.reason ?? "");
      assert.equal(await bob.freeSat(mint.url), before + 30);
      await assertBooks(world);
    },
  );
}

/** What a rotation in the middle does. */
export async function rotationCases(world: World): Promise<void> {
  const { suite, mint, alice, bob } = world;
  await suite.case("rotation: between plan and request the send is planned anew", async () => {
    const prepared = await alice.wallet.prepareSend({
      mint: mint.url,
      amountSat: 100,
      lockTo: bob.wallet.paymentKey,
    });
    await mint.rotateKeyset(200);
    await alice.wallet.confirm(prepared.id);
    await settle(alice);
    const sent = await alice.wallet.operation(prepared.id);
    assert.equal(sent.state, "token-ready", sent.reason ?? "");
    const { operation } = await bob.wallet.receive({
      token: await alice.wallet.token(prepared.id),
    });
    assert.equal(operation.status, "done", operation.reason ?? "");
    await assertBooks(world);
  });
  await suite.case("rotation: ecash of the old keyset pays and gives change", async () => {
    const before = await alice.freeSat(mint.url);
    const paid = await pay(alice, { mint: mint.url, invoice: outsideInvoice(90) });
    assert.equal(await alice.freeSat(mint.url), before - 90 - paid.feeSat);
    await assertBooks(world);
  });
  await suite.case("rotation: a restart of the mint keeps both keysets", async () => {
    const { token } = await tokenOf(alice, { mint: mint.url, amountSat: 45 });
    await mint.restart();
    const { operation } = await bob.wallet.receive({ token });
    const ended = await bob.wallet.wait(operation.id);
    assert.equal(ended.status, "done", ended.reason ?? "");
    await assertBooks(world);
  });
}

/** SIGKILL with an answer that was not written down, and what is found again. */
export async function crashCases(world: World): Promise<void> {
  const { suite, mint, alice, bob, directory } = world;
  const points = [
    ["send.swap.before-send", "send"],
    ["send.swap.after-send", "send"],
    ["redeem.swap.after-send", "receive"],
    ["melt.melt.after-send", "pay"],
    ["fund.mint.after-send", "fund"],
  ] as const;
  for (const [point, kind] of points) {
    await suite.case(
      `crash: killed at ${point}, the wallet resumes and nothing is lost`,
      async () => {
        const seedWords = newSeedWords();
        const name = `carol-${point}`;
        const where = { directory, seedWords, mints: [mint.url] };
        const carol = await Party.open(name, where);
        await carol.fund(mint.url, 300);
        const { token } = await tokenOf(alice, { mint: mint.url, amountSat: 50 });
        await carol[Symbol.asyncDispose]();
        const act = kind === "send"
          ? { kind, amountSat: 100, lockTo: bob.wallet.paymentKey } as const
          : kind === "receive"
          ? { kind, token } as const
          : kind === "pay"
          ? { kind, invoice: outsideInvoice(100) } as const
          : { kind, amountSat: 60 } as const;
        await crash({ directory: carol.directory, seedWords, mint: mint.url, point, act });
        await using again = await Party.open(name, where);
        await settle(again);
        if (kind !== "receive") await bob.wallet.receive({ token });
        const sent = (await again.wallet.history()).find((one) => one.state === "token-ready");
        if (kind === "send") {
          await bob.wallet.receive({ token: await again.wallet.token(sent!.id) });
        }
        await settle(bob);
        suite.note(`after the crash: ${requestsOf(again)}`);
        await assertEmptied(world, again);
      },
    );
  }
}

/** Sends all that a wallet has to bob, so that later cases count two wallets only. */
async function assertEmptied(world: World, party: Party): Promise<void> {
  const { mint, bob } = world;
  await assertBooks(world, [party]);
  const { total, token } = await allOf(party, mint.url);
  assert.ok(total > 0);
  const { operation } = await bob.wallet.receive({ token });
  assert.equal(operation.status, "done", operation.reason ?? "");
  await settle(party);
  for (const open of await party.wallet.pending()) await party.wallet.resume({ id: open.id });
  assert.equal(await party.heldSat(mint.url), 0);
  await assertBooks(world);
}

async function allOf(
  party: Party,
  mint: string,
): Promise<{ readonly total: number; readonly token: string }> {
  const total = await party.freeSat(mint);
  return { total, token: (await tokenOf(party, { mint, amountSat: total })).token };
}

/**
 * Twelve words and the mint's address (NUT-09, NUT-13). The last cases: alice is another wallet after
 * them, and the old one must not be used.
 */
export async function restoreCases(world: World): Promise<void> {
  const { suite, mint, alice, bob, directory } = world;
  await suite.case("restore: twelve words find all that is free, in a new folder", async () => {
    await tokenOf(alice, { mint: mint.url, amountSat: 21 });
    const wanted = await alice.freeSat(mint.url) + 21;
    await using again = await Party.open("alice-again", {
      directory,
      seedWords: alice.seedWords,
      mints: [mint.url],
    });
    const startMs = performance.now();
    const { foundSat, operations } = await again.wallet.restore({});
    assert.deepEqual(operations.map(({ status }) => status), ["done"], operations[0]?.reason ?? "");
    // The plain token that nobody took is made of the same words.
    assert.equal(foundSat, wanted);
    assert.equal(await again.freeSat(mint.url), wanted);
    assert.deepEqual(await again.wallet.audit(), []);
    const ms = Math.round(performance.now() - startMs);
    suite.note(
      `restored ${foundSat} sat with ${again.count("POST", "/v1/restore")} requests in ${ms} ms`,
    );
    // Counters go on behind what was found: the next outputs are new to the mint.
    const { token } = await tokenOf(again, { mint: mint.url, amountSat: 100 });
    const { operation } = await bob.wallet.receive({ token });
    assert.equal(operation.status, "done", operation.reason ?? "");
    await assertBooks({ ...world, alice: again });
  });
}

/** The same request once more (NUT-19), and what is said without it. */
export async function replayCases(world: World, hasCache: boolean): Promise<void> {
  const { suite, mint, alice, bob } = world;
  const name = hasCache
    ? "NUT-19: an exact repetition gets the same answer"
    : "NUT-19 is absent: an exact repetition is refused, and restore finds the outputs";
  await suite.case(name, async () => {
    const { nuts } = (await alice.wallet.mints())[0]!;
    assert.equal(nuts.includes(19), hasCache);
    const { token } = await tokenOf(alice, {
      mint: mint.url,
      amountSat: 31,
      lockTo: bob.wallet.paymentKey,
    });
    const swap = alice.seen.findLast(({ path }) => path === "/v1/swap")!;
    const again = await rawPost(mint.url, "/v1/swap", swap.body!);
    if (hasCache) {
      assert.deepEqual(again, { kind: "answered", body: swap.answer });
      await mint.restart();
      const later = await rawPost(mint.url, "/v1/swap", swap.body!);
      assert.equal(later.kind, "refused", JSON.stringify(later));
      suite.note(`after a restart of the mint it is refused with code ${codeOf(later)}`);
    } else {
      assert.equal(again.kind, "refused", JSON.stringify(again));
      suite.note(`a repeated swap is refused with code ${codeOf(again)}`);
    }
    const { outputs } = JSON.parse(swap.body!) as { readonly outputs: unknown[] };
    const restored = await rawPost(mint.url, "/v1/restore", JSON.stringify({ outputs }));
    assert.equal(restored.kind, "answered");
    const { signatures } = (restored as { body: { signatures: unknown[] } }).body;
    assert.equal(signatures.length, outputs.length);
    await bob.wallet.receive({ token });
    await assertBooks(world);
  });
}

/** What the last melt tells of the mint's habits. */
function describeMelt(party: Party): string {
  const quote = party.seen.findLast(({ path }) => path === "/v1/melt/quote/bolt11")!;
  const { expiry } = quote.answer as { readonly expiry?: number | null };
  const lastsS = expiry ? `${expiry - Math.floor(quote.atMs / 1000)} s` : "for ever";
  const melt = party.seen.findLast(({ path }) => path === "/v1/melt/bolt11")!;
  const { payment_preimage: preimage } = melt.answer as {
    readonly payment_preimage?: string | null;
  };
  const kind = preimage === null || preimage === undefined
    ? "none"
    : /^0+$/.test(preimage)
    ? `${preimage.length} zeros`
    : `${preimage.length} characters`;
  return `its quote lasts ${lastsS}; proof of payment to an invoice of nobody's: ${kind}`;
}

function requestsOf(party: Party): string {
  const posts = party.seen.filter(({ method, path }) =>
    method === "POST" && /^\/v1\/(swap|mint\/bolt11|melt\/bolt11|restore|checkstate)$/.test(path)
  );
  const quotes = party.seen.filter(({ path }) => /quote\/bolt11\/./.test(path)).length;
  const told = posts.map(({ path, status, answer }) => {
    const { code } = (answer ?? {}) as { readonly code?: number };
    return `${path.slice(4)} ${status}${code === undefined ? "" : ` (${code})`}`;
  });
  return [...told, ...quotes > 0 ? [`${quotes} look(s) at a quote`] : []].join(", ");
}

function mintAt(url: string): HttpMint {
  return new HttpMint({ url: parseMintUrl(url), clock: systemClock });
}

async function rawPost(url: string, path: string, body: string): Promise<PostOutcome> {
  return await mintAt(url).post(path, body);
}

async function outputsOf(url: string, amountSat: number) {
  const keyset = await mintAt(url).activeKeyset();
  return planOutputs({
    amount: BigInt(amountSat),
    role: "receive",
    keyset,
    keys: walletKeysOf(newSeedWords()),
    firstCounter: 0,
  });
}

/** Tries to redeem a locked token without a signature. */
async function redeemRaw(token: string): Promise<PostOutcome> {
  const { mint, amount, proofCount } = tokenMetadata(token);
  const keysets = await mintAt(mint).keysets();
  const { proofs } = decodeToken(token, keysets.map(({ id }) => id));
  const fee = Math.ceil(
    proofCount * Math.max(...keysets.map(({ inputFeePpk }) => inputFeePpk)) / 1000,
  );
  const outputs = await outputsOf(mint, Number(amount) - fee);
  return await rawPost(mint, "/v1/swap", swapBody({ inputs: proofs, outputs }));
}

function codeOf(outcome: PostOutcome): number | undefined {
  return outcome.kind === "refused" ? outcome.code : undefined;
}
