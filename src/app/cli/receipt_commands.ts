/** The table of verbs about receipts. */
import type { VerbFamily, VerbSpec } from "./verb.ts";

const VERBS: readonly VerbSpec[] = [
  {
    name: "receipts ls",
    summary: "List receipts, the latest first",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "SIDE is what this node was: provider or consumer. SIGNED says who stands behind a receipt: " +
      "both, or this side only, which makes it worth less; a provider's is not signed yet for a day.",
    flags: {
      role: { placeholder: "SIDE", description: "Only those as provider, or as consumer" },
      type: { placeholder: "TYPE", description: "Only those for bytes, or for a lease" },
      peer: {
        placeholder: "PEER",
        description: "Only those with this peer id or, for leases, with this Nostr key",
      },
      since: {
        placeholder: "TIME",
        description: "Only from then on: 7d, 12h, or a day such as 2026-01-31 (UTC)",
      },
    },
    settings: [],
    examples: [
      ["receipts ls --role provider --since 30d", "what others confirmed this month"],
      ["receipts ls --type lease", "what was rented and lent"],
    ],
    load: () => import("./verbs/receipts.ts"),
  },
  {
    name: "receipts show",
    summary: "Print a receipt as it was signed",
    operands: "ID",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "ID is the id of the receipt, or its first digits. The receipt names its content, or the image " +
      "of a lease, by a commitment; --json adds the hash and the salt that opens it.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/receipts.ts"),
  },
];

/** The family. */
export const RECEIPTS_VERBS: VerbFamily = {
  name: "receipts",
  summary: "Show receipts for bytes and leases (receipts --help lists its verbs)",
  operands: "VERB",
  details:
    "When a paid fetch or a lease ends, the provider signs what it delivered and was paid, the " +
    "consumer signs the same, and both keep it.",
  verbs: VERBS,
};
