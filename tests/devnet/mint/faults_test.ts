/** Every scripted failure does what it says, as often as it says, and nothing else. */
import assert from "node:assert/strict";
import { hasValidDleq, type Proof, type Wallet } from "@cashu/cashu-ts";
import { get, MintWorld, outputOf, post, splitOf, sumOf, wireProofs } from "./support.ts";

async function swapRaw(world: MintWorld, wallet: Wallet, amounts: number[]) {
  const proofs = await world.fund(wallet, amounts.reduce((sum, amount) => sum + amount, 0));
  const outputs = amounts.map((amount) => outputOf(wallet.getKeyset().id, amount));
  const answer = await post(`${world.mint.url}/v1/swap`, { inputs: wireProofs(proofs), outputs });
  const restored = await post(`${world.mint.url}/v1/restore`, { outputs });
  type Signature = { id: string; amount: number; C_: string; dleq?: { e: string; s: string } };
  return {
    given: answer.body.signatures as Signature[],
    honest: restored.body.signatures as Signature[],
  };
}

Deno.test("signatures are corrupted in the answer, and stay honest on disk", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const { admin } = world.mint;
  const scope = { path: "swap" };
  admin.badDleq(1, scope);
  const bad = await swapRaw(world, wallet, [4, 4]);
  assert.deepEqual(bad.given.map(({ C_ }) => C_), bad.honest.map(({ C_ }) => C_));
  assert.notDeepEqual(bad.given[0]!.dleq, bad.honest[0]!.dleq);
  admin.omitDleq(1, scope);
  const bare = await swapRaw(world, wallet, [4, 4]);
  assert.deepEqual(bare.given.map(({ dleq }) => dleq), [undefined, undefined]);
  admin.permuteSignatures(1, scope);
  const permuted = await swapRaw(world, wallet, [2, 4, 4]);
  assert.deepEqual(permuted.given, [0, 2, 1].map((index) => permuted.honest[index]));
  admin.dropSignature(1, scope);
  const dropped = await swapRaw(world, wallet, [2, 4]);
  assert.deepEqual(dropped.given, dropped.honest.slice(0, 1));
  admin.wrongAmount(1, scope);
  const wrong = await swapRaw(world, wallet, [2, 4]);
  assert.deepEqual(wrong.given.map(({ amount }) => amount), [4, 4]);
  const clean = await swapRaw(world, wallet, [2, 4]);
  assert.deepEqual(clean.given, clean.honest, "the script is used up");
  assert.equal(admin.books().isBalanced, true);
});

Deno.test("a wallet that checks DLEQ notices a bad one", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  world.mint.admin.badDleq();
  await assert.rejects(world.fund(wallet, 8), /DLEQ/i);
  const proofs = await world.fund(wallet, 8);
  assert.ok(proofs.every((proof) => hasValidDleq(proof, wallet.getKeyset())));
});

Deno.test("a mint that lies after paying says failed, and its quote says paid", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 64);
  const honest = await world.invoice(3);
  const invoice = await world.invoice(20);
  world.mint.admin.lieAfterPaying(1, { invoice });
  const other = await wallet.createMeltQuoteBolt11(honest);
  const { keep, send } = await wallet.send(8, proofs);
  assert.equal((await wallet.meltProofsBolt11(other, send)).quote.state, "PAID");
  const quote = await wallet.createMeltQuoteBolt11(invoice);
  await assert.rejects(wallet.meltProofsBolt11(quote, keep), { code: 20004 });
  assert.equal((await wallet.checkMeltQuoteBolt11(quote.quote)).state, "PAID");
  const states = await wallet.checkProofsStates(keep);
  assert.ok(states.every(({ state }) => state === "SPENT"));
});

Deno.test("a failed payment frees its inputs, and the same melt may be tried again", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 64);
  const quote = await wallet.createMeltQuoteBolt11(await world.invoice(20));
  world.lightning.script({ action: "fail", match: { from: "A" }, count: 1 });
  const body = { quote: quote.quote, inputs: wireProofs(proofs), outputs: [] };
  const melt = () => post(`${world.mint.url}/v1/melt/bolt11`, body);
  assert.equal((await melt()).body.code, 20004);
  assert.equal((await wallet.checkMeltQuoteBolt11(quote.quote)).state, "UNPAID");
  assert.ok((await wallet.checkProofsStates(proofs)).every(({ state }) => state === "UNSPENT"));
  assert.equal((await melt()).body.state, "PAID");
});

Deno.test("stale quotes say the state before, so many times", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const quote = await wallet.createMintQuoteBolt11(8);
  const stateOf = async () => (await wallet.checkMintQuoteBolt11(quote.quote)).state;
  world.mint.admin.staleQuotes(2, { quote: quote.quote });
  assert.equal(await stateOf(), "UNPAID", "nothing is before that");
  await world.pay(quote.request);
  assert.deepEqual([await stateOf(), await stateOf(), await stateOf()], [
    "UNPAID",
    "UNPAID",
    "PAID",
  ]);
});

