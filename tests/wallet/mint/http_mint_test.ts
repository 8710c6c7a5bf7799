import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { keysetIdOfZeroExpiry } from "../../../wallet/cashu.ts";
import { HttpMint, type MintMemory } from "../../../wallet/mint/http_mint.ts";
import { MintRefusal } from "../../../wallet/mint/mint_api.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { newKeyset, ScriptedMint } from "./scripted_mint.ts";

/** A cache as the store keeps it, and what the mint was blocked for. */
class Memory implements MintMemory {
  text: string | undefined;
  blockedFor: string | undefined;
  load = () => this.text;
  save = (text: string) => void (this.text = text);
  block = (reason: string) => void (this.blockedFor = reason);
}

const isUnavailable = (error: unknown) => isSeedmintError(error, "unavailable") && error.retryable;
const isProtocol = (error: unknown) => isSeedmintError(error, "protocol");

for (const version of [0, 1] as const) {
  Deno.test(`HttpMint takes keysets of version 0${version} whose keys make up their id`, async () => {
    const keyset = newKeyset({ version, feePpk: 100 });
    await using mint = new ScriptedMint([keyset]);
    const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
    const { secretKeys: _, ...wanted } = keyset;
    assert.deepEqual(await http.activeKeyset(), wanted);
    assert.deepEqual(http.cachedKeyset(keyset.id), wanted);
    assert.equal(mint.countOf(`/v1/keys/${keyset.id}`), 1);
    await http.keyset(keyset.id);
    assert.equal(mint.countOf(`/v1/keys/${keyset.id}`), 1, "keys are asked for once");
  });

  Deno.test(`HttpMint refuses keys that do not make up an id of version 0${version}`, async () => {
    const keyset = newKeyset({ version });
    await using mint = new ScriptedMint([keyset]);
    const { id, unit } = keyset;
    mint.json(`/v1/keys/${id}`, { keysets: [{ id, unit, keys: newKeyset({ version }).keys }] });
    const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
    await assert.rejects(http.activeKeyset(), isProtocol);
    assert.equal(http.cachedKeyset(id), undefined);
  });
}

Deno.test("HttpMint refuses a fee, unit or expiry that the id of version 01 does not cover", async () => {
  const keyset = newKeyset({ feePpk: 100 });
  for (const lie of [{ input_fee_ppk: 0 }, { final_expiry: 2_000_000_000 }]) {
    await using mint = new ScriptedMint([keyset]);
    mint.json("/v1/keysets", {
      keysets: [{ id: keyset.id, unit: "sat", active: true, input_fee_ppk: 100, ...lie }],
    });
    const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
    await assert.rejects(http.activeKeyset(), isProtocol);
  }
});

Deno.test("HttpMint takes an expiry of 0, as nutshell's rotation gives it, for none", async () => {
  const { unit, keys } = newKeyset({ feePpk: 200 });
  const id = keysetIdOfZeroExpiry({ id: "01", unit, keys, inputFeePpk: 200 })!;
  await using mint = new ScriptedMint();
  const listed = { id, unit, active: true, input_fee_ppk: 200 };
  mint.json("/v1/keysets", { keysets: [{ ...listed, final_expiry: 0 }] });
  mint.json(`/v1/keys/${id}`, { keysets: [{ id, unit, keys }] });
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  assert.equal((await http.activeKeyset()).id, id);
  const lying = new HttpMint({ url: mint.url, clock: new ManualClock() });
  mint.json("/v1/keysets", { keysets: [{ ...listed, final_expiry: 2_000_000_000 }] });
  await assert.rejects(lying.activeKeyset(), isProtocol);
});

Deno.test("HttpMint chooses the active keyset of sat with the lowest fee that has not expired", async () => {
  const dear = newKeyset({ feePpk: 200 });
  const cheap = newKeyset({ feePpk: 100 });
  await using mint = new ScriptedMint([dear, cheap]);
  const listed = (keyset: typeof dear, more = {}) => ({
    id: keyset.id,
    unit: "sat",
    active: true,
    input_fee_ppk: keyset.inputFeePpk,
    ...more,
  });
  const dollars = newKeyset();
  const old = { id: "I2yN+iRYfkzT", unit: "sat", active: true };
  mint.json("/v1/keysets", {
    keysets: [listed(dear), listed(cheap), listed(dollars, { unit: "usd" }), old],
  });
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  assert.equal((await http.activeKeyset()).id, cheap.id);
  assert.deepEqual(http.cachedKeysetIds().sort(), [dear.id, cheap.id].sort());
  mint.json("/v1/keysets", { keysets: [listed(dear), listed(cheap, { active: false })] });
  assert.equal((await http.activeKeyset({ fresh: true })).id, dear.id);
  assert.equal((await http.keyset(cheap.id)).active, false, "its proofs still count");
  mint.json("/v1/keysets", { keysets: [listed(dear, { active: false })] });
  await assert.rejects(http.activeKeyset({ fresh: true }), isUnavailable);
});

