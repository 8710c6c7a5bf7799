/** The table of verbs about receipts for bytes. */
import type { VerbFamily, VerbSpec } from "./verb.ts";

const VERBS: readonly VerbSpec[] = [
  {
    name: "receipts ls",
    summary: "List receipts, the latest first",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "SIDE is what this node was: provider or consumer. PEER is the other one.",
    flags: {
      role: { placeholder: "SIDE", description: "Only those as provider, or as consumer" },
      peer: { placeholder: "PEER_ID", description: "Only those with this peer" },
      since: {
        placeholder: "TIME",
        description: "Only from then on: 7d, 12h, or a day such as 2026-01-31 (UTC)",
      },
    },
    settings: [],
    examples: [["receipts ls --role provider --since 30d", "what others confirmed this month"]],
    load: () => import("./verbs/receipts.ts"),
  },
  {
    name: "receipts show",
    summary: "Print a receipt as both sides signed it",
    operands: "ID",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "ID is the id of the receipt, or its first digits. The receipt names its content by a " +
      "commitment; --json adds the content and the salt that opens it.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/receipts.ts"),
  },
];

/** The family. */
export const RECEIPTS_VERBS: VerbFamily = {
  name: "receipts",
  summary: "Show receipts for bytes bought and sold (receipts --help lists its verbs)",
  operands: "VERB",
  details:
    "When a paid fetch ends, the provider signs what it delivered and was paid, the consumer signs " +
    "the same, and both keep it.",
  verbs: VERBS,
};
