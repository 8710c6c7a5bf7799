/**
 * What a price does to who is asked. A paid peer is one that asks a price; its reach is what it may be
 * asked for now, of what it holds. Free peers reach everything, always. With no paid peer there is
 * nothing to decide here, and nothing of the plan changes.
 *
 *     cheapest   A paid peer reaches what no free peer, no origin and no cheaper peer can bring. With
 *                an origin that works nothing is ever bought.
 *     balanced   Free peers first. Paid ones join one by one, while those that work already are slower
 *                than `paidRateFloor` or would need longer than `paidLeftMs`, the cheaper first unless
 *                a dearer one is at least twice as fast. What nobody else has is bought at once.
 *     fastest    The price is ignored: the plan is the one without prices.
 *
 * Cheaper is who asks less for what it delivers: a bad score counts as a higher price. And whoever is
 * known to lie, or to fail nearly always, is paid for nothing that anybody else has, in any thrift.
 *
 * **The origin.** It costs no ecash, but sparing it is what a swarm is for, and whoever sells content
 * does so to carry that load. So only `cheapest` prefers it to paid peers, and asks for it at once when
 * all that is left of the swarm asks a price. `balanced` and `fastest` prefer paid peers: the origin
 * joins when the policy says so, as late as without prices, and counts as no free peer before or after.
 * How much a peer may ask at all is no matter of the plan: the payer declines, and then that peer is
 * out (`payment-required`), so that the origin is asked as if nobody had the blob.
 *
 * **Paying twice.** No group is wanted of two paid peers at a time, unless `racesPaid` allows it for
 * the races of the end game, and a paid peer is raced against no free one that makes progress. A free
 * peer may be raced against a paid one: that costs nothing. Only the last group, which proves the size,
 * may be bought twice: nothing else can be planned before it came.
 *
 * **The fleet.** Its members are never charged, so they are free whatever they advertise; and while one
 * that comes before us fetches the same blob, it is waited for as it is before the origin is asked:
 * a fleet buys once.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import { isHerdAhead } from "./herd.ts";
import {
  groupsOf,
  isUsable,
  latencyOf,
  planGroupCount,
  rateOf,
  type RequestState,
  type SchedulerState,
  type SourceState,
} from "./state.ts";

/** The score of a source that nothing is known of. */
const STRANGER_SCORE = 0.5;

/** Whether asking `source` costs something. */
export function isPaid(source: SourceState): boolean {
  return source.priceMsatPerMiB > 0 && !source.isFleet;
}

/** What `source` may be asked for now. */
export function reachOf(source: SourceState): RangeSet {
  return source.reach === RangeSet.ALL
    ? groupsOf(source)
    : groupsOf(source).intersect(source.reach);
}

/** Says anew how far each source reaches, and in which order paid ones come. */
export function setReach(state: SchedulerState, nowMs: number): void {
  const paid: SourceState[] = [];
  for (const source of state.sources.values()) {
    source.reach = RangeSet.ALL;
    source.rank = 0;
    if (source.dropped === undefined && isPaid(source)) paid.push(source);
  }
  if (paid.length === 0) return;
  if (state.thrift !== "fastest") reachByThrift(state, paid, nowMs);
  const distrusted = paid.filter((source) => scoreOf(source) < state.limits.paidScoreMin);
  if (distrusted.length > 0) reachLast(state, distrusted, nowMs);
}

function reachByThrift(
  state: SchedulerState,
  paid: readonly SourceState[],
  nowMs: number,
): void {
  const ordered = state.thrift === "cheapest" ? cheapestFirst(paid) : worthiestFirst(state, paid);
  for (const [index, source] of ordered.entries()) source.rank = index + 1;
  const live = [...state.sources.values()].filter((source) => source.dropped === undefined);
  if (isHerdAhead(state, live, nowMs)) {
    for (const source of paid) source.reach = RangeSet.EMPTY;
  } else if (state.thrift === "cheapest") reachCheaply(state, ordered, nowMs);
  else reachAsNeeded(state, ordered, nowMs);
}

