/** Rows K1 to K32 of the failure matrix: where a wallet's process is killed. */
import type { WalletKit } from "../../support/wallet_kit.ts";

/** One kill. */
export interface Kill {
  /** Fault point at which the process kills itself. */
  readonly point?: string;
  /** Killed from outside once a mint has answered this path, with the answer on its way. */
  readonly path?: string;
  /** The mint that is asked for {@link path}. @default {0} */
  readonly mint?: number;
  /** Killed from outside while a payment is held. */
  readonly whilePending?: true;
  readonly scenario?: Scenario;
}

/** What happens besides the kill. */
export type Scenario =
  /** The token is taken back. */
  | "reclaim"
  /** The token was spent elsewhere. */
  | "spent"
  /** Only one large coin is there: a swap for the exact sum comes first. */
  | "split"
  /** The payment is held for a while, then paid. */
  | "hold"
  /** The payment fails: what was reserved is fenced. */
  | "fail"
  /** The mint tells of change later. */
  | "late-change";

/** A row. */
export interface Row {
  readonly id: string;
  readonly when: string;
  readonly kills: readonly Kill[];
}

/** Kinds of operations that are killed. */
export type KillKind = "send" | "redeem" | "melt" | "swap";

function points(names: readonly string[], scenario?: Scenario): Kill[] {
  return names.map((point) => scenario === undefined ? { point } : { point, scenario });
}

/** `state.before-commit` and `state.after-commit`. */
function around(state: string): string[] {
  return [`${state}.before-commit`, `${state}.after-commit`];
}

/** `phase.before-send` and `phase.after-send`. */
function sent(phase: string): string[] {
  return [`${phase}.before-send`, `${phase}.after-send`];
}

const SEND: readonly Row[] = [
  { id: "K1", when: "before it reserves", kills: points(["send.planned.before-commit"]) },
  {
    id: "K2",
    when: "after it reserved",
    kills: points(["send.planned.after-commit", "send.prepared.before-commit"]),
  },
  {
    id: "K3",
    when: "after the journal says that it is in flight",
    kills: points(["send.prepared.after-commit", "send.swap.before-send"]),
  },
  {
    id: "K4",
    when: "after the request, before the answer",
    kills: [{ path: "/v1/swap" }, { path: "/v1/swap", scenario: "reclaim" }],
  },
  {
    id: "K5",
    when: "after the answer, before it commits",
    kills: [
      ...points(["send.swap.after-send", "send.swap-inflight.before-commit"]),
      ...points([...sent("send.reclaim"), "send.reclaim-inflight.before-commit"], "reclaim"),
    ],
  },
  {
    id: "K6",
    when: "after it committed, before anybody heard",
    kills: [
      ...points(["send.swap-inflight.after-commit", ...around("send.token-ready")]),
      ...points([...around("send.delivered"), "send.reclaim-inflight.after-commit"], "reclaim"),
    ],
  },
];

const REDEEM: readonly Row[] = [
  { id: "K7", when: "before it is taken", kills: points(["redeem.take.before-commit"]) },
  {
    id: "K8",
    when: "after it was taken",
    kills: points(["redeem.take.after-commit", "redeem.collecting.before-commit"]),
  },
  {
    id: "K9",
    when: "after the journal says that it is in flight",
    kills: points([
      "redeem.collecting.after-commit",
      ...around("redeem.prepared"),
      "redeem.swap.before-send",
    ]),
  },
  { id: "K10", when: "after the request, before the answer", kills: [{ path: "/v1/swap" }] },
  {
    id: "K11",
    when: "after the answer, before it commits",
    kills: points(["redeem.swap.after-send", "redeem.swap-inflight.before-commit"]),
  },
  {
    id: "K12",
    when: "after it committed, before anybody heard",
    kills: [
      ...points(["redeem.swap-inflight.after-commit"]),
      ...points(around("redeem.sorting"), "spent"),
    ],
  },
];

