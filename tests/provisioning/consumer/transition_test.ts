/** Every event in every state of leases and payments in the book, and the book on disk. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { LeaseBook } from "../../../provisioning/consumer/mod.ts";
import type { BookedLease, BookedPayment } from "../../../provisioning/consumer/mod.ts";
import {
  type BookedLeaseEvent,
  canHappenToLease,
  leaseAfter,
} from "../../../provisioning/consumer/book/lease_transition.ts";
import {
  canHappenToPayment,
  isPaymentOpen,
  paymentAfter,
  type PaymentEvent,
} from "../../../provisioning/consumer/book/payment_transition.ts";

const LEASE: BookedLease = {
  id: "aabbccdd",
  stage: "asking",
  address: { provider: "ab".repeat(32), isOurs: true },
  providerName: "Lender",
  wanted: {
    specId: "basic",
    specName: "Basic",
    cpuMillicores: 1000,
    memoryMb: 1024,
    rateMsatPerS: 50,
    image: "alpine",
    sshPublicKey: "",
    sshPassword: "",
  },
  payment: { mints: [], refundKey: "02" },
  verbs: [],
  createdMs: 1,
  changedMs: 1,
  complaints: [],
  isRecovered: false,
  owesReceipt: false,
};

const PAYMENT: BookedPayment = {
  id: "web",
  lease: LEASE.id,
  purpose: "spawn",
  state: "planned",
  amountSat: 10,
  mints: [],
  isBare: false,
  createdMs: 1,
  changedMs: 1,
  attemptCount: 0,
};

const END = { reason: "expired", message: "", atMs: 5 } as const;
const ACCESS = {
  lease: "container-1000",
  sshPort: 31000,
  sshUsername: "root",
  usesPassword: false,
  ports: [],
  readyMs: 5,
} as const;

const LEASE_EVENTS: readonly BookedLeaseEvent[] = [
  { type: "access", access: ACCESS, expiresMs: 10 },
  { type: "failed", end: END },
  { type: "settled", end: END },
  { type: "heard", state: "ready" },
  { type: "revived", state: "ready", expiresMs: 30 },
  { type: "extended", expiresMs: 20 },
  { type: "stop" },
  { type: "cut-short", end: END },
  { type: "over", end: END },
  { type: "keep" },
  { type: "complain", complaint: "It lied" },
  { type: "receipted" },
];

const PAYMENT_EVENTS: readonly PaymentEvent[] = [
  { type: "token", token: "cashuB", mint: "https://mint.example", feeSat: 0 },
  { type: "declined", message: "no" },
  { type: "send" },
  { type: "accepted" },
  { type: "refunded", error: "backend_error", message: "broken" },
  { type: "worthless", message: "bogus" },
  { type: "refused", error: "no_capacity", message: "full" },
  { type: "silence", message: "silent" },
  { type: "abandon", message: "late" },
  { type: "returned", amountSat: 10 },
  { type: "spent" },
  { type: "nothing" },
  { type: "wait", untilMs: 9 },
  { type: "forget" },
];

Deno.test("leaseAfter() answers every event at every stage as the diagram says", () => {
  const table: Record<string, string> = {};
  for (const stage of ["asking", "live", "stopping", "ended", "failed"] as const) {
    for (const event of LEASE_EVENTS) {
      const after = leaseAfter({ ...LEASE, stage }, event, 7);
      assert.equal(after !== undefined, canHappenToLease(stage, event.type));
      if (after !== undefined && after.stage !== stage) {
        table[`${stage} ${event.type}`] = after.stage;
      }
    }
  }
  assert.deepEqual(table, {
    "asking access": "live",
    "asking failed": "failed",
    "live stop": "stopping",
    "live cut-short": "stopping",
    "live over": "ended",
    "stopping over": "ended",
    "ended revived": "live",
    "failed access": "live",
  });
});

Deno.test("paymentAfter() answers every event in every state as the diagram says", () => {
  const states = [
    "planned",
    "ready",
    "sent",
    "taken",
    "refunded",
    "recovering",
    "returned",
    "lost",
    "declined",
  ] as const;
  const table: Record<string, string> = {};
  for (const state of states) {
    for (const event of PAYMENT_EVENTS) {
      const after = paymentAfter({ ...PAYMENT, state, sentMs: 3 }, event, 7);
      assert.equal(after !== undefined, canHappenToPayment(state, event.type));
      if (after !== undefined && after.state !== state) {
        table[`${state} ${event.type}`] = after.state;
      }
    }
  }
  assert.deepEqual(table, {
    "planned token": "ready",
    "planned declined": "declined",
    "planned abandon": "recovering",
    "ready send": "sent",
    "ready abandon": "recovering",
    "sent accepted": "taken",
    "sent refunded": "refunded",
    "sent refused": "recovering",
    "sent silence": "recovering",
    "refunded worthless": "recovering",
    "recovering accepted": "taken",
    "recovering refunded": "refunded",
    "recovering returned": "returned",
    "recovering spent": "lost",
    "recovering nothing": "declined",
    "lost accepted": "taken",
    "lost refunded": "refunded",
  });
});

Deno.test("a payment whose money is with somebody for good never becomes another", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PAYMENT_EVENTS), { maxLength: 30 }), (events) => {
      let payment = PAYMENT;
      let isSeen = false;
      for (const event of events) {
        const before = payment;
        payment = paymentAfter(payment, event, 7) ?? payment;
        if (event.type === "send" && payment !== before) isSeen = true;
        // Only what the provider may have had can be given time for.
        if (payment.state === "taken") assert.ok(isSeen);
        if (before.state === "taken" || before.state === "returned") {
          assert.equal(payment.state, before.state);
        }
        assert.equal(
          isPaymentOpen(payment),
          !["taken", "refunded", "returned", "lost", "declined"]
            .includes(payment.state),
        );
      }
    }),
  );
});

Deno.test("LeaseBook keeps what was written, and forgets what is long over with its payments", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/lessee.sqlite`;
  try {
    {
      using book = LeaseBook.open({ path });
      book.leases.put(LEASE);
      book.payments.put(PAYMENT);
      book.toPayment("web", { type: "token", token: "cashuB", mint: "m", feeSat: 0 }, 2);
      assert.throws(() =>
        book.transaction(() => {
          book.toPayment("web", { type: "send" }, 3);
          throw new Error("killed");
        })
      );
    }
    using book = LeaseBook.open({ path });
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal(book.payments.get("web")?.state, "ready");
    assert.equal(book.toPayment("web", { type: "accepted" }, 4), undefined);
    assert.deepEqual(book.providers(), [LEASE.address.provider]);
    const LONG_AFTER = 400 * 24 * 3_600_000;
    book.leases.put({ ...LEASE, stage: "failed" });
    book.prune(LONG_AFTER);
    assert.ok(book.leases.get(LEASE.id), "a payment is open");
    book.toPayment("web", { type: "abandon", message: "" }, 5);
    book.toPayment("web", { type: "returned", amountSat: 10 }, 6);
    book.prune(LONG_AFTER);
    assert.equal(book.leases.get(LEASE.id), undefined);
    assert.equal(book.payments.get("web"), undefined);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
