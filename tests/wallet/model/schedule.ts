/** What may happen in a run of the model: commands of users, and trouble. */
import fc from "fast-check";
import { FAULT_POINTS as FUND_POINTS } from "../../../wallet/operations/fund_plan.ts";
import { FAULT_POINTS as MELT_POINTS } from "../../../wallet/operations/melt.ts";
import { FAULT_POINTS as REDEEM_POINTS } from "../../../wallet/operations/redeem.ts";
import { FAULT_POINTS as SEND_POINTS } from "../../../wallet/operations/send_plan.ts";
import { FAULT_POINTS as SWAP_POINTS } from "../../../wallet/operations/swap_plan.ts";
import type { FaultRule } from "../../../devnet/fault_proxy/mod.ts";
import type { PaymentAction } from "../../../devnet/lightning/scripts.ts";

/** Alice pays, Bob is paid; both have the same mints. */
export type Who = "alice" | "bob";

/** One thing that happens. `mint` is the place of a mint, 0 or 1. */
export type Event =
  | {
    readonly do: "fund";
    readonly who: Who;
    readonly mint: number;
    readonly sat: number;
    readonly isPaid: boolean;
  }
  | { readonly do: "send"; readonly mint: number; readonly sat: number; readonly isLocked: boolean }
  /** A payment by its number: the same number asks for the same payment again. */
  | {
    readonly do: "payment";
    readonly number: number;
    readonly accepts: readonly number[];
    readonly sat: number;
  }
  /** Bob takes one of the tokens that there are, under one of two payment ids. */
  | { readonly do: "take"; readonly token: number; readonly isAgain: boolean }
  | { readonly do: "stranger"; readonly token: number }
  | { readonly do: "reclaim"; readonly token: number }
  | { readonly do: "melt"; readonly mint: number; readonly sat: number; readonly feeMax: number }
  | { readonly do: "swap"; readonly from: number; readonly sat: number; readonly feeMax: number }
  /** At the `count`th passing of the point, or of any if none is named. */
  | { readonly do: "crash"; readonly who: Who; readonly point?: string; readonly count: number }
  | { readonly do: "reopen"; readonly who: Who }
  | { readonly do: "proxy"; readonly mint: number; readonly rule: FaultRule }
  | { readonly do: "mint-fault"; readonly mint: number; readonly fault: MintFault }
  /** What becomes of the next payment of a mint. */
  | {
    readonly do: "lightning";
    readonly from: string;
    readonly action: PaymentAction;
    readonly ms: number;
  }
  /** The next melt there fails, and a copy of it comes later. */
  | { readonly do: "late-melt"; readonly mint: number; readonly ms: number }
  | { readonly do: "settle"; readonly isPaid: boolean }
  | { readonly do: "rotate"; readonly mint: number; readonly feePpk: number }
  | { readonly do: "offline"; readonly mint: number; readonly isOffline: boolean }
  | { readonly do: "lightning-offline"; readonly isOffline: boolean }
  | { readonly do: "clock"; readonly ms: number }
  /** Whatever is open is driven by so many at the same time. */
  | { readonly do: "resume"; readonly who: Who; readonly drivers: number };

/** What a mint is told to do wrong. It stays honest: what it owes can be had in the end. */
export type MintFault =
  | "lie-after-paying"
  | "stale-quotes"
  | "pending-forever"
  | "late-change"
  | "cache-pending"
  | "zero-change"
  | "active-change"
  | "high-reserve"
  | "fail-before"
  | "fail-after"
  | "forget-answers"
  | "rate-limit";

/** Things that happen at the same time. */
export type Schedule = readonly (readonly Event[])[];

const who = fc.constantFrom<Who>("alice", "alice", "bob");
const mint = fc.constantFrom(0, 1);
const sat = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 41, max: 600 }));
const paths = ["/v1/swap", "/v1/mint/bolt11", "/v1/melt/bolt11"];
const path = fc.constantFrom(...paths, ...paths, "/v1/restore", "/v1/checkstate", "/v1/*");

