/** Peers that pay with garbage, and whom that must not keep from paying. */
import { deepEqual, equal, ok } from "node:assert/strict";
import type { Clock } from "../../../src/core/ports.ts";
import type { Gate, PaymentAnswer } from "../../../swarm/ports.ts";
import { DISTRUSTED_MAX, REFUSALS_BURST } from "../../../swarm/provider/limits.ts";
import { Metering } from "../../../swarm/provider/metering.ts";
import { PROVIDER_LIMITS } from "../../../swarm/provider/mod.ts";
import { Till } from "../../../swarm/provider/till.ts";
import { payment } from "../provider/memory_gate.ts";

/** Time stands still: whoever waits waits for ever. */
const STILL: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  sleep: () => new Promise(() => {}),
  timer: () => () => {},
};

const GATE: Gate = {
  decide: () => Promise.resolve({ decision: "free" }),
  pay: ({ payment }): Promise<PaymentAnswer> =>
    payment.token === "slow" ? new Promise(() => {}) : Promise.resolve(
      payment.token === "pay:1"
        ? { answer: "credited", creditMsat: 1 }
        : { answer: "refused", code: "malformed" },
    ),
};

function tillsOf(metering: Metering) {
  return (peerId: string) => {
    const viewer = { peerId, fleet: false };
    const till = new Till({
      gate: GATE,
      account: metering.of(peerId),
      metering,
      clock: STILL,
      viewer: () => Promise.resolve(viewer),
      say: () => Promise.resolve(),
      signal: new AbortController().signal,
    });
    return (text: string, index = 1) => till.pay(viewer, { ...payment(index, 1), token: text });
  };
}

Deno.test("Till takes the payments of others while any number of peers wait for garbage of theirs", async () => {
  const metering = new Metering({ limits: PROVIDER_LIMITS, clock: STILL });
  const tillOf = tillsOf(metering);
  let waitingCount = 0;
  for (let peer = 0; peer < 40; peer++) {
    const pay = tillOf(`garbage ${peer}`);
    // The burst, and one more that puts the peer into debt.
    for (let count = 0; count <= REFUSALS_BURST; count++) await pay("garbage", count);
    ok(metering.of(`garbage ${peer}`).distrustMs > 0);
    for (let count = 0; count < 8; count++) {
      void pay("garbage", 100 + count).then((answer) => {
        ok(answer.answer === "refused" && answer.code === "busy" && answer.retryMs! > 0);
        waitingCount -= 1;
      });
      waitingCount += 1;
    }
  }
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  equal(waitingCount, DISTRUSTED_MAX, "the others are told to come again");
  deepEqual(await tillOf("honest")("pay:1"), { answer: "credited", creditMsat: 1 });
});

Deno.test("Till keeps places for who has paid before while strangers wait for slow mints", async () => {
  const metering = new Metering({ limits: PROVIDER_LIMITS, clock: STILL });
  const tillOf = tillsOf(metering);
  const known = tillOf("known");
  equal((await known("pay:1")).answer, "credited");
  for (let peer = 0; peer < 10; peer++) {
    const pay = tillOf(`slow ${peer}`);
    for (let index = 0; index < 8; index++) void pay("slow", index);
  }
  const refused = await tillOf("stranger")("pay:1");
  ok(refused.answer === "refused" && refused.code === "busy" && refused.retryMs! > 0);
  equal((await known("pay:1", 2)).answer, "credited");
});
