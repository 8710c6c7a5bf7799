/** Credit that is left, asked back over the wire. */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/host/system.ts";
import type { Gate, RefundAnswer } from "../../../swarm/ports.ts";
import { askRefund } from "../../../swarm/requester/mod.ts";
import { FETCHER, never } from "../provider/support.ts";
import { Market } from "./market.ts";

/** A market whose gate answers one after another of `answers`, the last for ever. */
async function marketOf(answers: readonly (RefundAnswer | Error)[]) {
  const market = await Market.start();
  const asked: string[] = [];
  (market.gate as Gate).refund = (viewer) => {
    asked.push(viewer.peerId);
    const answer = answers[Math.min(asked.length, answers.length) - 1]!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const ask = (signal = never()) =>
    askRefund({
      network: market.tap.network,
      peer: { peerId: market.seller.peerId, addrs: market.seller.addresses() },
      clock: systemClock,
      signal,
    });
  return { market, asked, ask };
}

const REFUNDED = { status: "refunded", token: "cashuBxyz", amountSat: 40 } as const;

Deno.test("askRefund() gets what its seller gives back to the peer of the stream, the same again", async () => {
  const { market, asked, ask } = await marketOf([REFUNDED]);
  await using _market = market;
  deepEqual(await ask(), { token: "cashuBxyz", amountSat: 40 });
  deepEqual(await ask(), { token: "cashuBxyz", amountSat: 40 });
  deepEqual(asked, [FETCHER, FETCHER]);
});

Deno.test("askRefund() asks again while a refund is being made, and after its seller stumbled", async () => {
  const { market, asked, ask } = await marketOf([
    { status: "pending", retryMs: 1 },
    new Error("the disk is full of secrets"),
    REFUNDED,
  ]);
  await using _market = market;
  equal((await ask()).amountSat, 40);
  equal(asked.length, 3);
});

Deno.test("askRefund() says in words why nothing is paid back", async () => {
  for (
    const [code, words] of [
      ["dust", /too little is left/],
      ["in-use", /a fetch uses it/],
      ["Not a code\u0007", /it says "refused"/],
    ] as const
  ) {
    const { market, ask } = await marketOf([{ status: "declined", code, reason: "a secret" }]);
    await using _market = market;
    await rejects(ask(), (error) => {
      ok(isSeedmintError(error, "denied"));
      ok(!error.message.includes("a secret"), "the reason stays with the seller");
      return words.test(error.message);
    });
  }
});

Deno.test("askRefund() ends when a seller is never done, knows no refunds, or nobody waits", async () => {
  const endless = await marketOf([{ status: "pending", retryMs: 0 }]);
  await using _endless = endless.market;
  await rejects(endless.ask(), /once a day|ask again later/);
  equal(endless.asked.length, 10);
  await rejects(endless.ask(AbortSignal.abort(new Error("enough"))), /enough/);
  const none = await marketOf([]);
  await using _none = none.market;
  delete (none.market.gate as Gate).refund;
  await rejects(none.ask(), /it cannot at the moment/);
});
