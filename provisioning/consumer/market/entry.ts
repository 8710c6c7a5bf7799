/** What was read of one provider, and the listing that it comes to. */
import { compareEvents, type NostrEvent } from "../../../src/nostr/mod.ts";
import {
  type Heartbeat,
  type LegacyOffer,
  type Offer,
  ONLINE_S,
  type Promotion,
  type Revocation,
} from "../../wire/mod.ts";
import { MARKET_LIMITS } from "../limits.ts";
import type { ListedSpec, Listing } from "./listing.ts";

/** Something that was read, with the event that it was read from. */
export interface Read<T> {
  readonly value: T;
  readonly event: NostrEvent;
}

/** An offer of either kind. */
export type AnyOffer =
  | { readonly isLegacy: false; readonly offer: Offer }
  | { readonly isLegacy: true; readonly offer: LegacyOffer };

/** What was read of one provider. */
export class MarketEntry {
  readonly provider: string;
  #offer: Read<AnyOffer>;
  readonly #beats = new Map<string, Read<Heartbeat>>();
  readonly #revocations = new Map<string, Read<Revocation>>();
  readonly #promotions = new Map<string, Read<Promotion>>();

  constructor(provider: string, offer: Read<AnyOffer>) {
    this.provider = provider;
    this.#offer = offer;
  }

  /** The last sign of life, in seconds since 1970. */
  get seenS(): number {
    return Math.max(this.#offer.event.created_at, this.#lastBeat()?.value.timestampS ?? 0);
  }

  /** Whether a heartbeat says so at `nowS`. */
  isOnline(nowS: number): boolean {
    const beat = this.#lastBeat();
    return beat !== undefined && nowS - beat.value.timestampS < ONLINE_S;
  }

  /** The newest offer counts; one of today's kind before one of the oldest. */
  addOffer(offer: Read<AnyOffer>): void {
    const known = this.#offer;
    if (known.value.isLegacy !== offer.value.isLegacy) {
      if (known.value.isLegacy) this.#offer = offer;
      return;
    }
    if (isNewer(offer.event, known.event)) this.#offer = offer;
  }

  addHeartbeat(beat: Read<Heartbeat>): void {
    // One a minute: a provider that beats faster is not more alive.
    const minute = String(Math.floor(beat.value.timestampS / 60));
    const known = this.#beats.get(minute);
    if (known !== undefined && !isNewer(beat.event, known.event)) return;
    this.#beats.set(minute, beat);
    if (this.#beats.size <= MARKET_LIMITS.heartbeatsMax) return;
    const [oldest] = [...this.#beats.keys()].sort((a, b) => Number(a) - Number(b));
    this.#beats.delete(oldest!);
  }

  addRevocation(one: Read<Revocation>): void {
    addNewest(this.#revocations, one.value.workloadId, one);
  }

  addPromotion(one: Read<Promotion>): void {
    addNewest(this.#promotions, one.value.workloadId, one);
  }

  /** The listing at `nowS`; undefined if its offer has run out. */
  listing(nowS: number, score: number | undefined): Listing | undefined {
    const { value, event } = this.#offer;
    const beat = this.#lastBeat();
    const common = {
      provider: this.provider,
      isOnline: this.isOnline(nowS),
      seenS: this.seenS,
      revocations: [...this.#revocations.values()].map((one) => one.value),
      promotions: [...this.#promotions.values()].map((one) => one.value),
      evidence: {
        offer: event,
        heartbeats: this.#sortedBeats().map((one) => one.event),
        revocations: [...this.#revocations.values()].map((one) => one.event),
        promotions: [...this.#promotions.values()].map((one) => one.event),
      },
      ...(beat === undefined ? {} : {
        heartbeat: beat.value,
        uptimePercent: this.#uptimePercent(nowS),
      }),
      ...(score === undefined ? {} : { score }),
    };
    if (value.isLegacy) {
      return {
        ...common,
        name: this.provider.slice(0, 8),
        address: { provider: this.provider, isOurs: false },
        capabilities: [],
        isolation: "unknown",
        specs: value.offer.specs,
        mints: value.offer.mints,
        isDraining: false,
        claimed: {},
        isLegacy: true,
      };
    }
    const { offer } = value;
    if (offer.expiresS !== undefined && offer.expiresS <= nowS) return undefined;
    return { ...common, ...ofOffer(offer, beat?.value) };
  }

  #sortedBeats(): Read<Heartbeat>[] {
    return [...this.#beats.values()].sort((a, b) => a.value.timestampS - b.value.timestampS);
  }

  #lastBeat(): Read<Heartbeat> | undefined {
    return this.#sortedBeats().at(-1);
  }

  #uptimePercent(nowS: number): number {
    const minutes = MARKET_LIMITS.heartbeatS / 60;
    const first = Math.floor(nowS / 60) - minutes;
    const count = [...this.#beats.keys()].filter((minute) => Number(minute) > first).length;
    return Math.min(100, Math.round(count * 1000 / minutes) / 10);
  }
}

/** Whether of two events of one address the first one counts (NIP-01). */
export function isNewer(event: NostrEvent, than: NostrEvent): boolean {
  return event.id !== than.id && compareEvents(event, than) < 0;
}

function addNewest<T>(map: Map<string, Read<T>>, key: string, one: Read<T>): void {
  const known = map.get(key);
  if (known !== undefined && !isNewer(one.event, known.event)) return;
  map.set(key, one);
  if (map.size <= MARKET_LIMITS.failoversMax) return;
  const [oldest] = [...map].sort(([, a], [, b]) => a.event.created_at - b.event.created_at);
  map.delete(oldest![0]);
}

function ofOffer(offer: Offer, beat: Heartbeat | undefined) {
  const { terms } = offer;
  // What was said last counts.
  const isBeatNewer = beat !== undefined && beat.createdAtS >= offer.createdAtS;
  const slots = isBeatNewer ? beat.terms?.slots : undefined;
  const specs = offer.specs.map((spec): ListedSpec => {
    const more = terms?.specs.get(spec.id);
    const slotCount = slots?.get(spec.id) ?? more?.slotCount;
    return {
      ...spec,
      ...(more?.diskMb === undefined ? {} : { diskMb: more.diskMb }),
      ...(slotCount === undefined ? {} : { slotCount }),
    };
  });
  const isDraining = (isBeatNewer ? beat.terms?.isDraining : undefined) ?? terms?.isDraining ??
    false;
  return {
    name: offer.name,
    address: {
      provider: offer.provider,
      isOurs: terms !== undefined,
      ...(offer.apiEndpoint === undefined ? {} : { apiEndpoint: offer.apiEndpoint }),
    },
    capabilities: offer.capabilities,
    isolation: offer.isolation,
    specs,
    mints: offer.mints,
    isDraining,
    claimed: {
      uptimePercent: offer.uptimePercent,
      jobsCompletedCount: offer.jobsCompletedCount,
    },
    isLegacy: false,
    ...(offer.location === undefined ? {} : { location: offer.location }),
    ...(terms === undefined ? {} : { terms }),
  };
}
