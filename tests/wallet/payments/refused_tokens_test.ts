import assert from "node:assert/strict";
import { ManualClock } from "../../support/manual_clock.ts";
import { REFUSED_TOKEN_MS } from "../../../wallet/payments/limits.ts";
import { RefusedTokens } from "../../../wallet/payments/refused_tokens.ts";

Deno.test("RefusedTokens remembers for a day", async () => {
  const clock = new ManualClock();
  const refused = new RefusedTokens<string>(clock);
  refused.add("a", "spent");
  assert.equal(refused.get("a"), "spent");
  assert.equal(refused.get("b"), undefined);
  await clock.advance(REFUSED_TOKEN_MS);
  assert.equal(refused.get("a"), undefined);
});

Deno.test("RefusedTokens forgets what was not asked for the longest when it is full", () => {
  const refused = new RefusedTokens<number>(new ManualClock(), { countMax: 3 });
  for (const [index, hash] of ["a", "b", "c"].entries()) refused.add(hash, index);
  assert.equal(refused.get("a"), 0);
  refused.add("d", 3);
  assert.deepEqual(["a", "b", "c", "d"].map((hash) => refused.get(hash)), [0, undefined, 2, 3]);
});