/** Whether `thief` may be asked for what `victim` is at work on, a second time. */
export function mayRace(
  state: SchedulerState,
  thief: SourceState,
  options: { readonly victim: RequestState; readonly nowMs: number },
): boolean {
  if (!isPaid(thief)) return true;
  const { source } = options.victim;
  if (isPaid(source)) return state.racesPaid && source !== thief;
  return isStalled(state, source, options.nowMs);
}

/** Whether a paid `source` may be asked for the last group, which `victim` has not brought for long. */
export function mayProveToo(
  state: SchedulerState,
  source: SourceState,
  options: { readonly victim: RequestState; readonly nowMs: number },
): boolean {
  const { victim, nowMs } = options;
  return !isPaid(source) || victim.source === source ||
    nowMs - victim.startedMs >= state.limits.paidPatienceMs;
}

/** Whether `source` is at work and says nothing: then it is not counted on. */
export function isStalled(state: SchedulerState, source: SourceState, nowMs: number): boolean {
  const patienceMs = Math.max(state.limits.paidPatienceMs, 4 * latencyOf(state, source));
  return source.requestCount > 0 && silenceOf(state, source, nowMs) >= patienceMs;
}

/** How long nothing came of what `source` is asked for; 0 while it is asked for nothing. */
function silenceOf(state: SchedulerState, source: SourceState, nowMs: number): number {
  if (source.requestCount === 0) return 0;
  let lastMs = source.lastProgressMs;
  for (const request of state.requests.values()) {
    if (request.source === source) lastMs = Math.max(lastMs, request.lastProgressMs);
  }
  return nowMs - lastMs;
}

/** Whether an origin has to bring what only paid peers have, now that nobody else will turn up. */
export function isOriginCheaper(state: SchedulerState): boolean {
  if (state.thrift !== "cheapest" || !state.isDiscoveryEnded) return false;
  let free = RangeSet.EMPTY;
  let paid = RangeSet.EMPTY;
  for (const source of state.sources.values()) {
    if (!mayStillBring(state, source)) continue;
    if (isPaid(source)) paid = paid.union(groupsOf(source));
    else free = free.union(groupsOf(source));
  }
  return paid.subtract(free).intersects(state.missing);
}

/** Who is not trusted brings what nobody else can. */
function reachLast(
  state: SchedulerState,
  distrusted: readonly SourceState[],
  nowMs: number,
): void {
  let covered = RangeSet.EMPTY;
  for (const source of state.sources.values()) {
    const isRelied = !distrusted.includes(source) && isUsable(source, nowMs) &&
      !isStalled(state, source, nowMs);
    if (isRelied) covered = covered.union(reachOf(source));
  }
  for (const source of distrusted) source.reach = source.reach.subtract(covered);
}

/** See `cheapest` at the head of this file. */
function reachCheaply(
  state: SchedulerState,
  ordered: readonly SourceState[],
  nowMs: number,
): void {
  // Whoever is found a moment later may be free.
  const isEarly = !state.isDiscoveryEnded && nowMs - state.startMs < state.limits.freeFirstMs;
  let covered = isEarly || mayOriginBring(state) ? RangeSet.ALL : RangeSet.EMPTY;
  for (const source of state.sources.values()) {
    if (!isPaid(source) && mayStillBring(state, source)) covered = covered.union(groupsOf(source));
  }
  let price = 0;
  let coveredCheaper = covered;
  for (const source of ordered) {
    if (askingOf(source) !== price) coveredCheaper = covered;
    price = askingOf(source);
    source.reach = RangeSet.ALL.subtract(coveredCheaper);
    // A free source is given more time: with cheaper sellers that hang it would never end.
    const isWaitedFor = source.failuresInRow === 0 &&
      silenceOf(state, source, nowMs) < state.limits.progressMs;
    if (isWaitedFor) covered = covered.union(groupsOf(source));
  }
}

/** Not given up, and not failing again and again. One failure is forgiven: thrift has patience. */
function mayStillBring(state: SchedulerState, source: SourceState): boolean {
  return source.dropped === undefined && source.failuresInRow < state.limits.freeFailuresMax;
}

