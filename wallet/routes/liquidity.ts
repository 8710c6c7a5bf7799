/** What one more swap teaches about its route. Integers only, so that every node reckons the same. */
import type { RouteRecord } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import {
  AVERAGE_WEIGHT,
  COOLDOWN_MS_MAX,
  COOLDOWN_MS_MIN,
  FEE_PPM_MAX,
  LATENCY_MS_MAX,
  OBSERVATION_AGE_MS_MAX,
  UNTRIED_PERMILLE,
} from "./limits.ts";

/** From which mint to which. */
export interface RouteKey {
  readonly from: MintUrl;
  readonly to: MintUrl;
}

/** A swap that came through. */
export interface RouteSuccess {
  /** What arrived, in sat. */
  readonly amount: bigint;
  /** What it cost on top, in sat. */
  readonly fee: bigint;
  /** From the request to the source until the ecash of the destination was here. */
  readonly latencyMs: number;
}

/** The route after a swap that came through; any rest is over. */
export function routeAfterSuccess(
  key: RouteKey,
  before: RouteRecord | undefined,
  seen: RouteSuccess & { readonly nowMs: number },
): RouteRecord {
  const known = remembered(before, seen.nowMs);
  const feePpm = feePpmOf(seen);
  const latencyMs = clamp(Math.round(seen.latencyMs), LATENCY_MS_MAX);
  // A route without a success so far has averages of nothing: the first success sets them.
  const isFirst = known === undefined || (known.feePpm === 0 && known.latencyMs === 0);
  return {
    from: key.from,
    to: key.to,
    successPermille: averaged(known?.successPermille ?? UNTRIED_PERMILLE, 1000),
    feePpm: isFirst ? feePpm : averaged(known.feePpm, feePpm),
    latencyMs: isFirst ? latencyMs : averaged(known.latencyMs, latencyMs),
    cooldownUntilMs: 0,
    updatedMs: seen.nowMs,
  };
}

/**
 * The route after the source said, and a fence proved, that it did not pay. Nothing else is a failure
 * of the route: an answer that was lost, or a destination that is slow, says nothing about liquidity.
 */
export function routeAfterFailure(
  key: RouteKey,
  before: RouteRecord | undefined,
  nowMs: number,
): RouteRecord {
  const known = remembered(before, nowMs);
  const lastRestMs = known === undefined ? 0 : Math.max(0, known.cooldownUntilMs - known.updatedMs);
  const restMs = Math.min(Math.max(2 * lastRestMs, COOLDOWN_MS_MIN), COOLDOWN_MS_MAX);
  return {
    from: key.from,
    to: key.to,
    successPermille: averaged(known?.successPermille ?? UNTRIED_PERMILLE, 0),
    feePpm: known?.feePpm ?? 0,
    latencyMs: known?.latencyMs ?? 0,
    cooldownUntilMs: nowMs + restMs,
    updatedMs: nowMs,
  };
}

/** `fee` in millionths of `amount`, rounded up. */
export function feePpmOf(seen: { readonly amount: bigint; readonly fee: bigint }): number {
  if (seen.amount <= 0n || seen.fee <= 0n) return 0;
  const ppm = (seen.fee * 1_000_000n + seen.amount - 1n) / seen.amount;
  return ppm > BigInt(FEE_PPM_MAX) ? FEE_PPM_MAX : Number(ppm);
}

/** The record, unless it is too old to say anything or of a clock that was ahead. */
export function remembered(
  route: RouteRecord | undefined,
  nowMs: number,
): RouteRecord | undefined {
  if (route === undefined) return undefined;
  const ageMs = nowMs - route.updatedMs;
  return Math.abs(ageMs) > OBSERVATION_AGE_MS_MAX ? undefined : route;
}

/** Moves `average` towards `seen`, by at least one so that it arrives. */
function averaged(average: number, seen: number): number {
  const gap = seen - average;
  if (gap === 0) return average;
  const move = Math.trunc(gap / AVERAGE_WEIGHT);
  return average + (move === 0 ? Math.sign(gap) : move);
}

function clamp(value: number, max: number): number {
  return Math.min(Math.max(value, 0), max);
}
