/** What each thrift costs and how long it takes, from the simulator: exact, the same on any machine. */
import type { Thrift } from "../../swarm/scheduler/mod.ts";
import { fetch, goodPeer, ORIGIN } from "./figures.ts";
import type { FetchResult } from "./fetch_sim.ts";

const MIB = 1024 * 1024;

/** Every thrift, the one that saves most first. */
export const THRIFTS: readonly Thrift[] = ["cheapest", "balanced", "fastest"];

/** Where 1 GiB is to be had: at most one free peer, a cheap one, a dear one, an origin. */
export interface Offer {
  readonly name: string;
  /** Bytes a second of a free peer; undefined without one. */
  readonly freeRate?: number;
  readonly hasOrigin?: boolean;
  readonly size?: number;
}

/** The offers that are told. */
export const OFFERS: readonly Offer[] = [
  { name: "a slow free peer and two sellers", freeRate: 3 * MIB },
  { name: "a fast free peer and two sellers", freeRate: 200 * MIB },
  { name: "two sellers alone" },
  { name: "two sellers and an origin", hasOrigin: true },
];

/** Sellers at 1,000 and 3,000 msat a MiB that send 20 and 36 MiB a second. */
export function bargain(thrift: Thrift, offer: Offer): FetchResult {
  const { freeRate } = offer;
  return fetch({
    thrift,
    size: offer.size ?? 1024 * MIB,
    peers: [
      ...(freeRate === undefined ? [] : [goodPeer("free", { bandwidth: freeRate })]),
      goodPeer("cheap", { bandwidth: 20 * MIB, priceMsatPerMiB: 1000 }),
      goodPeer("dear", { bandwidth: 36 * MIB, priceMsatPerMiB: 3000 }),
    ],
    ...(offer.hasOrigin === true ? { origin: ORIGIN } : {}),
  });
}

/** The lines that are printed. */
export function pricedFigures(): string[] {
  return OFFERS.flatMap((offer) =>
    THRIFTS.map((thrift) => {
      const { endMs, paidMsat } = bargain(thrift, offer);
      return `1 GiB, ${offer.name}, ${thrift}: ${(endMs / 1000).toFixed(1)} s, ` +
        `${Math.ceil(paidMsat / 1000)} sat`;
    })
  );
}
