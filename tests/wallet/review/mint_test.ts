import assert from "node:assert/strict";
import { MintCache } from "../../../wallet/mint/mint_cache.ts";
import { resolveLnurl } from "../../../wallet/lightning/lnurl.ts";
import { systemClock } from "../../../src/host/system.ts";
import { newKeyset } from "../mint/scripted_mint.ts";

Deno.test("a mint that lists other keysets each time does not make its cache grow", () => {
  const known = newKeyset();
  const cache = new MintCache();
  cache.putKeysets([known], 1);
  assert.ok(cache.putKeys(known.id, known.keys, 1));
  for (let round = 0; round < 20; round++) {
    const list = Array.from({ length: 500 }, (_, index) => ({
      id: `00${(round * 500 + index).toString(16).padStart(14, "0")}`,
      unit: "sat",
      active: true,
      inputFeePpk: 0,
    }));
    cache.putKeysets(list, round);
  }
  assert.ok(cache.keysets().length <= 501, `${cache.keysets().length} keysets are kept`);
  assert.ok(cache.keyset(known.id), "what its ecash may be of is kept");
});

Deno.test("what was pasted as an address to pay is not told again", async () => {
  const secret = "lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0v9cxj0m385ekvcenxc6r2c35";
  await assert.rejects(resolveLnurl(secret, { clock: systemClock }), (error: Error) => {
    assert.ok(!error.message.includes(secret.slice(0, 30)), error.message);
    return true;
  });
});
