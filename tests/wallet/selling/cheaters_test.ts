import assert from "node:assert/strict";
import { newSeedWords } from "../../../src/core/keys.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import type { PaymentAnswer } from "../../../wallet/selling/selling_api.ts";
import type { Proof } from "../../../wallet/types.ts";
import { startKit, type WalletKit } from "../../support/wallet_kit.ts";
import { payingWallet, tokenFrom } from "../payments/payments_world.ts";
import { groups, idOf, SellingWorld, viewer } from "./selling_world.ts";

/** The token with each proof changed. */
async function changed(
  world: SellingWorld,
  token: string,
  change: (proof: Proof, index: number) => Proof,
): Promise<string> {
  const keysets = await world.buyer.context.mints.of(world.kit.url()).keysets();
  const { mint, unit, proofs } = decodeToken(token, keysets.map(({ id }) => id));
  return encodeToken({ mint, unit, proofs: proofs.map(change) });
}

function codeOf(answer: PaymentAnswer): string {
  return answer.answer === "refused" ? answer.code : answer.answer;
}

/** Nothing of it counts: no credit, nothing kept, nothing asked of the mint, nothing served. */
function assertNothing(world: SellingWorld, peer: string): void {
  assert.equal(world.seller.creditOf(viewer(peer)), 0);
  assert.equal(world.meter(peer).take(groups(1)), 0);
  assert.deepEqual(world.wallet.store.incomingPayments({}).filter((one) => one.payer === peer), []);
  assert.deepEqual(world.wallet.troubles(), []);
}

/** A kit and a world, with nothing asked of the mint from here on. */
async function scene(
  kit: WalletKit,
  options: Parameters<typeof SellingWorld.start>[1] = {},
): Promise<SellingWorld> {
  const world = await SellingWorld.start(kit, options);
  await world.wallet.context.mints.of(kit.url()).activeKeyset();
  await world.wallet.context.mints.of(kit.url()).info();
  return world;
}

Deno.test("a replayed token credits nobody twice: not its payer, not another peer", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const token = await world.token(64n);
  assert.deepEqual(await world.pay("p", "one", token), { answer: "credited", creditMsat: 64_000 });
  // The same payment again is the same payment.
  assert.deepEqual(await world.pay("p", "one", token), { answer: "credited", creditMsat: 64_000 });
  assert.equal(codeOf(await world.pay("p", "two", token)), "conflict");
  assert.equal(codeOf(await world.pay("thief", "one", token)), "conflict");
  assertNothing(world, "thief");
  await world.redeemAll();
  assert.deepEqual(await world.pay("p", "one", token), { answer: "credited", creditMsat: 64_000 });
  assert.equal(codeOf(await world.pay("p", "three", token)), "spent");
  assert.equal(world.seller.creditOf(viewer("p")), 64_000);
});

Deno.test("the same token from two peers at once counts for one of them", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const token = await world.token(64n);
  const answers = await Promise.all([world.pay("p", "x", token), world.pay("q", "x", token)]);
  assert.deepEqual(answers.map(codeOf).sort(), ["conflict", "credited"]);
  const credit = ["p", "q"].map((peer) => world.seller.creditOf(viewer(peer)));
  assert.deepEqual(credit.sort(), [0, 64_000]);
});

Deno.test("a token locked to another key, or to nobody, is not served on", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const other = walletKeysOf(newSeedWords()).payment.publicKey;
  const token = await world.token(64n, { lockTo: other });
  assert.equal(codeOf(await world.pay("p", "x", token)), "locked");
  assertNothing(world, "p");
  // Not locked at all: it is the payer's until it is redeemed.
  const plain = await tokenFrom(world.buyer, 64n);
  assert.equal(codeOf(await world.pay("q", "x", plain)), "pending");
  assert.equal(world.seller.creditOf(viewer("q")), 0);
  assert.equal(world.meter("q").take(groups(1)), 0);
  await world.redeemAll();
  assert.deepEqual(await world.pay("q", "x"), { answer: "credited", creditMsat: 64_000 });
});

Deno.test("ecash without DLEQ, or with a forged one, is refused before any mint is asked", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const token = await world.token(96n);
  const without = await changed(world, token, ({ dleq: _, ...proof }) => proof);
  const noFactor = await changed(world, token, (proof) => {
    const { r: _, ...dleq } = proof.dleq!;
    return { ...proof, dleq };
  });
  const forged = await changed(
    world,
    token,
    (proof, at) =>
      at === 0 ? proof : { ...proof, dleq: { ...proof.dleq!, s: "1".padStart(64, "0") } },
  );
  kit.mints[0]!.admin.clearRequests();
  assert.equal(codeOf(await world.pay("a", "x", without)), "malformed");
  assert.equal(codeOf(await world.pay("b", "x", noFactor)), "malformed");
  assert.equal(codeOf(await world.pay("c", "x", forged)), "malformed");
  for (const peer of ["a", "b", "c"]) assertNothing(world, peer);
  assert.equal(kit.mints[0]!.admin.requests().length, 0);
  // The forger is not listened to for a while; the ecash itself is as good as before.
  assert.equal(codeOf(await world.pay("c", "y", token)), "busy");
  assert.equal(codeOf(await world.pay("d", "x", token)), "credited");
});

