/** Offers and leases as programs and people see them: plain JSON, nothing secret. */
import { npub } from "../../../nostr/nostr.ts";
import type {
  BookedLease,
  LeaseAccount,
  LeaseStage,
  ListedSpec,
  Listing,
  Quote,
} from "../../../../provisioning/consumer/mod.ts";
import type {
  LeaseState,
  LeaseView,
  OfferView,
  QuoteView,
  TierView,
} from "../../api/lease_methods.ts";

/** One tier. */
export function tierView(spec: ListedSpec): TierView {
  return {
    id: spec.id,
    name: spec.name,
    description: spec.description,
    cpuMillicores: spec.cpuMillicores,
    memoryMb: spec.memoryMb,
    diskMb: spec.diskMb ?? null,
    rateMsatPerS: spec.rateMsatPerS,
    slotCount: spec.slotCount ?? null,
  };
}

/** A provider on the market. */
export function offerView(listing: Listing): OfferView {
  const { provider, terms, heartbeat, seenS, evidence } = listing;
  return {
    provider,
    npub: npub(provider),
    name: listing.name,
    location: listing.location ?? null,
    capabilities: listing.capabilities,
    isolation: listing.isolation,
    mints: listing.mints,
    tiers: listing.specs.map(tierView).sort((a, b) => a.rateMsatPerS - b.rateMsatPerS),
    isOnline: listing.isOnline,
    seenMs: seenS === undefined ? null : seenS * 1000,
    uptimePercent: listing.uptimePercent === undefined
      ? null
      : Math.round(listing.uptimePercent * 10) / 10,
    score: listing.score ?? null,
    activeCount: heartbeat?.activeCount ?? null,
    freeCpuMillicores: heartbeat?.cpuMillicores ?? null,
    freeMemoryMb: heartbeat?.memoryMb ?? null,
    freeDiskMb: heartbeat === undefined ? null : heartbeat.terms?.diskMb ?? heartbeat.diskGb * 1024,
    isDraining: listing.isDraining,
    backend: terms?.backend ?? null,
    arch: terms?.arch ?? null,
    minDurationS: terms?.minDurationS ?? null,
    maxDurationS: terms?.maxDurationS ?? null,
    portCountMax: terms?.portCountMax ?? null,
    takesLocked: terms !== undefined,
    verbs: terms?.verbs ?? [],
    apiEndpoint: listing.address.apiEndpoint ?? null,
    createdMs: evidence.offer.created_at * 1000,
    warnings: warningsOf(listing),
  };
}

function warningsOf(listing: Listing): string[] {
  const { terms, revocations, isolation, isLegacy } = listing;
  return [
    ...(terms === undefined
      ? ["it knows nothing of locked tokens, refunds and SSH keys: pay it little at a time"]
      : []),
    ...(isLegacy ? ["its offer is of the oldest kind, which says little"] : []),
    ...(isolation === "unknown" ? ["its word for isolation is not known"] : []),
    ...(revocations.length > 0 ? [`it gave up ${revocations.length} workloads lately`] : []),
  ];
}

/** What a lease would cost. */
export function quoteView(quote: Quote): QuoteView {
  const { listing } = quote;
  return {
    provider: listing.provider,
    npub: npub(listing.provider),
    providerName: listing.name,
    tier: { ...tierView(quote.spec), rateMsatPerS: quote.rateMsatPerS },
    durationS: quote.durationS,
    amountSat: quote.amountSat,
    mints: quote.mints,
    minDurationS: quote.minDurationS,
    maxDurationS: quote.maxDurationS ?? null,
    isAvailable: quote.isAvailable,
    note: quote.note ?? null,
    isImageHere: quote.isImageHere ?? null,
    isBinding: quote.isAsked,
  };
}

const STATES: Readonly<Record<LeaseStage, LeaseState>> = {
  asking: "pending",
  live: "active",
  stopping: "active",
  ended: "ended",
  failed: "failed",
};

