/** Rotation, fees, expiry, and change across a rotation. */
import assert from "node:assert/strict";
import { deriveKeysetId, type Proof, type Wallet } from "@cashu/cashu-ts";
import { get, MintWorld, outputOf, post, sumOf, wireProofs } from "./support.ts";

interface WireKeyset {
  readonly id: string;
  readonly unit: string;
  readonly active: boolean;
  readonly input_fee_ppk: number;
  readonly final_expiry: number | null;
  readonly keys: Record<string, string>;
}

async function keysetOf(world: MintWorld, id: string): Promise<WireKeyset> {
  const { keysets } = await get(`${world.mint.url}/v1/keys/${id}`);
  return (keysets as WireKeyset[])[0]!;
}

async function meltPending(world: MintWorld, wallet: Wallet, proofs: Proof[]) {
  world.mint.admin.pendingForever();
  const quote = await wallet.createMeltQuoteBolt11(await world.invoice(20));
  const blanks = Array.from({ length: 6 }, () => outputOf(wallet.getKeyset().id, 0));
  await post(`${world.mint.url}/v1/melt/bolt11`, {
    quote: quote.quote,
    inputs: wireProofs(proofs),
    outputs: blanks,
  });
  return quote.quote;
}

Deno.test("each rotation makes the one active keyset, with an id of version 2 that derives anew", async () => {
  await using world = await MintWorld.start({ inputFeePpk: 100 });
  const expiry = Math.floor(Date.now() / 1000) + 1000;
  const ids = [world.mint.admin.setFee(0), world.mint.admin.rotateKeyset({ finalExpiryS: expiry })];
  const { keysets } = await get(`${world.mint.url}/v1/keysets`);
  const listed = keysets as WireKeyset[];
  assert.deepEqual(listed.map(({ active }) => active), [false, false, true]);
  assert.deepEqual(listed.map(({ input_fee_ppk }) => input_fee_ppk), [100, 0, 0]);
  assert.deepEqual(listed.slice(1).map(({ id }) => id), ids);
  for (const { id } of listed) {
    const { keys, unit, input_fee_ppk, final_expiry } = await keysetOf(world, id);
    const derived = deriveKeysetId(keys, {
      unit,
      input_fee_ppk,
      versionByte: 1,
      ...(final_expiry === null ? {} : { expiry: final_expiry }),
    });
    assert.equal(derived, id);
    assert.match(id, /^01[0-9a-f]{64}$/);
  }
});

Deno.test("old proofs are taken at their own fee, old outputs are not signed", async () => {
  await using world = await MintWorld.start({ inputFeePpk: 1000 });
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 8);
  const old = wallet.getKeyset().id;
  const fresh = world.mint.admin.setFee(0);
  const swap = (id: string, amounts: number[]) =>
    post(`${world.mint.url}/v1/swap`, {
      inputs: wireProofs(proofs),
      outputs: amounts.map((amount) => outputOf(id, amount)),
    });
  assert.equal((await swap(old, [1, 2, 4])).body.code, 12002);
  assert.equal((await swap(fresh, [8])).body.code, 11005);
  assert.equal((await swap(fresh, [1, 2, 4])).status, 200);
  assert.equal(world.mint.admin.books().fees, 1n);
});

Deno.test("an expired keyset neither spends nor signs", async () => {
  await using world = await MintWorld.start();
  const expiry = Math.floor(Date.now() / 1000) + 1000;
  const id = world.mint.admin.rotateKeyset({ finalExpiryS: expiry });
  const wallet = await world.wallet();
  const proofs = await world.fund(wallet, 8);
  world.mint.admin.jumpClock(1001);
  const answer = await post(`${world.mint.url}/v1/swap`, {
    inputs: wireProofs(proofs),
    outputs: [outputOf(id, 8)],
  });
  assert.equal(answer.body.code, 12003);
});

Deno.test("change comes with the keyset of its blank after a rotation, or as told with the new one", async () => {
  await using world = await MintWorld.start();
  for (const changeKeyset of ["blank", "active"] as const) {
    world.mint.admin.change({ changeKeyset });
    const wallet = await world.wallet();
    const proofs = await world.fund(wallet, 64);
    const old = wallet.getKeyset().id;
    const quote = await meltPending(world, wallet, proofs);
    const fresh = world.mint.admin.rotateKeyset();
    await world.mint.admin.releasePending();
    const { state, change } = await get(`${world.mint.url}/v1/melt/quote/bolt11/${quote}`);
    assert.equal(state, "PAID");
    const signed = change as { id: string; amount: number }[];
    assert.deepEqual(
      new Set(signed.map(({ id }) => id)),
      new Set([changeKeyset === "blank" ? old : fresh]),
    );
    assert.equal(signed.reduce((sum, { amount }) => sum + amount, 0), 64 - 20 - 2);
    assert.equal(world.mint.admin.books().isBalanced, true);
  }
});

Deno.test("change of amount 0 is left out, or given as told", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const counts: number[] = [];
  for (const zeroChange of [false, true]) {
    world.mint.admin.change({ zeroChange });
    const quote = await meltPending(world, wallet, await world.fund(wallet, 64));
    await world.mint.admin.releasePending();
    const { change } = await get(`${world.mint.url}/v1/melt/quote/bolt11/${quote}`);
    counts.push((change as unknown[]).length);
  }
  assert.deepEqual(counts, [3, 6], "42 is 32 + 8 + 2");
});

Deno.test("a wallet restores from its seed across keysets", async () => {
  await using world = await MintWorld.start();
  const seed = new Uint8Array(64).fill(7);
  const first = await world.fund(await world.wallet(seed), 21);
  const old = first[0]!.id;
  world.mint.admin.rotateKeyset();
  await world.fund(await world.wallet(seed), 10);
  const wallet = await world.wallet(seed);
  const found: Proof[] = [];
  for (const keysetId of [old, wallet.getKeyset().id]) {
    await wallet.keyChain.ensureKeysetKeys(keysetId);
    found.push(...(await wallet.batchRestore(20, 20, 0, keysetId)).proofs);
  }
  assert.equal(sumOf(found), 31);
});

Deno.test("a keyset with an id of version 1 is one that wallets take", async () => {
  await using world = await MintWorld.start();
  const id = world.mint.admin.rotateKeyset({ idVersion: 1 });
  assert.match(id, /^00[0-9a-f]{14}$/);
  const wallet = await world.wallet();
  assert.equal(wallet.getKeyset().id, id);
  const proofs = await world.fund(wallet, 64);
  assert.ok(proofs.every((proof) => proof.id === id));
});
