import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { ListedMints } from "../../../wallet/mint/mints.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import { MemoryWalletStore } from "../../../wallet/store/sqlite_wallet_store.ts";
import type { MintUrl } from "../../../wallet/types.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { newKeyset, ScriptedMint } from "./scripted_mint.ts";

function world(...urls: MintUrl[]) {
  const clock = new ManualClock();
  const store = MemoryWalletStore.open({ clock, seedFingerprint: "0123456789abcdef" });
  const blocked: string[] = [];
  store.transact((tx) => {
    for (const url of urls) tx.putMint({ url, trust: "trusted", addedMs: 0 });
  });
  const make = () =>
    new ListedMints({
      store,
      clock,
      onBlocked: (url, reason) => blocked.push(`${url}: ${reason}`),
    });
  return { clock, store, blocked, make };
}

Deno.test("ListedMints gives no way to a mint that is not listed, and makes no request", () => {
  const { make } = world();
  const mints = make();
  const url = parseMintUrl("https://mint.example");
  assert.throws(() => mints.of(url), (error) => isSeedmintError(error, "denied"));
  assert.equal(mints.candidate(url).url, url);
});

Deno.test("ListedMints keeps info, keysets and cooldowns in the store", async () => {
  const keyset = newKeyset();
  await using mint = new ScriptedMint([keyset]);
  const { store, clock, make } = world(mint.url);
  const mints = make();
  assert.equal(mints.of(mint.url), mints.of(mint.url), "one for each mint");
  await mints.of(mint.url).activeKeyset();
  mint.on("/v1/info", () => new Response(null, { status: 429, headers: { "retry-after": "60" } }));
  const info = mints.of(mint.url).info();
  await assert.rejects(info, (error) => isSeedmintError(error, "busy"));
  assert.equal(store.mint(mint.url)?.cooldownUntilMs, clock.nowMs() + 60_000);
  const reopened = make().of(mint.url);
  assert.equal(reopened.cachedKeyset(keyset.id)?.id, keyset.id);
  assert.equal(reopened.cooldownMs(), 60_000);
});

Deno.test("ListedMints blocks a mint whose keyset takes the id of another's with other keys", async () => {
  const honest = newKeyset({ version: 0 });
  await using first = new ScriptedMint([honest]);
  await using second = new ScriptedMint();
  const { store, blocked, make } = world(first.url, second.url);
  // No second preimage is at hand: the first mint's keys are swapped in the store instead.
  await make().of(first.url).activeKeyset();
  store.transact((tx) => {
    const record = tx.mint(first.url)!;
    const cache = record.cache!.replace(honest.keys["1"]!, newKeyset().keys["1"]!);
    tx.putMint({ ...record, cache });
  });
  second.keysets([honest]);
  const mints = make();
  for (let count = 0; count < 2; count++) {
    const asked = mints.of(second.url).activeKeyset();
    await assert.rejects(asked, (error) => isSeedmintError(error, "protocol"));
  }
  assert.match(store.mint(second.url)?.blockedReason ?? "", /has the id of another keyset/);
  assert.equal(store.mint(first.url)?.blockedReason, undefined);
  assert.match(blocked[0]!, /has the id of another keyset/);
});

Deno.test("ListedMints takes one mint at two addresses for what it is", async () => {
  const keyset = newKeyset();
  await using first = new ScriptedMint([keyset]);
  await using second = new ScriptedMint([keyset]);
  const { blocked, make } = world(first.url, second.url);
  const mints = make();
  await mints.of(first.url).activeKeyset();
  assert.equal((await mints.of(second.url).activeKeyset()).id, keyset.id);
  assert.deepEqual(blocked, []);
});
