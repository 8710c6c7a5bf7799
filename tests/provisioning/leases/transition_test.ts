import assert from "node:assert/strict";
import type { Sha256 } from "../../../src/core/hash.ts";
import {
  canHappen,
  type Lease,
  LEASE_STATES,
  type LeaseEvent,
  type LeaseState,
  transition,
} from "../../../provisioning/leases/mod.ts";
import { ALICE, BASIC } from "../../support/provisioning/lease_world.ts";

const DIGEST = "d1".repeat(32) as Sha256;

function leaseIn(state: LeaseState, more: Partial<Lease> = {}): Lease {
  return {
    number: 1000,
    owner: ALICE,
    state,
    createdMs: 1000,
    changedMs: 1000,
    terms: {
      spec: BASIC,
      image: "ubuntu",
      env: {},
      sshPort: 30_000,
      ports: [],
      authorizedKeys: [],
      sshUser: "root",
      hostKey: "key",
      hostKeyFingerprint: "SHA256:f",
      tokenId: DIGEST,
      isTokenSafe: true,
      wantsNotices: false,
    },
    creditMsat: 0,
    spentMsat: 0,
    revivalCount: 0,
    mayExist: false,
    isPaused: false,
    ...more,
  };
}

const EVENTS: readonly LeaseEvent[] = [
  { type: "pull" },
  { type: "try" },
  { type: "pulled", digest: DIGEST },
  { type: "redeem" },
  { type: "redeemed", amountMsat: 180_000 },
  { type: "start" },
  { type: "ready" },
  { type: "topped-up", amountMsat: 1000 },
  { type: "lapse" },
  { type: "end", reason: "stopped", message: "stop" },
  { type: "fail", error: "backend_error", message: "no" },
  { type: "paid-late", amountMsat: 1000 },
  { type: "gone" },
  { type: "settled", refund: { status: "none" } },
  { type: "seen" },
  { type: "resumed" },
  { type: "revived" },
  { type: "stood", isCharged: false },
  { type: "shift", deltaMs: 1000 },
];

/** Where each event leads from each state; all that is not here cannot happen. */
const TABLE: Readonly<Record<LeaseState, Partial<Record<LeaseEvent["type"], LeaseState>>>> = {
  reserved: { pull: "pulling", redeem: "redeeming", fail: "failed" },
  pulling: { try: "pulling", pulled: "redeeming", fail: "failed" },
  redeeming: { redeemed: "paid", fail: "failed" },
  paid: { pull: "pulling", start: "starting", fail: "failed" },
  starting: { ready: "ready", fail: "failed" },
  ready: {
    "topped-up": "ready",
    lapse: "grace",
    end: "expiring",
    seen: "ready",
    resumed: "ready",
    revived: "ready",
    stood: "ready",
    shift: "ready",
  },
  grace: { "topped-up": "ready", end: "expiring", shift: "grace" },
  expiring: { gone: "expiring", settled: "destroyed" },
  destroyed: {},
  failed: { gone: "failed", "paid-late": "failed", settled: "refunded" },
  refunded: {},
};

Deno.test("transition() leads from every state by every event where the table says, and nowhere else", () => {
  for (const state of LEASE_STATES) {
    for (const event of EVENTS) {
      const after = transition(leaseIn(state), event, 5000);
      const wanted = TABLE[state][event.type];
      assert.equal(after?.state, wanted, `${state} ${event.type}`);
      assert.equal(canHappen(state, event.type), wanted !== undefined, `${state} ${event.type}`);
    }
  }
});

Deno.test("a lease that is paid goes from its image to its start, and may exist from there on", () => {
  const after = transition(leaseIn("pulling", { creditMsat: 1000 }), {
    type: "pulled",
    digest: DIGEST,
  }, 5000);
  assert.equal(after?.state, "starting");
  assert.equal(after?.mayExist, true);
  assert.equal(transition(leaseIn("paid"), { type: "start" }, 5000)?.mayExist, true);
});

Deno.test("nothing is settled while an instance may exist", () => {
  for (const state of ["expiring", "failed"] as const) {
    const lease = leaseIn(state, { mayExist: true });
    const settle = { type: "settled", refund: { status: "none" } } as const;
    assert.equal(transition(lease, settle, 5000), undefined);
    const gone = transition(lease, { type: "gone" }, 5000)!;
    assert.notEqual(transition(gone, settle, 5000), undefined);
  }
});

Deno.test("the paid time stands still from the moment until which a lease was delivered", () => {
  const ready = transition(
    leaseIn("starting", { creditMsat: 180_000 }),
    { type: "ready" },
    10_000,
  )!;
  assert.equal(ready.expiresMs, 10_000 + 3_600_000);
  const lost = transition(ready, {
    type: "end",
    reason: "lost",
    message: "gone",
    untilMs: 30_000,
  }, 90_000)!;
  assert.equal(lost.spentMsat, 1000);
  assert.equal(lost.sinceMs, undefined);
  assert.equal(lost.expiresMs, 30_000);
});