Deno.test("a failure comes before the effect or after it, for one path, so many times", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 24);
  const outputs = splitOf(24).map((amount) => outputOf(wallet.getKeyset().id, amount));
  const swap = () => post(`${world.mint.url}/v1/swap`, { inputs: wireProofs(proofs), outputs });
  world.mint.admin.failNext("/v1/swap", 2, 503);
  assert.equal((await get(`${world.mint.url}/v1/keys`)).detail, undefined);
  assert.deepEqual([(await swap()).status, (await swap()).status], [503, 503]);
  assert.ok((await wallet.checkProofsStates(proofs)).every(({ state }) => state === "UNSPENT"));
  world.mint.admin.failNext("/v1/swap", 1, 502, { isAfter: true });
  assert.equal((await swap()).status, 502);
  assert.ok((await wallet.checkProofsStates(proofs)).every(({ state }) => state === "SPENT"));
  assert.equal((await swap()).status, 200, "NUT-19 has it");
  world.mint.admin.failNext("/v1/swap", 1, 400, { code: 11005, detail: "no" });
  assert.equal((await swap()).body.code, 11005);
});

Deno.test("a rate limit answers 429 and says when, until a minute has passed", async () => {
  await using world = await MintWorld.start();
  const ask = () => fetch(`${world.mint.url}/v1/info`);
  world.mint.admin.rateLimit({ perMinute: 2 });
  const statuses: number[] = [];
  let retryAfter: string | null = null;
  for (let i = 0; i < 3; i++) {
    const response = await ask();
    statuses.push(response.status);
    retryAfter = response.headers.get("retry-after");
    await response.body?.cancel();
  }
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.ok(Number(retryAfter) > 0 && Number(retryAfter) <= 60);
  world.mint.admin.jumpClock(61);
  const later = await ask();
  assert.equal(later.status, 200);
  await later.body?.cancel();
});

Deno.test("an offline mint refuses connections, and comes back on the same port", async () => {
  await using world = await MintWorld.start({ adminPort: 0 });
  const { url, adminUrl } = world.mint;
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const ask = async (path: string) =>
    await (await fetch(path, { client, method: path.includes("admin") ? "POST" : "GET" })).text();
  assert.match(await ask(`${url}/v1/info`), /DEVELOPMENT ONLY/);
  await world.mint.admin.offline(true);
  await assert.rejects(ask(`${url}/v1/info`), TypeError);
  assert.match(await ask(`${adminUrl}/admin/rotate-keyset`), /"result":"01/);
  await world.mint.admin.offline(false);
  assert.equal(world.mint.url, url);
  assert.match(await ask(`${url}/v1/info`), /DEVELOPMENT ONLY/);
  client.close();
});

Deno.test("the admin interface works over HTTP", async () => {
  await using world = await MintWorld.start();
  const { url } = world.mint;
  const wallet = await world.wallet();
  const proofs: Proof[] = await world.fund(wallet, 8);
  assert.equal(sumOf(proofs), 8);
  const { result: books } = await get(`${url}/admin/books`);
  assert.equal((books as { outstanding: number }).outstanding, 8);
  assert.equal((await post(`${url}/admin/fail-next`, ["/v1/keys", 1, 500])).status, 200);
  const { result: faults } = await get(`${url}/admin/faults`);
  assert.deepEqual(faults, [{ kind: "fail", path: "/v1/keys", count: 1, status: 500 }]);
  const { result: requests } = await get(`${url}/admin/requests?path=/v1/mint/bolt11`);
  assert.equal((requests as unknown[]).length, 1);
  assert.equal((await post(`${url}/admin/constructor`, [])).status, 404);
  assert.equal((await post(`${url}/admin/bad-dleq`, [-1])).status, 400);
  await post(`${url}/admin/clear-faults`, []);
  assert.deepEqual((await get(`${url}/admin/faults`)).result, []);
});

Deno.test("answers are altered field by field, for one path or one quote", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const quote = await wallet.createMintQuoteBolt11(8);
  const path = "/v1/mint/quote/bolt11";
  const read = () => get(`${world.mint.url}${path}/${quote.quote}`);
  world.mint.admin.alterAnswers(path, { amount: 9 }, { quote: quote.quote, count: 2 });
  const other = await wallet.createMintQuoteBolt11(4);
  assert.equal(other.amount.toNumber(), 4);
  const amounts = [(await read()).amount, (await read()).amount, (await read()).amount];
  assert.deepEqual(amounts, [9, 9, 8]);
});

Deno.test("a held melt can be given up, and its proofs are free again", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 64);
  const quote = await wallet.createMeltQuoteBolt11(await world.invoice(20));
  world.mint.admin.pendingForever();
  const body = { quote: quote.quote, inputs: wireProofs(proofs) };
  await post(`${world.mint.url}/v1/melt/bolt11`, body);
  assert.equal(world.mint.admin.books().pending, 64n);
  assert.equal(world.mint.admin.failPending(quote.quote), 1);
  assert.equal((await wallet.checkMeltQuoteBolt11(quote.quote)).state, "UNPAID");
  assert.ok((await wallet.checkProofsStates(proofs)).every(({ state }) => state === "UNSPENT"));
  assert.equal(world.mint.admin.failPending(), 0);
});

Deno.test("what is restored in part is restored in pairs", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 6);
  const outputs = [2, 4].map((amount) => outputOf(wallet.getKeyset().id, amount));
  await post(`${world.mint.url}/v1/swap`, { inputs: wireProofs(proofs), outputs });
  world.mint.admin.dropSignature(1, { path: "restore" });
  const { body } = await post(`${world.mint.url}/v1/restore`, { outputs });
  assert.deepEqual(body.outputs, outputs.slice(0, 1));
  assert.equal((body.signatures as unknown[]).length, 1);
});
