import assert from "node:assert/strict";
import { lease } from "../../../trust/mod.ts";
import { NOW_S } from "../support.ts";
import { CONSUMER, GIVEN, HAD, LEASE, Lessors, PROVIDER, TIER } from "./support.ts";

type Said = Partial<lease.LeaseReceipt>;

const RECEIPT: lease.LeaseReceipt = {
  version: 1,
  type: "lease",
  lease: LEASE,
  provider: PROVIDER,
  consumer: CONSUMER,
  tier: lease.tierHash(TIER),
  image: "",
  ...{ fromS: NOW_S - 600, toS: NOW_S, seconds: 600, msatPerS: 50, msat: 30_000 },
  ...{ paidMsat: 49_100, refundSat: 19, unit: "sat", payments: [], unlisted: 0 },
  ...{ ending: "stopped", error: "" },
};

function kept(state: "agreed" | "one-sided", said: Said = {}) {
  return { state, signed: { receipt: { ...RECEIPT, ...said } } };
}

Deno.test("providerScore() rises with leases that lasted, by what their receipts are worth", () => {
  const [agreed, alone] = [kept("agreed"), kept("one-sided")];
  assert.equal(lease.providerScore([]), undefined);
  assert.equal(lease.providerScore([agreed]), 500);
  assert.equal(lease.providerScore([kept("agreed", { ending: "expired" })]), 500);
  assert.equal(lease.providerScore([alone]), 167);
  assert.equal(lease.providerScore(Array.from({ length: 9 }, () => agreed)), 900);
});

Deno.test("providerScore() falls with leases that ended badly, and most where the money is gone", () => {
  const unpaid = { msat: 0, seconds: 0, refundSat: 0 };
  const cases: readonly [string, number | undefined, "agreed" | "one-sided", Said][] = [
    ["its provider ended it", -500, "agreed", { ending: "evicted" }],
    ["its machine was lost", -500, "agreed", { ending: "lost" }],
    ["it ended early, by our word alone", -167, "one-sided", { ending: "evicted" }],
    ["nobody answered", -500, "one-sided", { ...unpaid, ending: "unanswered" }],
    ["it ended early, and nothing came back", -500, "one-sided", {
      ...{ ending: "evicted", msat: 5_000, seconds: 100, refundSat: 0 },
    }],
    ["we stopped it, and nothing came back", -500, "one-sided", {
      ...{ ending: "stopped", msat: 5_000, seconds: 100, refundSat: 0 },
    }],
    ["it failed, and nothing came back", -500, "one-sided", { ...unpaid, ending: "failed" }],
    ["it failed, and the money came back", undefined, "agreed", {
      ...{ ...unpaid, ending: "failed", refundSat: 48 },
    }],
  ];
  for (const [what, score, state, said] of cases) {
    assert.equal(lease.providerScore([kept(state, said)]), score, what);
  }
  const robbed = kept("one-sided", { ...unpaid, ending: "unanswered" });
  assert.equal(lease.providerScore([kept("agreed"), robbed]), 0, "one undoes the other");
});

Deno.test("LeaseScores asks the store once until a receipt is kept, and counts no lease that we gave", async () => {
  using sides = new Lessors();
  const { leases } = sides.consumerStore;
  let askedCount = 0;
  const scores = new lease.LeaseScores({
    get revision() {
      return leases.revision;
    },
    others: (role) => leases.others(role),
    list: (filter) => {
      askedCount++;
      return leases.list(filter);
    },
  });
  const score = () => scores.scoreOf(PROVIDER);
  assert.deepEqual([score(), score(), askedCount], [undefined, undefined, 0]);
  await sides.conclude();
  assert.deepEqual([score(), score(), askedCount], [500, 500, 1]);
  const { lease: _, readyS: __, ...unanswered } = HAD;
  sides.had = { ...unanswered, payments: [], refundedSat: 0, ending: "unanswered" };
  await sides.conclude();
  assert.deepEqual([score(), askedCount], [0, 2]);
  assert.equal(scores.scoreOf(CONSUMER), undefined);
  // As a provider it knows its lessee, and makes nothing of it.
  sides.provider.offer({ ...GIVEN, lease: LEASE.replace("container-3", "container-4") });
  assert.equal(
    new lease.LeaseScores(sides.providerStore.leases).scoreOf(CONSUMER),
    undefined,
  );
});
