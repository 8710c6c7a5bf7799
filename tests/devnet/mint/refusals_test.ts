/** Every refusal has its code, and changes nothing. */
import assert from "node:assert/strict";
import type { Proof } from "@cashu/cashu-ts";
import { get, MintWorld, outputOf, post, splitOf, wireProofs } from "./support.ts";

interface Ready {
  readonly world: MintWorld;
  readonly url: string;
  readonly keysetId: string;
  readonly proofs: Proof[];
  swap(
    inputs: unknown[],
    outputs: unknown[],
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
}

async function ready(world: MintWorld, amount = 64): Promise<Ready> {
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, amount);
  const { url } = world.mint;
  const keysets = (await get(`${url}/v1/keysets`)).keysets as { id: string; active: boolean }[];
  const keysetId = keysets.find(({ active }) => active)!.id;
  return {
    world,
    url,
    keysetId,
    proofs,
    swap: (inputs, outputs) => post(`${url}/v1/swap`, { inputs, outputs }),
  };
}

async function assertRefused(
  answer: Promise<{ readonly status: number; readonly body: Record<string, unknown> }>,
  code: number,
): Promise<void> {
  const { status, body } = await answer;
  assert.deepEqual([status, body.code], [400, code], String(body.detail));
  assert.equal(typeof body.detail, "string");
}

Deno.test("a swap refuses what is spent, signed, unbalanced, doubled, unknown or forged", async () => {
  await using world = await MintWorld.start();
  const { swap, keysetId, proofs, url } = await ready(world, 65);
  const [one, big] = wireProofs(
    proofs.toSorted((a, b) => a.amount.toNumber() - b.amount.toNumber()),
  );
  assert.ok(one && big && one.amount === 1 && big.amount === 64);
  const output = outputOf(keysetId, 1);
  await assertRefused(swap([one], [outputOf(keysetId, 2)]), 11005);
  await assertRefused(swap([one], [outputOf(keysetId, 3)]), 11006);
  await assertRefused(swap([one, one], [outputOf(keysetId, 2)]), 11007);
  await assertRefused(swap([big], [{ ...output, amount: 32 }, { ...output, amount: 32 }]), 11008);
  await assertRefused(swap([{ ...one, id: "00deadbeefdeadbe" }], [output]), 12001);
  await assertRefused(swap([one], [{ ...output, id: "00deadbeefdeadbe" }]), 12001);
  await assertRefused(swap([{ ...one, C: big.C }], [output]), 10001);
  await assertRefused(swap([{ ...one, amount: 64 }], [{ ...output, amount: 64 }]), 10001);
  assert.equal((await swap([one], [output])).status, 200);
  await assertRefused(swap([one], [outputOf(keysetId, 1)]), 11001);
  await assertRefused(swap([big], [{ ...output, amount: 64 }]), 11003);
  const many = Array.from({ length: 1001 }, () => one);
  await assertRefused(swap(many, [outputOf(keysetId, 1)]), 11014);
  await assertRefused(swap([big], many.map(() => outputOf(keysetId, 1)).fill(output)), 11015);
  for (const inputs of [[], [{ ...one, amount: 1.5 }], [{ ...one, amount: "1" }], "x"]) {
    assert.equal((await post(`${url}/v1/swap`, { inputs, outputs: [output] })).status, 422);
  }
  assert.equal((await post(`${url}/v1/swap`, "{")).status, 422);
  assert.equal(world.mint.admin.books().isBalanced, true);
});

Deno.test("a mint refuses what is unpaid, issued, expired, or of another amount", async () => {
  await using world = await MintWorld.start();
  const { url, keysetId } = await ready(world);
  const quoteOf = async (body: unknown) => await post(`${url}/v1/mint/quote/bolt11`, body);
  await assertRefused(quoteOf({ amount: 8, unit: "usd" }), 11013);
  await assertRefused(quoteOf({ amount: 0, unit: "sat" }), 11006);
  await assertRefused(quoteOf({ amount: 8, unit: "sat", pubkey: "02ff" }), 20009);
  const { body: quote } = await quoteOf({ amount: 8, unit: "sat" });
  const outputs = [outputOf(keysetId, 8)];
  const mint = (outputs: unknown[]) =>
    post(`${url}/v1/mint/bolt11`, { quote: quote.quote, outputs });
  await assertRefused(mint(outputs), 20001);
  world.mint.admin.jumpClock(4000);
  await assertRefused(mint(outputs), 20007);
  await world.pay(String(quote.request));
  await assertRefused(mint([outputOf(keysetId, 4)]), 11005);
  assert.equal((await mint(outputs)).status, 200, "paid is paid, however late");
  world.mint.admin.clearCache();
  await assertRefused(mint(outputs), 20002);
  const unknown = await post(`${url}/v1/mint/bolt11`, { quote: "nobody's", outputs });
  assert.equal(unknown.status, 404);
});

Deno.test("a melt refuses what is pending, paid, failed, expired or short", async () => {
  await using world = await MintWorld.start();
  const { url, keysetId, proofs, swap } = await ready(world, 96);
  const [big, small] = wireProofs(
    proofs.toSorted((a, b) => b.amount.toNumber() - a.amount.toNumber()),
  );
  assert.ok(big?.amount === 64 && small?.amount === 32);
  const invoice = await world.invoice(20);
  const quoteOf = (request: string) =>
    post(`${url}/v1/melt/quote/bolt11`, { request, unit: "sat" });
  const [{ body: first }, { body: second }] = [await quoteOf(invoice), await quoteOf(invoice)];
  const blanks = [outputOf(keysetId, 1)];
  const melt = (quote: unknown, inputs: unknown[], outputs: unknown[] = blanks) =>
    post(`${url}/v1/melt/bolt11`, { quote, inputs, outputs });
  const { body: huge } = await quoteOf(await world.invoice(90));
  await assertRefused(melt(huge.quote, [big]), 11005);
  const { body: late } = await quoteOf(await world.invoice(5));
  world.mint.admin.jumpClock(700);
  await assertRefused(melt(late.quote, [small]), 20007);
  world.mint.admin.jumpClock(-700);
  world.mint.admin.pendingForever();
  assert.equal((await melt(first.quote, [big])).body.state, "PENDING");
  await assertRefused(melt(first.quote, [small], []), 20005);
  await assertRefused(melt(second.quote, [small], []), 20005);
  await assertRefused(swap([big], splitOf(64).map((amount) => outputOf(keysetId, amount))), 11002);
  await assertRefused(swap([small], [{ ...blanks[0]!, amount: 32 }]), 11004);
  await world.mint.admin.releasePending();
  await assertRefused(melt(first.quote, [small], []), 20006);
  await assertRefused(melt(second.quote, [small], []), 20006);
  await assertRefused(quoteOf(invoice), 20006);
  assert.equal((await quoteOf("lnbcrt1nonsense")).status, 422);
  assert.equal(world.mint.admin.books().isBalanced, true);
});