function mayOriginBring(state: SchedulerState): boolean {
  if (!state.hasOrigin || state.originState === "unavailable") return false;
  if (state.originState !== "added") return true;
  return [...state.sources.values()].some((source) =>
    source.kind === "origin" && mayStillBring(state, source)
  );
}

/** See `balanced` at the head of this file. */
function reachAsNeeded(
  state: SchedulerState,
  ordered: readonly SourceState[],
  nowMs: number,
): void {
  let covered = RangeSet.EMPTY;
  let rate = 0;
  const count = (source: SourceState) => {
    if (!isUsable(source, nowMs) || isStalled(state, source, nowMs)) return;
    const groups = groupsOf(source);
    if (!groups.intersects(state.missing)) return;
    covered = covered.union(groups);
    rate += rateOf(state, source);
  };
  for (const source of state.sources.values()) {
    if (source.kind === "peer" && !isPaid(source)) count(source);
  }
  const leftBytes = bytesLeft(state);
  for (const source of ordered) {
    admit(state, source, { rate, leftBytes, nowMs });
    source.reach = source.isAdmitted ? RangeSet.ALL : RangeSet.ALL.subtract(covered);
    if (reachOf(source).intersects(state.missing)) count(source);
  }
}

function bytesLeft(state: SchedulerState): number | undefined {
  const groupCount = planGroupCount(state);
  return groupCount === undefined ? undefined : state.missing.below(groupCount).count * GROUP_BYTES;
}

/** One glance is no reason to pay: a rate is judged for a moment, unless nobody is there at all. */
function admit(
  state: SchedulerState,
  source: SourceState,
  others: { readonly rate: number; readonly leftBytes: number | undefined; readonly nowMs: number },
): void {
  const { rate, nowMs } = others;
  const isNeeded = isTooSlow(state, { ...others, wasAdmitted: source.isAdmitted });
  if (isNeeded) source.neededSinceMs ??= nowMs;
  else source.neededSinceMs = undefined;
  source.isAdmitted = isNeeded &&
    (source.isAdmitted || rate === 0 ||
      nowMs - source.neededSinceMs! >= state.limits.paidPatienceMs);
}

/**
 * Whether sources of this rate together need help that costs something. Whoever was admitted stays
 * until half of the limits would do: what it was paid ahead is not to be left behind for a moment.
 */
function isTooSlow(
  state: SchedulerState,
  options: {
    readonly rate: number;
    readonly leftBytes: number | undefined;
    readonly wasAdmitted: boolean;
  },
): boolean {
  const { paidRateFloor, paidLeftMs, paidLeftMsMin } = state.limits;
  const { rate, leftBytes } = options;
  const ease = options.wasAdmitted ? 2 : 1;
  if (rate === 0) return true;
  const leftMs = leftBytes === undefined ? undefined : (leftBytes * 1000) / rate;
  if (leftMs !== undefined && leftMs * ease > paidLeftMs) return true;
  return rate < paidRateFloor * ease && (leftMs === undefined || leftMs * ease > paidLeftMsMin);
}

function cheapestFirst(paid: readonly SourceState[]): SourceState[] {
  return [...paid].sort((a, b) => askingOf(a) - askingOf(b));
}

/**
 * The price to compare with: who failed before, and more so who lied, is dearer than it says, as if what
 * it does not deliver had to be paid as well. Nobody gains by being known: 0.5 is a stranger's score.
 */
function askingOf(source: SourceState): number {
  return source.priceMsatPerMiB * Math.max(1, STRANGER_SCORE / Math.max(0.001, scoreOf(source)));
}

function scoreOf(source: SourceState): number {
  return source.prior.score ?? STRANGER_SCORE;
}

/** The cheapest first, unless a dearer one is at least twice as fast. */
function worthiestFirst(state: SchedulerState, paid: readonly SourceState[]): SourceState[] {
  const left = cheapestFirst(paid);
  const ordered: SourceState[] = [];
  while (left.length > 0) {
    let best = 0;
    for (const [index, source] of left.entries()) {
      if (rateOf(state, source) >= 2 * rateOf(state, left[best]!)) best = index;
    }
    ordered.push(...left.splice(best, 1));
  }
  return ordered;
}
