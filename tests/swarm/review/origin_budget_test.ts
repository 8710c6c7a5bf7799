/** The budget of one fetch, asked for by several servers at one time. */
import { equal, ok } from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { OriginPayments } from "../../../swarm/origin/mod.ts";
import { fakeRequests, FakeSeller, tokenOf } from "../gateway/support.ts";

/** Two servers that ask 60 sat each, of a budget of 100. */
async function askTwice(prepare: () => Promise<string | undefined>) {
  const pay = new OriginPayments({
    payer: {
      preparePayment: async () => {
        const token = await prepare();
        return token === undefined
          ? { status: "declined", reason: "no money" }
          : { status: "ready", token };
      },
    },
    requests: fakeRequests,
    subject: "a".repeat(64) as Hash,
    random: systemRandom,
    satMax: 100,
  });
  const { creqA } = fakeRequests.encodePaymentRequest(new FakeSeller().terms, 60, 2_000_000_000);
  const demandOf = (url: string) => ({
    id: url,
    url: new URL(url),
    response: new Response(null, { status: 402, headers: { "x-cashu": creqA } }),
    isOwnHost: true,
    token: undefined,
    signal: new AbortController().signal,
  });
  const asked = ["http://a.example/x", "http://b.example/x"].map((url) => pay.pay(demandOf(url)));
  return { pay, outcomes: await Promise.allSettled(asked) };
}

Deno.test("OriginPayments spends no more than its bound on servers that ask together", async () => {
  let preparedCount = 0;
  const { pay, outcomes } = await askTwice(async () => {
    preparedCount += 1;
    await Promise.resolve();
    return tokenOf(60);
  });
  equal(preparedCount, 1);
  equal(pay.paidSat, 60);
  const refused = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [String(outcome.reason)] : []
  );
  equal(refused.length, 1);
  ok(refused[0]!.includes("more than the budget"));
});

Deno.test("OriginPayments sets nothing aside for what the wallet declined", async () => {
  const { pay } = await askTwice(() => Promise.resolve(undefined));
  equal(pay.paidSat, 0);
});
