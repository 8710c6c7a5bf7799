/** The book compared with what providers say; leases of ours that it lacks are taken up. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { type LeasesAnswer, type LeaseSummary, parseLeaseId } from "../wire/mod.ts";
import { ask } from "./ask.ts";
import type { BookedLease } from "./book/lease.ts";
import { hostOf } from "./check_access.ts";
import type { LesseeContext } from "./context.ts";
import { CHOICE_LIMITS, LESSEE_LIMITS } from "./limits.ts";
import { isPassing } from "./line/expectation.ts";
import { isSilence, look, noteGone, questionId } from "./look.ts";
import type { Listing } from "./market/listing.ts";
import type { ProviderAddress } from "./ports.ts";

/** What a comparison found. */
export interface Synced {
  /** Leases that the book lacked, or took for over. */
  readonly found: readonly BookedLease[];
  /** Leases that are over, and were not by the book. */
  readonly over: readonly BookedLease[];
  /** Keys of providers that did not answer. */
  readonly silent: readonly string[];
  /** Keys of those that were not asked, or not to the end, before the time was over. */
  readonly unasked: readonly string[];
}

/** States of a provider's journal in which a lease can be used, or will be. */
const LIVE: ReadonlySet<string> = new Set(["ready", "grace"]);

/**
 * Compares. `isWide`: with all on the market, not only those that the book knows. All are asked in turn;
 * when `signal` ends during that, what was found by then is the result.
 */
export async function sync(
  context: LesseeContext,
  options: { readonly signal: AbortSignal; readonly isWide: boolean },
): Promise<Synced> {
  const { book, market } = context;
  const { signal } = options;
  await market.ensureFresh({ signal });
  const before = new Map(book.leases.open().map((lease) => [lease.id, lease.stage]));
  const addresses = addressesOf(context, options.isWide);
  const found: BookedLease[] = [];
  const silent: string[] = [];
  const unasked: string[] = [];
  const ask = async () => {
    for (let to = addresses.shift(); to !== undefined; to = addresses.shift()) {
      try {
        signal.throwIfAborted();
        found.push(...await syncOne(to, context, signal));
      } catch (error) {
        context.signal.throwIfAborted();
        if (!signal.aborted && !isSilence(error) && !isSeedmintError(error)) throw error;
        (signal.aborted ? unasked : silent).push(to.provider);
      }
    }
  };
  await Promise.all(Array.from({ length: CHOICE_LIMITS.syncAtOnce }, ask));
  const over = [...before].flatMap(([id, stage]) => {
    const lease = book.leases.get(id);
    return stage === "live" && lease !== undefined && lease.stage !== "live" ? [lease] : [];
  });
  return { found, over, silent, unasked };
}

/** Whom to ask: first who has leases of ours, and last of whom all leases are over. */
function addressesOf(context: LesseeContext, isWide: boolean): ProviderAddress[] {
  const { book, market } = context;
  const addresses = new Map<string, ProviderAddress>();
  const listings = new Map(market.list().map((listing) => [listing.provider, listing]));
  const past: ProviderAddress[] = [];
  for (const provider of book.providers()) {
    const leases = book.leases.of(provider);
    const address = listings.get(provider)?.address ?? leases.at(-1)?.address;
    if (address === undefined) continue;
    if (leases.some(({ stage }) => stage !== "ended" && stage !== "failed")) {
      addresses.set(provider, address);
    } else past.push(address);
  }
  if (isWide) {
    for (const { address, isOnline, terms } of listings.values()) {
      if (!isOnline || terms?.verbs.includes("leases") !== true) continue;
      const isPast = past.some(({ provider }) => provider === address.provider);
      if (!isPast && !addresses.has(address.provider)) addresses.set(address.provider, address);
    }
  }
  return [...addresses.values(), ...past];
}

