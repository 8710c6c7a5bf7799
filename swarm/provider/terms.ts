/** On which terms a want is answered, as the gate decides and the credit allows. */
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import type { Gate, Meter, PaymentAnswer, PaymentTerms, Viewer } from "../ports.ts";
import type { Denied, Payment, PaymentRequired, Pending } from "../protocol/mod.ts";
import type { BlobRecord } from "../store/blob_store.ts";
import { codeOf, msatOf, type Till } from "./till.ts";

/** Served for money. */
export interface PaidTerms {
  readonly kind: "paid";
  readonly priceMsatPerMiB: number;
  readonly creditMsat: number;
  readonly channelSat?: number;
  /** Opens the credit for one answer. @throws whatever the gate throws */
  readonly openMeter: () => Meter;
}

/** Terms on which something is sent. */
export type ServingTerms = { readonly kind: "free" } | PaidTerms;

/** What comes of a want. */
export type Terms =
  | ServingTerms
  | { readonly kind: "refused"; readonly message: Denied | PaymentRequired | Pending };

/** What is asked for, and with what it is paid. */
export interface TermsRequest {
  readonly context: { readonly gate: Gate | undefined };
  readonly till: Pick<Till, "pay">;
  readonly viewer: Viewer;
  readonly record: Pick<BlobRecord, "hash">;
  readonly want: { readonly payment?: Payment; readonly priceMsatPerMiB?: number };
}

const FREE: ServingTerms = { kind: "free" };

/**
 * Decides. A payment is taken only for what costs something, so that none is kept for what is free,
 * denied or not here. A gate that fails refuses: it may be about to ask a price.
 */
export async function termsOf(request: TermsRequest, groups: RangeSet): Promise<Terms> {
  const { context: { gate }, viewer, record, want } = request;
  if (gate === undefined) return FREE;
  try {
    const root = record.hash;
    if (gate.isFree?.(root) === true) return FREE;
    const decided = await gate.decide({ viewer, root, groups });
    switch (decided.decision) {
      case "free":
        return FREE;
      case "deny":
        return refused({ t: "denied", code: codeOf(decided.code) });
      case "pay": {
        const { payment, priceMsatPerMiB: agreed } = want;
        if (agreed !== undefined && agreed < decided.priceMsatPerMiB) {
          return refused(requiredOf(decided));
        }
        if (payment !== undefined) {
          const refusal = refusalOf(await request.till.pay(viewer, payment), payment, decided);
          if (refusal !== undefined) return refused(refusal);
        }
        return paidTerms(gate, { viewer, root, terms: decided });
      }
    }
  } catch {
    // As below: whatever it was, nothing is served.
  }
  return refused({ t: "denied", code: "internal" });
}

/**
 * Whether a child goes on the terms of its collection. One that costs more by itself does not: who
 * prices a blob sells it at no other price because somebody lists it. A gate that fails refuses.
 */
export function childrenOn(
  terms: ServingTerms,
  { gate, viewer }: { readonly gate: Gate | undefined; readonly viewer: Viewer },
): (child: Hash) => boolean | Promise<boolean> {
  const paidMsatPerMiB = terms.kind === "free" ? 0 : terms.priceMsatPerMiB;
  const decided = async (gate: Gate, root: Hash) => {
    try {
      if (gate.isFree?.(root) === true) return true;
      const decision = await gate.decide({ viewer, root, groups: RangeSet.ALL });
      return decision.decision === "free" ||
        (decision.decision === "pay" && decision.priceMsatPerMiB <= paidMsatPerMiB);
    } catch {
      return false;
    }
  };
  return (child) => gate === undefined || decided(gate, child);
}

/** What is answered for a payment that does not count, or not yet; undefined when it counts. */
function refusalOf(
  answer: PaymentAnswer,
  payment: Payment,
  terms: PaymentTerms,
): Denied | PaymentRequired | Pending | undefined {
  switch (answer.answer) {
    case "credited":
      return undefined;
    case "pending":
      return { t: "pending", paymentId: payment.id, retryMs: answer.retryMs };
    case "refused": {
      const { code, retryMs } = answer;
      // The requester went by other terms than those of now.
      if (code === "price") return requiredOf(terms);
      return { t: "denied", code, ...(retryMs === undefined ? {} : { retryMs }) };
    }
  }
}

function paidTerms(
  gate: Gate,
  request: {
    readonly viewer: Viewer;
    readonly root: BlobRecord["hash"];
    readonly terms: PaymentTerms;
  },
): Terms {
  const { viewer, root, terms } = request;
  const { priceMsatPerMiB, channelSat } = terms;
  const creditMsat = gate.creditOf?.(viewer) ?? 0;
  // Asked this way round, what is no number is no credit.
  if (!(creditMsat > 0) || gate.openMeter === undefined) return refused(requiredOf(terms));
  return {
    kind: "paid",
    priceMsatPerMiB,
    creditMsat: msatOf(creditMsat),
    ...channelSat === undefined ? {} : { channelSat },
    openMeter: () => gate.openMeter!({ viewer, root, priceMsatPerMiB }),
  };
}

function requiredOf(terms: PaymentTerms): PaymentRequired {
  const { priceMsatPerMiB, minTopUpSat, mints, p2pk, locktimeMin, channelSat } = terms;
  return {
    t: "payment-required",
    priceMsatPerMiB,
    minTopUpSat,
    mints,
    p2pk,
    locktimeMin,
    ...channelSat === undefined ? {} : { channelSat },
  };
}

function refused(message: Denied | PaymentRequired | Pending): Terms {
  return { kind: "refused", message };
}
