/** The table of the verbs of `wallet`. Those that move money are in `wallet_money_commands.ts`. */
import { MONEY_VERBS } from "./wallet_money_commands.ts";
import type { VerbFamily, VerbSpec } from "./verb.ts";

/** Verbs about what is held, and where. */
const HOLDING_VERBS: readonly VerbSpec[] = [
  {
    name: "wallet balance",
    summary: "Show what is held at each mint",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "FREE can be spent now. RESERVED belongs to operations under way. OUTGOING was given away in " +
      "tokens that nobody has been seen redeeming; reclaim takes one back. INCOMING was taken as " +
      "payment and is redeemed soon. The total counts FREE and RESERVED.",
    flags: {},
    settings: [],
    examples: [["wallet balance --json", "one object"]],
    load: () => import("./verbs/wallet/balance.ts"),
  },
  {
    name: "wallet mints",
    summary: "List the mints, add one, or remove one",
    operands: "[add|remove URL]",
    operandCountMin: 0,
    operandCountMax: 2,
    details:
      "A mint holds the bitcoin behind its ecash, so listing one is a decision. A trusted mint may " +
      "hold money of yours, be swapped into, and have its ecash taken without being asked. Ecash of " +
      "an accepted mint is taken too, redeemed at once, and swept to a trusted mint. Ecash of any " +
      "other mint is refused before a request is made. add asks the mint who it is; a URL is https, " +
      "or http on this machine. Mints of the settings (--mint of start) are listed by themselves.",
    flags: {
      trusted: { description: "With add: the mint may hold money" },
      accepted: { description: "With add: the mint may only pay in" },
      exposure: { placeholder: "AMOUNT", description: "With add: the most to hold there" },
      probe: { description: "Ask each mint now whether it is there" },
      force: { description: "With remove: even while money is held there" },
    },
    settings: ["mintPrivate"],
    examples: [
      ["wallet mints add https://mint.example --trusted --exposure 50000sat", "up to 50,000 sat"],
      ["wallet mints --probe", "who answers, and how fast"],
    ],
    load: () => import("./verbs/wallet/mints.ts"),
  },
];

/** Verbs that look at what was done, is under way, or would be. */
const LOOKING_VERBS: readonly VerbSpec[] = [
  {
    name: "wallet history",
    summary: "List what was done, newest first",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "With --json every operation has its entries in the ledger, to the sat.",
    flags: {
      limit: { placeholder: "COUNT", description: "How many (default 20)" },
      before: { placeholder: "ID", description: "Only those before this one, for the next page" },
    },
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/history.ts"),
  },
  {
    name: "wallet pending",
    summary: "List what is under way, why it waits, and when it goes on",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "Operations go on by themselves while a node runs, and at its start; resume drives them now. " +
      "One whose status is attention cannot end without you: its reason says why, and nothing of it " +
      "is thrown away meanwhile.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/history.ts"),
  },
  {
    name: "wallet plan",
    summary: "Say how an amount would be paid, without paying",
    operands: "AMOUNT",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "Direct from ecash of a mint that the payee accepts, else by a swap into a trusted one of " +
      "them. Exits with 1 when neither is possible.",
    flags: {
      mint: { placeholder: "URL", description: "A mint that the payee accepts; repeat it" },
    },
    settings: [],
    examples: [["wallet plan 64 --mint https://mint.example", "what a peer's price would take"]],
    load: () => import("./verbs/wallet/plan.ts"),
  },
  {
    name: "wallet credits",
    summary: "Show what sellers of bytes have of us, and have it paid back",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "LEFT is what was prepaid and not used, by our own reckoning; the next fetch uses it first. " +
      "Sellers pay back 32 sat or more, once a day, when their own payments are redeemed and no " +
      "fetch uses the credit. Asking again is harmless. Exits with 1 if a refund did not come.",
    flags: {
      refund: {
        placeholder: "PEER",
        description: "Ask this seller, by its peer id or address, for what is left; or all of them",
      },
    },
    settings: [],
    examples: [["wallet credits --refund all", "after the last film"]],
    load: () => import("./verbs/wallet/credits.ts"),
  },
  {
    name: "wallet audit",
    summary: "Check the books: ledger, ecash, outputs and counters against each other",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "Prints what does not hold, and exits with 1 if anything does not.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/audit.ts"),
  },
];

/** Verbs about the wallet's keys and copies of it. */
const COPY_VERBS: readonly VerbSpec[] = [
  {
    name: "wallet key",
    summary: "Print the public key that payments to this wallet are locked to",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "Whoever pays names it as --lock of send; only this wallet can redeem what it gets.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/key.ts"),
  },
  {
    name: "wallet backup",
    summary: "Write everything into one encrypted file",
    operands: "FILE",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "Only the twelve words open it. The words alone find most ecash again; the file also has what " +
      "they cannot: locked tokens that were sent, the history, and the mints.",
    flags: {},
    settings: [],
    examples: [["wallet backup /mnt/usb/wallet.backup", "replaces an older backup there"]],
    load: () => import("./verbs/wallet/backup.ts"),
  },
  {
    name: "wallet restore",
    summary: "Find ecash again from the words, and from a backup if there is one",
    operands: "[FILE]",
    operandCountMin: 0,
    operandCountMax: 1,
    details:
      "Asks every listed mint, and those of --mint, what it ever signed for this wallet's words. " +
      "FILE is read first, and must be of the same words. On a new machine, --words reads the twelve " +
      "words from stdin first and makes them those of the data directory, which must have none yet.",
    flags: {
      mint: { placeholder: "URL", description: "Ask this mint instead of all; repeat it" },
      words: { description: "Read the twelve words from stdin first" },
      replace: { description: "Give up what the wallet holds for what FILE holds; a copy is kept" },
    },
    settings: ["mintPrivate"],
    examples: [
      ["wallet restore wallet.backup", "into a data directory with the file seed"],
      ["wallet restore --words --data ./found < words.txt", "on a new machine"],
      ["wallet restore wallet.backup --replace", "over a wallet that holds something"],
    ],
    load: () => import("./verbs/wallet/restore.ts"),
  },
  {
    name: "wallet words",
    summary: "Print the twelve words that everything derives from",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "Whoever has them has the money and is this node. Write them on paper. They are printed on a " +
      "terminal only, unless --yes says that a pipe may have them.",
    flags: { yes: { short: "y", description: "Print them into a pipe or file, too" } },
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/words.ts"),
  },
];

/** The family. */
export const WALLET_VERBS: VerbFamily = {
  name: "wallet",
  summary: "Hold ecash, pay with it, be paid (wallet --help lists its verbs)",
  operands: "VERB",
  details:
    "Ecash (Cashu) is money at mints that you list. Amounts are whole sat: 21, 21sat or 21 sat. What " +
    "leaves the wallet is shown with its fees first: on a terminal you are asked, elsewhere --yes is " +
    "needed. Every step is on disk before it is taken, so that anything may be stopped at any time " +
    "and goes on later. With a node running on the data directory its wallet is used, else the verb " +
    "opens it alone.",
  verbs: [...HOLDING_VERBS, ...MONEY_VERBS, ...LOOKING_VERBS, ...COPY_VERBS],
};