async function syncOne(
  to: ProviderAddress,
  context: LesseeContext,
  signal: AbortSignal,
): Promise<BookedLease[]> {
  const leases = context.book.leases.of(to.provider);
  const live = leases.filter(({ stage }) => stage === "live");
  if (!to.isOurs) {
    for (const lease of live) await look(lease, context, { signal });
    return [];
  }
  const answer = await askLeases(to, context, signal);
  compare(live, answer, context);
  const found = revive(leases, answer, context);
  for (const summary of answer.leases) {
    const lease = await adopt(to, summary, context, signal);
    if (lease !== undefined) found.push(lease);
  }
  return found;
}

/** What a provider has of ours; one that asks for patience is asked once more. @throws {SeedmintError} */
async function askLeases(
  to: ProviderAddress,
  context: LesseeContext,
  signal: AbortSignal,
): Promise<LeasesAnswer> {
  const options = { signal, timeoutMs: LESSEE_LIMITS.questionMs };
  for (let isLast = false;; isLast = true) {
    const request = { type: "leases", requestId: questionId(context) } as const;
    const answer = await ask(context, to, request, options);
    if (answer.type === "leases") return answer;
    if (isLast || answer.type !== "error" || !isPassing(answer)) {
      throw new SeedmintError(
        "unavailable",
        `Cannot ask ${
          to.provider.slice(0, 8)
        }… for leases: it answered with ${answer.type}; try again`,
        { retryable: true },
      );
    }
    const pauseMs = answer.retryMs ?? LESSEE_LIMITS.retryFirstMs;
    await context.clock.sleep(Math.min(pauseMs, LESSEE_LIMITS.retryLastMs), { signal });
  }
}

function compare(live: readonly BookedLease[], answer: LeasesAnswer, context: LesseeContext): void {
  for (const lease of live) {
    const summary = answer.leases.find((one) => isSame(lease, one));
    if (summary === undefined) {
      if (!answer.isTruncated) noteGone(lease, "The provider knows no such lease", context);
    } else if (!LIVE.has(summary.state)) {
      noteGone(lease, `The provider says that it is ${summary.state}`, context);
    }
  }
}

/** Takes leases back that the book took for expired while their provider was away. */
function revive(
  leases: readonly BookedLease[],
  answer: LeasesAnswer,
  context: LesseeContext,
): BookedLease[] {
  const nowMs = context.clock.nowMs();
  const expired = leases.filter(({ stage, end }) => stage === "ended" && end?.reason === "expired");
  return expired.flatMap((lease) => {
    const summary = answer.leases.find((one) => isSame(lease, one));
    if (summary === undefined || !LIVE.has(summary.state)) return [];
    const { state, expiresMs } = summary;
    if (expiresMs <= Math.max(nowMs, lease.expiresMs ?? 0)) return [];
    const event = { type: "revived", state, expiresMs } as const;
    const revived = context.book.toLease(lease.id, event, nowMs);
    if (revived === undefined) return [];
    context.changed(lease.id);
    context.nudge("lease", lease.id);
    return [revived];
  });
}

function isSame(lease: BookedLease, summary: LeaseSummary): boolean {
  return lease.access?.leaseId === undefined
    ? lease.access?.lease === summary.lease
    : lease.access.leaseId === summary.leaseId;
}

/** Takes up a lease that the book lacks: its word is all there is, so it is marked as recovered. */
async function adopt(
  to: ProviderAddress,
  summary: LeaseSummary,
  context: LesseeContext,
  signal: AbortSignal,
): Promise<BookedLease | undefined> {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  const id = parseLeaseId(summary.leaseId);
  const isOurs = id?.provider === to.provider && id.lease === summary.lease;
  if (!isOurs || !LIVE.has(summary.state) || summary.expiresMs <= nowMs) return undefined;
  if (book.leases.of(to.provider).some((lease) => isSame(lease, summary))) return undefined;
  // One that is being asked for will be answered: it is no lost one.
  const isAsking = book.leases.of(to.provider).some(({ stage, createdMs }) =>
    stage === "asking" || (stage === "failed" && createdMs <= id.createdAtS * 1000 + 60_000)
  );
  if (isAsking && book.payments.open().length > 0) return undefined;
  const listing = context.market.list().find(({ provider }) => provider === to.provider);
  const rate = await rateOf(summary.specId, listing, context, signal);
  if (rate === undefined) return undefined;
  const ownKey = await context.sshKey.get();
  const host = hostOf({ host: summary.sshHost });
  const lease = recovered(summary, { to, listing, context, host, ...rate });
  const kept: BookedLease = {
    ...lease,
    wanted: { ...lease.wanted, sshPublicKey: ownKey.publicKey, sshKeyPath: ownKey.path },
  };
  book.leases.put(kept);
  context.changed(kept.id);
  context.nudge("lease", kept.id);
  return kept;
}

