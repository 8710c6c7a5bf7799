/** Several ways to find peers, used as one. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Discovery, ProviderHint } from "../ports.ts";
import { MERGED_ADDRS_MAX } from "./limits.ts";
import { type OfferTerms, termsOf } from "./peer_offer.ts";

/**
 * Asks all at once and yields each peer as soon as one names it, and again when more became known
 * of it. One that fails is left out. A peer that has several blobs for one SHA-256, as an image and its
 * manifest, is yielded for each.
 *
 * @param options `onError` is told of failures.
 */
export function combineDiscoveries(
  discoveries: readonly Discovery[],
  options: { readonly onError?: (error: unknown) => void } = {},
): Discovery {
  return { find: (query, { signal } = {}) => findAll(discoveries, query, signal, options.onError) };
}

async function* findAll(
  discoveries: readonly Discovery[],
  query: { readonly hash: Hash } | { readonly sha256: Sha256 },
  outer: AbortSignal | undefined,
  onError: ((error: unknown) => void) | undefined,
): AsyncGenerator<ProviderHint, void, void> {
  const stop = new AbortController();
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  const known = new Map<string, ProviderHint>();
  // Peers with news; a peer that gets more news while it waits is still given once.
  const ready = new Set<string>();
  let wake: () => void = () => {};
  let running = discoveries.length;
  const ask = async (discovery: Discovery) => {
    try {
      for await (const hint of discovery.find(query, { signal })) {
        if (signal.aborted) break;
        const key = keyOf(hint, known);
        const before = known.get(key);
        const merged = before === undefined ? hint : mergeHints(before, hint);
        if (merged === before) continue;
        known.set(key, merged);
        ready.add(key);
        wake();
      }
    } catch (error) {
      if (!signal.aborted) onError?.(error);
    }
    running--;
    wake();
  };
  const asking = discoveries.map(ask);
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const { value: key } = ready.values().next();
      if (key !== undefined) {
        ready.delete(key);
        yield known.get(key)!;
      } else if (running === 0) {
        return;
      } else {
        await new Promise<void>((resolve) => wake = resolve);
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    stop.abort();
    await Promise.all(asking);
  }
}

/** Under what a hint is merged: its peer, and for a further blob of that peer its hash, too. */
function keyOf({ peerId, hash }: ProviderHint, known: ReadonlyMap<string, ProviderHint>): string {
  const first = known.get(peerId)?.hash;
  return hash === undefined || first === undefined || first === hash ? peerId : `${peerId} ${hash}`;
}

/**
 * What is known of a peer after one more hint. Only a bound advert speaks for the peer: an unbound
 * one can add addresses to try, and nothing else, to what a bound one says. Terms are taken from one
 * hint as a whole: of two that are worth the same, a blob's advert is nearer than a node's.
 *
 * @returns `known` itself when nothing is new.
 */
export function mergeHints(known: ProviderHint, hint: ProviderHint): ProviderHint {
  const addrs = [...new Set([...known.addrs, ...hint.addrs])].slice(0, MERGED_ADDRS_MAX);
  const [main, other] = hint.bound && !known.bound ? [hint, known] : [known, hint];
  const via = known.via === "node-advert" ? hint.via : known.via;
  const filled: ProviderHint = main.bound && !other.bound
    ? { ...claimsOfBlob(other), ...main, addrs, via }
    : { ...withoutTerms(other), ...withoutTerms(main), ...nearerTerms(known, hint), addrs, via };
  return isSame(known, filled) ? known : filled;
}

/** Of two hints that are both bound or both not. */
function nearerTerms(known: ProviderHint, hint: ProviderHint): OfferTerms {
  if (hint.via === "advert" && known.via !== "advert") return termsOf(hint);
  return termsOf(known.priceMsatPerMiB === undefined ? hint : known);
}

function withoutTerms(hint: ProviderHint): ProviderHint {
  const { priceMsatPerMiB: _price, mints: _mints, p2pk: _key, ...rest } = hint;
  const { minTopUpSat: _least, locktimeMin: _locktime, ...others } = rest;
  return others;
}

/** What an unbound hint says of the blob and not of the peer; verification shows whether it is so. */
function claimsOfBlob(hint: ProviderHint): Pick<ProviderHint, "hash" | "size"> {
  return {
    ...(hint.hash === undefined ? {} : { hash: hint.hash }),
    ...(hint.size === undefined ? {} : { size: hint.size }),
  };
}

function isSame(a: ProviderHint, b: ProviderHint): boolean {
  return a.addrs.length === b.addrs.length && a.via === b.via && a.bound === b.bound &&
    a.nostrKey === b.nostrKey && a.size === b.size && a.hash === b.hash && a.p2pk === b.p2pk &&
    a.priceMsatPerMiB === b.priceMsatPerMiB && String(a.mints) === String(b.mints) &&
    a.minTopUpSat === b.minTopUpSat && a.locktimeMin === b.locktimeMin;
}