/** A lease with its money. */
export function leaseView(account: LeaseAccount): LeaseView {
  const { lease, payments, refunds } = account;
  const { access, wanted, address, keepAlive, end } = lease;
  const given = payments.filter(({ state }) =>
    state !== "planned" && state !== "declined" && state !== "ready"
  );
  const sumOf = (sats: readonly (number | undefined)[]) =>
    sats.reduce<number>((sum, sat) => sum + (sat ?? 0), 0);
  const keptAlive = given.filter(({ purpose }) => purpose === "keepalive");
  return {
    id: lease.id,
    requestId: requestIdOf(payments),
    state: STATES[lease.stage],
    provider: address.provider,
    npub: npub(address.provider),
    providerName: lease.providerName === "" ? null : lease.providerName,
    lease: access?.lease ?? null,
    leaseId: access?.leaseId ?? null,
    providerState: wordOf(lease),
    tier: wanted.specId === "" ? null : wanted.specId,
    image: wanted.imageDigest === undefined || wanted.image.includes("@")
      ? wanted.image
      : `${wanted.image}@sha256:${wanted.imageDigest}`,
    cpuMillicores: wanted.cpuMillicores,
    memoryMb: wanted.memoryMb,
    sshHost: access?.host ?? null,
    sshPort: access?.sshPort ?? null,
    sshUser: access?.sshUsername ?? null,
    sshPassword: access?.password ?? null,
    hostKeyFingerprint: access?.hostKeyFingerprint ?? null,
    identityFile: wanted.sshKeyPath ?? null,
    ports: access?.ports ?? [],
    createdMs: lease.createdMs,
    readyMs: access?.readyMs ?? null,
    expiresMs: lease.expiresMs ?? null,
    endedMs: end?.atMs ?? null,
    paidSat: sumOf(given.map(({ amountSat }) => amountSat)),
    feeSat: sumOf(given.map(({ feeSat }) => feeSat)),
    refundedSat: sumOf(refunds.map(({ bankedSat }) => bankedSat)) +
      sumOf(given.map(({ returnedSat }) => returnedSat)),
    keepalive: keepAlive === undefined ? null : {
      budgetSat: keepAlive.budgetSat,
      spentSat: sumOf(keptAlive.map(({ amountSat }) => amountSat)),
      stepS: Math.round(keepAlive.stepMs / 1000),
    },
    problem: problemOf(lease, account),
  };
}

/** What a lease was asked for under. A try with a second provider pays under that id and `.2`. */
function requestIdOf(payments: LeaseAccount["payments"]): string | null {
  return payments.find(({ purpose }) => purpose === "spawn")?.id.replace(/\.2$/, "") ?? null;
}

/** What its provider said last of it, while that means something. */
function wordOf({ stage, providerState }: BookedLease): string | null {
  return stage === "stopping" ? "stopping" : stage === "live" ? providerState ?? null : null;
}

function problemOf(
  lease: BookedLease,
  { payments, refunds, comingSat, isOverdue }: LeaseAccount,
): string | null {
  const { stage, end, complaints } = lease;
  const refused = payments.findLast(({ problem }) => problem !== undefined)?.problem;
  const waiting = refunds.find(({ state, problem }) => state !== "banked" && problem !== undefined);
  const told = [
    ...(comingSat > 0 ? [`${comingSat} sat are on their way back`] : []),
    ...(isOverdue
      ? [
        "its time is over and its provider is silent: if its machine is down, it gives the time back",
      ]
      : []),
    ...(stage === "failed" || end?.reason === "cut-short" || end?.reason === "robbed"
      ? [end?.message ?? refused?.message ?? "it never began"]
      : []),
    ...(waiting?.problem === undefined ? [] : [waiting.problem]),
    ...complaints,
  ];
  return told.length === 0 ? null : told.join("; ");
}