function recovered(
  summary: LeaseSummary,
  from: {
    readonly to: ProviderAddress;
    readonly listing: Listing | undefined;
    readonly context: LesseeContext;
    readonly host: string | undefined;
    readonly rateMsatPerS: number;
    readonly specName: string;
    readonly cpuMillicores: number;
    readonly memoryMb: number;
  },
): BookedLease {
  const { to, listing, context, host } = from;
  const { clock, random, purse } = context;
  const nowMs = clock.nowMs();
  const terms = listing?.terms;
  const fingerprint = summary.hostKeyFingerprint;
  return {
    id: random.bytes(4).toHex(),
    stage: "live",
    address: to,
    providerName: listing?.name ?? to.provider.slice(0, 8),
    wanted: {
      specId: summary.specId,
      specName: from.specName,
      cpuMillicores: from.cpuMillicores,
      memoryMb: from.memoryMb,
      rateMsatPerS: from.rateMsatPerS,
      image: summary.image,
      sshPublicKey: "",
      sshPassword: "",
    },
    payment: {
      mints: listing?.mints ?? [],
      refundKey: purse.refundKey,
      ...(terms === undefined ? {} : { lockTo: terms.paymentKey }),
      ...(terms?.locktimeMin === undefined ? {} : { locktimeMin: terms.locktimeMin }),
    },
    verbs: terms?.verbs ?? ["stop", "restart", "logs", "exec", "leases"],
    createdMs: (parseLeaseId(summary.leaseId)?.createdAtS ?? 0) * 1000,
    changedMs: nowMs,
    access: {
      lease: summary.lease,
      leaseId: summary.leaseId,
      sshPort: summary.sshPort,
      sshUsername: "root",
      usesPassword: false,
      ports: [],
      readyMs: (parseLeaseId(summary.leaseId)?.createdAtS ?? 0) * 1000,
      ...(host === undefined ? {} : { host }),
      ...(fingerprint === undefined ? {} : { hostKeyFingerprint: fingerprint }),
    },
    expiresMs: summary.expiresMs,
    providerState: summary.state,
    heardMs: nowMs,
    complaints: [],
    isRecovered: true,
    owesReceipt: false,
  };
}

/** What a tier costs: by the offer, else by a quote. */
async function rateOf(
  specId: string,
  listing: Listing | undefined,
  context: LesseeContext,
  signal: AbortSignal,
): Promise<
  { rateMsatPerS: number; specName: string; cpuMillicores: number; memoryMb: number } | undefined
> {
  const spec = listing?.specs.find((one) => one.id === specId);
  if (spec !== undefined) {
    const { rateMsatPerS, name, cpuMillicores, memoryMb } = spec;
    return { rateMsatPerS, specName: name, cpuMillicores, memoryMb };
  }
  if (listing === undefined) return undefined;
  const answer = await ask(context, listing.address, {
    type: "quote",
    requestId: questionId(context),
    specId,
  }, { signal, timeoutMs: LESSEE_LIMITS.quoteMs });
  if (answer.type !== "quote" || !(answer.rateMsatPerS > 0)) return undefined;
  return {
    rateMsatPerS: answer.rateMsatPerS,
    specName: specId,
    cpuMillicores: 0,
    memoryMb: 0,
  };
}