const spoiling: fc.Arbitrary<FaultRule> = fc.oneof(
  fc.constantFrom<FaultRule>(
    { action: "drop-request" },
    { action: "drop-response" },
    { action: "drop-response" },
    { action: "hang-request" },
    { action: "hang-response" },
    { action: "delay-request", ms: 20_000 },
    { action: "delay-request", ms: 45_000 },
    { action: "delay-response", ms: 45_000 },
    { action: "duplicate", answer: "first" },
    { action: "duplicate", answer: "last" },
    { action: "duplicate", ms: 10_000 },
    { action: "reset" },
    { action: "reset", forward: false },
    { action: "truncate" },
    { action: "truncate", bytes: 0 },
    { action: "html" },
    { action: "html", forward: false },
    { action: "empty" },
    { action: "status", status: 500, forward: true },
    { action: "status", status: 503 },
    { action: "status", status: 429, retryAfterS: 2 },
    { action: "status", status: 429 },
    { action: "stale" },
  ),
);

const rule: fc.Arbitrary<FaultRule> = fc.record({
  what: spoiling,
  path,
  count: fc.integer({ min: 1, max: 3 }),
  skip: fc.constantFrom(0, 0, 1),
}).map(({ what, path, count, skip }) => ({
  ...what,
  match: { method: what.action === "stale" ? "GET" : "POST", path },
  count,
  skip,
}));

const point = fc.constantFrom(
  ...FUND_POINTS,
  ...SEND_POINTS,
  ...REDEEM_POINTS,
  ...MELT_POINTS,
  ...SWAP_POINTS,
);

const actions = fc.constantFrom<PaymentAction>(
  "settle",
  "fail",
  "hold",
  "delay",
  "pretend",
  "lie",
  "silent",
  "drop",
  "notify-late",
  "notify-never",
);

const mintFault = fc.constantFrom<MintFault>(
  "lie-after-paying",
  "stale-quotes",
  "pending-forever",
  "late-change",
  "cache-pending",
  "zero-change",
  "active-change",
  "high-reserve",
  "fail-before",
  "fail-after",
  "forget-answers",
  "rate-limit",
);

/** Those that a payment meets. */
const payingFault = fc.constantFrom<MintFault>(
  "lie-after-paying",
  "stale-quotes",
  "pending-forever",
  "late-change",
  "late-change",
  "cache-pending",
  "zero-change",
  "active-change",
);

function kind<T extends Event["do"]>(
  name: T,
  fields: { [K in Exclude<keyof Extract<Event, { do: T }>, "do">]?: fc.Arbitrary<unknown> },
): fc.Arbitrary<Event> {
  return fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Event>;
}