const MELT: readonly Row[] = [
  {
    id: "K13",
    when: "after the quote",
    kills: points(["melt.intent.after-quote", ...around("melt.intent")]),
  },
  { id: "K14", when: "before it reserves", kills: points(["melt.quoted.before-commit"]) },
  {
    id: "K15",
    when: "after it reserved",
    kills: [
      ...points(["melt.quoted.after-commit", "melt.prepared.before-commit"]),
      ...points([...sent("melt.split"), ...around("melt.splitting")], "split"),
      ...points(["melt.ready.before-commit"], "split"),
    ],
  },
  {
    id: "K16",
    when: "after the journal says that it is in flight",
    kills: [
      ...points(["melt.prepared.after-commit", "melt.melt.before-send"]),
      ...points(["melt.ready.after-commit"], "split"),
    ],
  },
  {
    id: "K17",
    when: "after the request, before the answer",
    kills: [{ path: "/v1/melt/bolt11" }, { path: "/v1/melt/bolt11", scenario: "fail" }],
  },
  {
    id: "K18",
    when: "after the answer, before and after it commits",
    kills: [
      ...points(["melt.melt.after-send", ...around("melt.inflight"), ...around("melt.paid")]),
      ...points(
        [...around("melt.unpaid"), ...sent("melt.fence"), ...around("melt.fencing")],
        "fail",
      ),
    ],
  },
  {
    id: "K19",
    when: "while it is pending",
    kills: [
      { whilePending: true, scenario: "hold" },
      ...points(around("melt.pending"), "hold"),
    ],
  },
];

const SWAP: readonly Row[] = [
  {
    id: "K20",
    when: "at its intent",
    kills: points(["swap.intent.after-quote", "swap.intent.before-commit"]),
  },
  {
    id: "K21",
    when: "with a quote of the destination",
    kills: points(["swap.intent.after-commit", "swap.dest-quoted.before-commit"]),
  },
  {
    id: "K22",
    when: "with the destination's ecash planned",
    kills: points([
      "swap.dest-quoted.after-commit",
      "swap.dest-planned.after-quote",
      "swap.dest-planned.before-commit",
    ]),
  },
  {
    id: "K23",
    when: "with a quote of the source",
    kills: points(["swap.dest-planned.after-commit", "swap.source-quoted.before-commit"]),
  },
  {
    id: "K24",
    when: "after it reserved",
    kills: [
      ...points(["swap.source-quoted.after-commit", "swap.prepared.before-commit"]),
      ...points([...sent("swap.split"), ...around("swap.source-splitting")], "split"),
      ...points(["swap.source-ready.before-commit"], "split"),
    ],
  },
  {
    id: "K25",
    when: "after the journal says that the source is to pay",
    kills: [
      ...points(["swap.prepared.after-commit", "swap.melt.before-send"]),
      ...points(["swap.source-ready.after-commit"], "split"),
    ],
  },
  {
    id: "K26",
    when: "after the source was told to pay, before its answer",
    kills: [{ path: "/v1/melt/bolt11" }, { path: "/v1/melt/bolt11", scenario: "fail" }],
  },
  {
    id: "K27",
    when: "after the source answered, before it commits",
    kills: points(["swap.melt.after-send", "swap.source-inflight.before-commit"]),
  },
  {
    id: "K28",
    when: "while the source's payment is pending, or fenced",
    kills: [
      { whilePending: true, scenario: "hold" },
      ...points(around("swap.source-pending"), "hold"),
      ...points(
        [...around("swap.source-unpaid"), ...sent("swap.fence"), ...around("swap.source-fencing")],
        "fail",
      ),
    ],
  },
  {
    id: "K29",
    when: "after the source has paid",
    kills: points(["swap.source-inflight.after-commit", ...around("swap.source-paid")]),
  },
  {
    id: "K30",
    when: "while the destination is awaited",
    kills: points(around("swap.awaiting-dest")),
  },
  {
    id: "K31",
    when: "while the destination issues",
    kills: [...points(sent("swap.mint")), { path: "/v1/mint/bolt11", mint: 1 }],
  },
  {
    id: "K32",
    when: "around its end",
    kills: [
      ...points(around("swap.issuing")),
      ...points(around("swap.change-due"), "late-change"),
    ],
  },
];

/** All rows, by kind. */
export const ROWS: Readonly<Record<KillKind, readonly Row[]>> = {
  send: SEND,
  redeem: REDEEM,
  melt: MELT,
  swap: SWAP,
};

/** Orders what the scenario needs of mints and Lightning. */
export function prepareScenario(kit: WalletKit, scenario: Scenario | undefined): void {
  switch (scenario) {
    case "hold":
      kit.lightning.script({ action: "hold" });
      return;
    case "fail":
      kit.lightning.script({ action: "fail" });
      return;
    case "late-change": {
      const { admin } = kit.mints[0]!;
      admin.setFeeReserve({ minSat: 20 });
      admin.alterAnswers("/v1/melt/bolt11", { change: [] });
      admin.alterAnswers("/v1/melt/quote/bolt11", { change: [] }, { count: 2 });
      return;
    }
    case "reclaim":
    case "spent":
    case "split":
    case undefined:
      return;
  }
  scenario satisfies never;
}