Deno.test("HttpMint needs no answer at start for what it knew before", async () => {
  const keyset = newKeyset();
  const memory = new Memory();
  const clock = new ManualClock();
  const { url } = await (async () => {
    await using mint = new ScriptedMint([keyset]);
    const http = new HttpMint({ url: mint.url, clock, memory });
    await http.activeKeyset();
    await http.info();
    return mint;
  })();
  await clock.advance(26 * 60 * 60_000);
  const offline = new HttpMint({ url, clock, memory });
  assert.equal(offline.cachedKeyset(keyset.id)?.id, keyset.id);
  assert.equal((await offline.activeKeyset()).id, keyset.id);
  assert.ok((await offline.info()).nuts.has(9));
  await assert.rejects(offline.info({ fresh: true }), isUnavailable);
});

Deno.test("HttpMint has a mint blocked that changes the keys of a keyset", async () => {
  const keyset = newKeyset({ version: 0 });
  await using mint = new ScriptedMint([keyset]);
  const [clock, memory] = [new ManualClock(), new Memory()];
  const http = new HttpMint({ url: mint.url, clock, memory });
  await http.activeKeyset();
  const { id, unit } = keyset;
  mint.json(`/v1/keys/${id}`, { keysets: [{ id, unit, keys: newKeyset({ version: 0 }).keys }] });
  await clock.advance(25 * 60 * 60_000);
  await assert.rejects(http.keysets({ fresh: true }), isProtocol);
  assert.match(memory.blockedFor ?? "", /changed its keys/);
});

Deno.test("HttpMint has a mint blocked that changes what an id of version 01 covers", async () => {
  const keyset = newKeyset({ feePpk: 100 });
  await using mint = new ScriptedMint([keyset]);
  const memory = new Memory();
  const http = new HttpMint({ url: mint.url, clock: new ManualClock(), memory });
  await http.activeKeyset();
  mint.keysets([{ ...keyset, inputFeePpk: 900 }]);
  await assert.rejects(http.keysets({ fresh: true }), isProtocol);
  assert.match(memory.blockedFor ?? "", /changed its fee/);
  assert.equal((await http.keyset(keyset.id)).inputFeePpk, 100);
});

Deno.test("HttpMint asks once when many ask at the same time, and for as long as one waits", async () => {
  const keyset = newKeyset();
  await using mint = new ScriptedMint([keyset]);
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  const controller = new AbortController();
  const leaver = http.activeKeyset({ signal: controller.signal });
  const rest = Array.from({ length: 20 }, () => http.activeKeyset());
  controller.abort(new Error("left"));
  await assert.rejects(leaver);
  for (const found of await Promise.all(rest)) assert.equal(found.id, keyset.id);
  assert.equal(mint.countOf("/v1/keysets"), 1);
});

Deno.test("HttpMint does not ask again and again for keysets that a stranger made up", async () => {
  const keyset = newKeyset();
  await using mint = new ScriptedMint([keyset]);
  const clock = new ManualClock();
  const http = new HttpMint({ url: mint.url, clock });
  const isNotFound = (error: unknown) => isSeedmintError(error, "not-found");
  for (let count = 0; count < 50; count++) {
    await assert.rejects(http.keyset(newKeyset({ count: 1 }).id), isNotFound);
  }
  assert.equal(mint.countOf("/v1/keysets"), 1);
  const rotated = newKeyset();
  mint.keysets([rotated]);
  await assert.rejects(http.keyset(rotated.id), isNotFound);
  assert.equal((await http.keyset(rotated.id, { fresh: true })).id, rotated.id);
  const next = newKeyset();
  mint.keysets([next]);
  await clock.advance(6000);
  assert.equal((await http.keyset(next.id)).id, next.id);
});

Deno.test("HttpMint reads info, and only what is supported counts", async () => {
  await using mint = new ScriptedMint();
  const method = { method: "bolt11", unit: "sat", min_amount: 1, max_amount: 5000 };
  mint.json("/v1/info", {
    name: "A\x1b[31m mint",
    version: "Nutshell/1",
    icon_url: "https://x.example/y.png",
    nuts: {
      "4": { methods: [{ ...method, unit: "usd" }, method], disabled: false },
      "5": { methods: [method], disabled: true },
      "7": { supported: true },
      "8": { supported: false },
      "12": { supported: true },
      "17": { supported: [] },
      "19": { ttl: 60, cached_endpoints: [{ method: "POST", path: "/v1/swap" }] },
      "x": { supported: true },
    },
  });
  const info = await new HttpMint({ url: mint.url, clock: new ManualClock() }).info();
  assert.deepEqual([...info.nuts].sort((a, b) => a - b), [4, 7, 12, 19]);
  assert.equal(info.name, "A [31m mint");
  assert.equal(info.mintMax, 5000n);
  assert.equal(info.cacheMs, 60_000);
  assert.deepEqual(info.cachedPaths, ["/v1/swap"]);
});