const token = fc.nat({ max: 5 });
const feeMax = fc.constantFrom(3, 8, 20, 60, 60);

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 2,
    arbitrary: kind("fund", { who, mint, sat, isPaid: fc.constantFrom(true, true, false) }),
  },
  { weight: 4, arbitrary: kind("send", { mint, sat, isLocked: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: kind("payment", {
      number: fc.nat({ max: 3 }),
      accepts: fc.constantFrom([0], [1], [0, 1]),
      sat: fc.integer({ min: 1, max: 300 }),
    }),
  },
  { weight: 5, arbitrary: kind("take", { token, isAgain: fc.constantFrom(false, false, true) }) },
  { weight: 1, arbitrary: kind("stranger", { token }) },
  { weight: 2, arbitrary: kind("reclaim", { token }) },
  { weight: 5, arbitrary: kind("melt", { mint, sat, feeMax }) },
  { weight: 5, arbitrary: kind("swap", { from: mint, sat, feeMax }) },
  {
    weight: 6,
    arbitrary: fc.oneof(
      kind("crash", { who, count: fc.integer({ min: 1, max: 14 }) }),
      kind("crash", { who, point, count: fc.constantFrom(1, 1, 2) }),
    ),
  },
  { weight: 2, arbitrary: kind("reopen", { who }) },
  { weight: 7, arbitrary: kind("proxy", { mint, rule }) },
  { weight: 3, arbitrary: kind("mint-fault", { mint, fault: mintFault }) },
  {
    weight: 4,
    arbitrary: kind("lightning", {
      from: fc.constantFrom("A", "B"),
      action: actions,
      ms: fc.constantFrom(500, 20_000, 400_000),
    }),
  },
  {
    weight: 2,
    arbitrary: kind("late-melt", { mint, ms: fc.constantFrom(1_000, 10_000, 60_000) }),
  },
  { weight: 2, arbitrary: kind("settle", { isPaid: fc.boolean() }) },
  { weight: 2, arbitrary: kind("rotate", { mint, feePpk: fc.constantFrom(0, 100, 1000) }) },
  { weight: 1, arbitrary: kind("offline", { mint, isOffline: fc.constantFrom(true, false) }) },
  { weight: 1, arbitrary: kind("lightning-offline", { isOffline: fc.constantFrom(true, false) }) },
  {
    weight: 3,
    arbitrary: kind("clock", { ms: fc.constantFrom(500, 3_000, 60_000, 700_000, 4_000_000) }),
  },
  { weight: 4, arbitrary: kind("resume", { who, drivers: fc.integer({ min: 1, max: 3 }) }) },
);

/** What an operation may be troubled by: its requests, its fault points, and Lightning if it pays. */
interface Sore {
  readonly who: Who;
  readonly paths: readonly string[];
  readonly points: readonly string[];
  readonly isPaying: boolean;
}

/** An operation with up to two troubles of its own right before it. */
function troubled(operation: fc.Arbitrary<Event>, sore: Sore): fc.Arbitrary<Schedule> {
  const path = fc.constantFrom(...sore.paths);
  const own = fc.record({ what: spoiling, path, count: fc.integer({ min: 1, max: 2 }) });
  const rules = own.map(({ what, path, count }) => ({
    ...what,
    match: { method: "POST", path },
    count,
  }));
  const trouble: fc.Arbitrary<Event>[] = [
    kind("proxy", { mint, rule: rules }),
    kind("crash", {
      who: fc.constant(sore.who),
      point: fc.constantFrom(...sore.points),
      count: fc.constant(1),
    }),
    kind("rotate", { mint, feePpk: fc.constantFrom(0, 100, 1000) }),
  ];
  if (sore.isPaying) {
    trouble.push(
      kind("mint-fault", { mint, fault: payingFault }),
      kind("late-melt", { mint, ms: fc.constantFrom(1_000, 10_000, 60_000) }),
      kind("lightning", {
        from: fc.constantFrom("A", "B"),
        action: actions,
        ms: fc.constantFrom(500, 20_000),
      }),
    );
  }
  return fc.tuple(fc.array(fc.oneof(...trouble), { maxLength: 2 }), operation)
    .map(([before, after]) => [...before.map((one) => aimedAt(after, one)), after])
    .map((all) => all.map((one) => [one]));
}

/** What troubles a payment where it is paid from. */
function aimedAt(operation: Event, trouble: Event): Event {
  if (operation.do !== "melt" && operation.do !== "swap") return trouble;
  const source = operation.do === "melt" ? operation.mint : operation.from;
  if (trouble.do === "mint-fault" || trouble.do === "late-melt") {
    return { ...trouble, mint: source };
  }
  return trouble.do === "lightning" ? { ...trouble, from: source === 0 ? "A" : "B" } : trouble;
}

const SWAP_PATH = "/v1/swap";
const MINT_PATH = "/v1/mint/bolt11";
const MELT_PATH = "/v1/melt/bolt11";

const troubles: fc.Arbitrary<Schedule> = fc.oneof(
  troubled(
    kind("fund", { who: fc.constant("alice"), mint, sat, isPaid: fc.constant(true) }),
    { who: "alice", paths: [MINT_PATH], points: FUND_POINTS, isPaying: false },
  ),
  troubled(
    kind("send", { mint, sat, isLocked: fc.boolean() }),
    { who: "alice", paths: [SWAP_PATH], points: SEND_POINTS, isPaying: false },
  ),
  troubled(
    kind("take", { token, isAgain: fc.constant(false) }),
    { who: "bob", paths: [SWAP_PATH], points: REDEEM_POINTS, isPaying: false },
  ),
  troubled(
    kind("reclaim", { token }),
    { who: "alice", paths: [SWAP_PATH], points: SEND_POINTS, isPaying: false },
  ),
  troubled(
    kind("melt", { mint, sat, feeMax }),
    { who: "alice", paths: [MELT_PATH, SWAP_PATH], points: MELT_POINTS, isPaying: true },
  ),
  troubled(
    kind("swap", { from: mint, sat, feeMax }),
    { who: "alice", paths: [MELT_PATH, MINT_PATH, SWAP_PATH], points: SWAP_POINTS, isPaying: true },
  ),
);

/** Schedules of up to `steps` steps and what belongs to them. */
export function schedules(steps: number): fc.Arbitrary<Schedule> {
  const step: fc.Arbitrary<Schedule> = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(event).map((one) => [one]) },
    { weight: 1, arbitrary: fc.array(event, { minLength: 2, maxLength: 3 }).map((all) => [all]) },
    { weight: 4, arbitrary: troubles },
  );
  return fc.array(step, { minLength: Math.ceil(steps / 2), maxLength: steps, size: "max" })
    .map((all) => all.flat());
}
