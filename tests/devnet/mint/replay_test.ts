/** NUT-19: what a repeated request is answered, and NUT-20: who may take a paid quote. */
import assert from "node:assert/strict";
import { getPubKeyFromPrivKey, signMintQuote } from "@cashu/cashu-ts";
import { MintWorld, outputOf, post, splitOf, wireProofs } from "./support.ts";

const KEY = "11".repeat(32);

Deno.test("the same bytes get the same answer until the time is up, and no refusal is kept", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 24);
  const { id } = wallet.getKeyset();
  const swapUrl = `${world.mint.url}/v1/swap`;
  const outputs = splitOf(24).map((amount) => outputOf(id, amount));
  const body = JSON.stringify({ inputs: wireProofs(proofs), outputs });
  const first = await post(swapUrl, body);
  assert.equal(first.status, 200);
  assert.deepEqual(await post(swapUrl, body), first);
  assert.equal(
    (await post(swapUrl, `${body} `)).body.code,
    11001,
    "other bytes are another request",
  );
  world.mint.admin.jumpClock(61);
  assert.equal((await post(swapUrl, body)).body.code, 11001);
  world.mint.admin.jumpClock(-61);
  assert.equal((await post(swapUrl, body)).body.code, 11001, "what ran out is forgotten");
  const log = world.mint.admin.requests("/v1/swap");
  assert.deepEqual(log.map(({ isCached, status }) => [isCached, status]), [
    [false, 200],
    [true, 200],
    [false, 400],
    [false, 400],
    [false, 400],
  ]);
  assert.equal(new Set(log.map(({ bodySha256 }) => bodySha256)).size, 2);
});

Deno.test("a PENDING melt is kept only if the mint is told to, and then hides what came of it", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  for (const cachePending of [false, true]) {
    world.mint.admin.change({ cachePending });
    world.mint.admin.pendingForever();
    const proofs = await world.fund(wallet, 64);
    const quote = await wallet.createMeltQuoteBolt11(await world.invoice(30));
    const body = JSON.stringify({ quote: quote.quote, inputs: wireProofs(proofs) });
    const melt = () => post(`${world.mint.url}/v1/melt/bolt11`, body);
    assert.equal((await melt()).body.state, "PENDING");
    await world.mint.admin.releasePending();
    assert.equal((await wallet.checkMeltQuoteBolt11(quote.quote)).state, "PAID");
    const again = await melt();
    if (cachePending) assert.equal(again.body.state, "PENDING");
    else assert.equal(again.body.code, 20006);
  }
});

Deno.test("eight copies of one swap at once have one effect", async () => {
  await using world = await MintWorld.start();
  world.mint.admin.disableNuts([19]);
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 8);
  const outputs = [outputOf(wallet.getKeyset().id, 8)];
  const body = JSON.stringify({ inputs: wireProofs(proofs), outputs });
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => post(`${world.mint.url}/v1/swap`, body)),
  );
  const codes = answers.map(({ status, body }) => status === 200 ? 200 : body.code);
  assert.deepEqual(codes.toSorted(), [11001, 11001, 11001, 11001, 11001, 11001, 11001, 200]);
  const restored = await post(`${world.mint.url}/v1/restore`, { outputs });
  assert.equal((restored.body.signatures as unknown[]).length, 1);
});

Deno.test("a locked quote takes the amended signature, the old one, or as told only one of them", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const pubkey = getPubKeyFromPrivKey(Uint8Array.fromHex(KEY)).toHex();
  const mintUrl = `${world.mint.url}/v1/mint/bolt11`;
  for (const mode of ["both", "amended", "legacy"] as const) {
    world.mint.admin.change({ quoteSignatures: mode });
    const quote = await wallet.createLockedMintQuote(8, pubkey);
    assert.equal(quote.pubkey, pubkey);
    await world.pay(quote.request);
    const outputs = [outputOf(wallet.getKeyset().id, 8)];
    const bare = await post(mintUrl, { quote: quote.quote, outputs });
    assert.equal(bare.body.code, 20008);
    const stranger = signMintQuote("22".repeat(32), quote.quote, outputs as never);
    assert.equal(
      (await post(mintUrl, { quote: quote.quote, outputs, signature: stranger })).body.code,
      20008,
    );
    world.mint.admin.clearRequests();
    const proofs = await wallet.mintProofsBolt11(8, quote, { privkey: KEY });
    assert.equal(proofs[0]?.amount.toNumber(), 8);
    const statuses = world.mint.admin.requests("/v1/mint/bolt11").map(({ status }) => status);
    assert.deepEqual(statuses, mode === "legacy" ? [400, 200] : [200], mode);
  }
});

Deno.test("the old signature alone is enough where both are taken", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const pubkey = getPubKeyFromPrivKey(Uint8Array.fromHex(KEY)).toHex();
  const mintUrl = `${world.mint.url}/v1/mint/bolt11`;
  for (const [mode, status] of [["amended", 400], ["both", 200]] as const) {
    world.mint.admin.change({ quoteSignatures: mode });
    const quote = await wallet.createLockedMintQuote(8, pubkey);
    await world.pay(quote.request);
    const outputs = [outputOf(wallet.getKeyset().id, 8)];
    const signature = signMintQuote(KEY, quote.quote, outputs as never);
    const answer = await post(mintUrl, { quote: quote.quote, outputs, signature });
    assert.equal(answer.status, status);
  }
});