Deno.test("a spent token gives no credit, and its payer is heard less", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const token = await tokenFrom(world.buyer, 64n);
  await kit.redeem(token);
  assert.equal(codeOf(await world.pay("p", "x", token)), "pending");
  assert.equal(world.meter("p").take(groups(1)), 0);
  await world.redeemAll();
  assert.equal(codeOf(await world.pay("p", "x")), "spent");
  assert.equal(world.seller.creditOf(viewer("p")), 0);
  assert.equal(codeOf(await world.pay("p", "y", await world.token(64n))), "busy");
  kit.clock.jump(60_000);
  assert.equal(codeOf(await world.pay("p", "y", await world.token(64n))), "credited");
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("a short locktime means that the ecash is redeemed before it counts", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 30 * 60;
  const token = await world.token(64n, { locktimeS });
  assert.equal(codeOf(await world.pay("p", "x", token)), "pending");
  assert.equal(world.meter("p").take(groups(1)), 0);
  await world.redeemAll();
  assert.equal(codeOf(await world.pay("p", "x")), "credited");
});

Deno.test("a foreign mint's token is refused without asking it, and so is one that the price does not take", async () => {
  await using kit = await startKit({ mints: 3 });
  await using world = await scene(kit, { sellerWallet: { mints: [0, 1] } });
  await world.buyer.fund(200n, kit.url(1));
  await world.buyer.fund(200n, kit.url(2));
  const foreign = await world.token(64n, { mint: kit.url(2) });
  const second = await world.token(64n, { mint: kit.url(1) });
  for (const mint of kit.mints) mint.admin.clearRequests();
  assert.equal(codeOf(await world.pay("p", "x", foreign)), "mint");
  assert.equal(kit.mints[2]!.admin.requests().length, 0);
  world.seller.setService({ id: "default", mints: [kit.url(0)] });
  assert.equal(codeOf(await world.pay("q", "x", second)), "mint");
  world.seller.setService({ id: "default", mints: [kit.url(0), kit.url(1)] });
  assert.equal(codeOf(await world.pay("q", "x", second)), "credited");
});

Deno.test("a wrong unit, a text that is no token, and too little are refused", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const token = await world.token(64n);
  const { proofs } = decodeToken(
    token,
    (await world.buyer.context.mints.of(kit.url()).keysets()).map(({ id }) => id),
  );
  const inMsat = encodeToken({ mint: kit.url(), unit: "msat", proofs });
  assert.equal(codeOf(await world.pay("a", "x", inMsat)), "unit");
  assert.equal(codeOf(await world.pay("b", "x", "cashuBgarbage")), "malformed");
  assert.equal(codeOf(await world.pay("b2", "x", "channel1:anything")), "malformed");
  assert.equal(codeOf(await world.pay("c", "x", await world.token(63n))), "price");
  for (const peer of ["a", "b", "b2", "c"]) assertNothing(world, peer);
});

Deno.test("a thousand proofs of dust are refused before they are looked at", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const token = await world.token(64n);
  const [proof] = decodeToken(
    token,
    (await world.buyer.context.mints.of(kit.url()).keysets()).map(({ id }) => id),
  ).proofs;
  const dust = (count: number) =>
    encodeToken({
      mint: kit.url(),
      unit: "sat",
      proofs: Array.from({ length: count }, (_, at) => ({
        ...proof!,
        amount: 1n,
        secret: String(at).padStart(64, "0"),
      })),
    });
  const startMs = performance.now();
  assert.equal(codeOf(await world.pay("a", "x", dust(1_000))), "malformed");
  assert.equal(codeOf(await world.pay("b", "x", dust(17))), "malformed");
  assert.ok(performance.now() - startMs < 1_000);
  for (const peer of ["a", "b"]) assertNothing(world, peer);
});

Deno.test("claims of more credit count for nothing: a question without a token gives none", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  const answer = await world.pay("p", "never sent");
  assert.deepEqual(answer, { answer: "refused", code: "unavailable", retryMs: 0 });
  assertNothing(world, "p");
  await world.credit("q", 64n);
  const token = await world.token(64n);
  assert.deepEqual(await world.pay("q", "x", token), { answer: "credited", creditMsat: 128_000 });
  // One id with another token is no second payment.
  assert.equal(codeOf(await world.pay("q", "x", await world.token(64n))), "conflict");
  assert.equal(world.seller.creditOf(viewer("q")), 128_000);
});

Deno.test("a thousand peers with bad payments at once do not keep an honest one waiting", async () => {
  await using kit = await startKit();
  await using world = await scene(kit);
  await world.credit("honest", 64n);
  const token = await world.token(64n);
  const forged = await Promise.all(
    Array.from({ length: 50 }, (_, at) =>
      changed(world, token, (proof) => ({
        ...proof,
        secret: proof.secret.replace(
          /"nonce":"../,
          `"nonce":"${(at + 10).toString(16).padStart(2, "0")}`,
        ),
      }))),
  );
  const good = await world.token(64n);
  kit.mints[0]!.admin.clearRequests();
  const peers = Array.from({ length: 1_000 }, (_, at) => `peer ${at}`);
  const startMs = performance.now();
  const attack = Promise.all(
    peers.map((peer, at) => world.pay(peer, "x", forged[at % forged.length]!)),
  );
  const answer = await world.pay("honest", "y", good);
  const honestMs = performance.now() - startMs;
  const codes = (await attack).map(codeOf);
  const allMs = performance.now() - startMs;
  assert.deepEqual(answer, { answer: "credited", creditMsat: 128_000 });
  assert.ok(honestMs < 2_000, `${honestMs} ms`);
  assert.ok(allMs < 5_000, `${allMs} ms`);
  assert.ok(codes.every((code) => code === "malformed" || code === "busy"));
  assert.equal(kit.mints[0]!.admin.requests().length, 0);
  // A stranger with good ecash is heard as soon as the crowd had its say.
  assert.equal(
    codeOf(
      await world.seller.pay({
        viewer: viewer("newcomer"),
        payment: { id: idOf("z"), token },
      }),
    ),
    "credited",
  );
  assert.deepEqual(world.wallet.troubles(), []);
  await payingWallet(kit, "nobody")[Symbol.asyncDispose]();
});