Deno.test("HttpMint refuses quotes that are not what was asked for, or not exact", async () => {
  await using mint = new ScriptedMint();
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  const pubkey = newKeyset().keys["1"]!;
  const quote = { quote: "q1", request: "lnbcrt1", state: "UNPAID", amount: 21, pubkey, expiry: 9 };
  const ask = () => http.createMintQuote({ amount: 21n, pubkey });
  mint.json("/v1/mint/quote/bolt11", quote);
  assert.equal((await ask()).expiryMs, 9000);
  const wrong = [
    { amount: 22 },
    { amount: 21.5 },
    { pubkey: newKeyset().keys["1"] },
    { unit: "usd" },
    { state: "MAYBE" },
    { quote: "" },
    { quote: "q".repeat(300) },
    { request: 7 },
  ];
  for (const change of wrong) {
    mint.json("/v1/mint/quote/bolt11", { ...quote, ...change });
    await assert.rejects(ask(), isProtocol, JSON.stringify(change));
  }
  mint.on("/v1/mint/quote/bolt11", () => new Response('{"quote":"q1","amount":21.0}'));
  await assert.rejects(ask(), isProtocol);
  mint.json("/v1/mint/quote/bolt11/q1", { ...quote, quote: "q2" });
  await assert.rejects(http.mintQuote("q1"), isProtocol);
  const melt = { quote: "m1", amount: 9007199254740993, fee_reserve: 1, state: "UNPAID" };
  mint.on("/v1/melt/quote/bolt11", () => new Response(JSON.stringify(melt)));
  await assert.rejects(http.createMeltQuote({ invoice: "lnbcrt1" }), isProtocol);
  mint.json("/v1/melt/quote/bolt11", { ...melt, amount: 5, request: "lnbcrt2" });
  await assert.rejects(http.createMeltQuote({ invoice: "lnbcrt1" }), isProtocol);
  mint.json("/v1/melt/quote/bolt11", { code: 20006, detail: "already paid" }, 400);
  await assert.rejects(
    http.createMeltQuote({ invoice: "lnbcrt1" }),
    (error) => error instanceof MintRefusal && error.code === 20006,
  );
});

Deno.test("HttpMint reads quotes of mints that know only `paid`", async () => {
  await using mint = new ScriptedMint();
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  mint.json("/v1/mint/quote/bolt11/q%2F1", {
    quote: "q/1",
    request: "lnbcrt1",
    paid: true,
    expiry: null,
  });
  assert.equal((await http.mintQuote("q/1")).state, "PAID");
});

Deno.test("HttpMint gives states in the order of the question, and wants all of them", async () => {
  await using mint = new ScriptedMint();
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  const [a, b] = Object.values(newKeyset().keys) as [string, string];
  const answer = (...states: unknown[]) => mint.json("/v1/checkstate", { states });
  answer({ Y: b, state: "SPENT", witness: null }, { Y: a, state: "UNSPENT" });
  const found = await http.checkStates([a, b]);
  assert.deepEqual(found.map(({ state }) => state), ["UNSPENT", "SPENT"]);
  answer({ Y: a, state: "UNSPENT" });
  await assert.rejects(http.checkStates([a, b]), isProtocol);
  answer({ Y: a, state: "UNSPENT" }, { Y: b, state: "GONE" });
  await assert.rejects(http.checkStates([a, b]), isProtocol);
});

Deno.test("HttpMint takes of a restore only what it asked for, by blinded message", async () => {
  await using mint = new ScriptedMint();
  const http = new HttpMint({ url: mint.url, clock: new ManualClock() });
  const keyset = newKeyset();
  const [a, b, c] = Object.values(keyset.keys) as [string, string, string];
  const outputs = [a, b].map((blinded) => ({ blinded, amount: 1n, keysetId: keyset.id }));
  const signature = (C_: string) => ({ id: keyset.id, amount: 1, C_ });
  const output = (B_: string) => ({ id: keyset.id, amount: 1, B_ });
  mint.json("/v1/restore", {
    outputs: [output(b), output(a)],
    signatures: [signature(c), signature(a)],
  });
  const both = await http.restore(outputs);
  assert.equal(both.get(b)?.C_, c);
  assert.equal(both.get(a)?.C_, a);
  mint.json("/v1/restore", { outputs: [output(c)], signatures: [signature(c)] });
  assert.equal((await http.restore(outputs)).size, 0);
  mint.json("/v1/restore", { outputs: [output(a)], signatures: [] });
  await assert.rejects(http.restore(outputs), isProtocol);
});
