import assert from "node:assert/strict";
import { ManualClock } from "../../support/manual_clock.ts";
import {
  PAYER_REFILL_MS,
  PAYERS_REMEMBERED_MAX,
  STRANGERS_ALLOWANCE,
  THROTTLE_RETRY_MS_MAX,
} from "../../../wallet/payments/limits.ts";
import { refusal, type TakeOutcome } from "../../../wallet/payments/outcome.ts";
import { type Admission, PayerThrottle } from "../../../wallet/payments/payer_throttle.ts";

const GOOD = { status: "taken" } as TakeOutcome;
const SPENT = refusal("spent", "it is");

function admitted(found: Admission | { readonly retryMs: number }): Admission {
  return "retryMs" in found ? assert.fail(`admitted wanted: ${found.retryMs}`) : found;
}

Deno.test("PayerThrottle hears whoever pays, and less whoever sends what comes to nothing", async () => {
  const clock = new ManualClock();
  const throttle = new PayerThrottle(clock);
  const known = { isStranger: false, tokenChars: 1_000 };
  for (let count = 0; count < 100; count++) {
    throttle.settle(admitted(throttle.admit("good", known)), GOOD);
    throttle.settle(admitted(throttle.admit("unlucky", known)), refusal("unavailable", "down"));
  }
  throttle.settle(admitted(throttle.admit("bad", known)), SPENT);
  throttle.settle(admitted(throttle.admit("bad", known)), SPENT);
  const refused = throttle.admit("bad", known);
  assert.ok("retryMs" in refused && refused.retryMs <= PAYER_REFILL_MS);
  admitted(throttle.admit("good", known));
  await clock.advance(PAYER_REFILL_MS);
  admitted(throttle.admit("bad", known));
  throttle.charge("bad");
  assert.ok("retryMs" in throttle.admit("bad", known));
});

Deno.test("PayerThrottle bounds what all strangers together may waste, and not those who paid", async () => {
  const clock = new ManualClock();
  const throttle = new PayerThrottle(clock);
  const stranger = { isStranger: true, tokenChars: 4_000 };
  let heard = 0;
  for (let count = 0; count < 1_000; count++) {
    const found = throttle.admit(`stranger ${count}`, stranger);
    if ("retryMs" in found) {
      assert.ok(found.retryMs >= 100 && found.retryMs <= THROTTLE_RETRY_MS_MAX);
      continue;
    }
    heard++;
    throttle.settle(found, SPENT);
  }
  assert.equal(heard, Math.floor(STRANGERS_ALLOWANCE / 9));
  admitted(throttle.admit("known", { ...stranger, isStranger: false }));
  await clock.advance(1_000);
  const newcomer = admitted(throttle.admit("newcomer", stranger));
  throttle.settle(newcomer, GOOD);
});

Deno.test("PayerThrottle remembers a bounded number of payers", () => {
  const throttle = new PayerThrottle(new ManualClock());
  throttle.charge("first");
  for (let count = 0; count < PAYERS_REMEMBERED_MAX; count++) throttle.charge(`${count}`);
  admitted(throttle.admit("first", { isStranger: false, tokenChars: 1 }));
});
