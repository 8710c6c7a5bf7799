/** The table of verbs about selling: what bytes cost, and what they brought. */
import type { VerbFamily, VerbSpec } from "./verb.ts";

const SERVICE_DETAILS =
  "SERVICE is default (everything that has no price of its own), public, fleet or private (by " +
  "visibility), or content: a BLAKE3 hash, its first digits, or a ticket.";

/** Verbs of `services`. */
const VERBS: readonly VerbSpec[] = [
  {
    name: "services list",
    summary: "List what has a price, and which",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "What is on no line is free.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/services.ts"),
  },
  {
    name: "services set",
    summary: "Set a price and let it count",
    operands: "SERVICE PRICE",
    operandCountMin: 2,
    operandCountMax: 2,
    details: `${SERVICE_DETAILS}\n` +
      "PRICE is for a MiB of content: 300 or 300msat are 300 thousandths of a sat, 2sat are 2,000; 0 " +
      "gives it away. The price of a collection is that of its children, too. Adverts tell it at " +
      "once; a fetch under way goes on at the price it began with until its credit is used up.",
    flags: {
      "min-top-up": {
        placeholder: "AMOUNT",
        description: "The least that one payment must be (default 64 sat, or 32 MiB's worth)",
      },
      mint: {
        placeholder: "URL",
        description:
          "Take only ecash of this mint for it; repeat it. all takes that of every mint listed (the " +
          "default)",
      },
    },
    settings: [],
    examples: [
      ["services set default 200", "200 msat a MiB, 205 sat a GiB"],
      ["services set 3a7f… 1sat", "a film, dearer than the rest"],
      ["services set fleet 0", "what only the fleet sees is free for it anyway"],
    ],
    load: () => import("./verbs/services.ts"),
  },
  {
    name: "services enable",
    summary: "Let a price count again",
    operands: "SERVICE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: SERVICE_DETAILS,
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/services.ts"),
  },
  {
    name: "services disable",
    summary: "Keep a price that does not count: what it was for is as if it had none",
    operands: "SERVICE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: SERVICE_DETAILS,
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/services.ts"),
  },
];

/** The family. */
export const SERVICES_VERBS: VerbFamily = {
  name: "services",
  summary: "Set what strangers pay for a MiB (services --help lists its verbs)",
  operands: "VERB",
  details:
    "Everything is free until a service says otherwise. The price of a blob is its own, else the " +
    "lowest of the collections that list it, else that of its visibility, else the default. Members " +
    "of the fleet never pay. Payments are ecash of the mints that the wallet lists, locked to this " +
    "node's key; peers pay by themselves, within their budgets. Prices are kept in the wallet.",
  verbs: VERBS,
};

/** What was earned. */
export const EARNINGS_VERB: VerbSpec = {
  name: "earnings",
  summary: "Show what was sold and earned, by day, mint, peer or content",
  operands: "",
  operandCountMin: 0,
  operandCountMax: 0,
  details:
    "SOLD is content that was paid for, EARNED what it cost its readers. PROVISIONAL are payments " +
    "that were taken and not redeemed at their mint yet, REDEEMED is money in the wallet; both " +
    "count whole payments, of which a reader may still have credit.",
  flags: {
    by: { placeholder: "WHAT", description: "day (the default), mint, peer or content" },
    since: {
      placeholder: "TIME",
      description: "Only from then on: 7d, 12h, or a day such as 2026-01-31 (UTC)",
    },
  },
  settings: [],
  examples: [["earnings --by content --since 30d", "what sold best this month"]],
  load: () => import("./verbs/earnings.ts"),
};
