/** The table of the verbs of `wallet` that move money. */
import type { VerbFlag, VerbSpec } from "./verb.ts";

const YES: VerbFlag = { short: "y", description: "Do not ask: the fees may be paid" };
const NO_WAIT: VerbFlag = { description: "Return while Lightning is under way" };
const FROM_MINT: VerbFlag = { placeholder: "URL", description: "The mint to pay from" };
const MAX_FEE: VerbFlag = {
  placeholder: "AMOUNT",
  description: "The most that fees may come to (default what --payment-fee-max allows)",
};
const TOKEN_IS_MONEY =
  "A token is money: whoever reads it first can redeem it, unless it is locked to a key.";

/** Verbs that bring money in. */
const INCOMING_VERBS: readonly VerbSpec[] = [
  {
    name: "wallet fund",
    summary: "Print a Lightning invoice, and wait for the ecash that paying it brings",
    operands: "AMOUNT",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "Pay the invoice from any Lightning wallet. Waiting may be stopped: the ecash arrives all the " +
      'same with the next resume, or while a node runs. With --json the first line is {"event":' +
      '"invoice",…} and the last {"event":"done",…}.',
    flags: {
      mint: { placeholder: "URL", description: "The mint to fund (default --home-mint)" },
      "no-wait": { description: "Do not wait for the payment" },
      qr: { description: "Print the QR code in a pipe, too" },
      "no-qr": { description: "No QR code" },
    },
    settings: [],
    examples: [["wallet fund 10000", "an invoice and its QR code"]],
    load: () => import("./verbs/wallet/fund.ts"),
  },
  {
    name: "wallet receive",
    summary: "Redeem a token",
    operands: "[TOKEN|-]",
    operandCountMin: 0,
    operandCountMax: 1,
    details: `${TOKEN_IS_MONEY} ` +
      "Without TOKEN, or with -, it is read from stdin, which is better: other users of this " +
      "machine can see command lines. Its mint must be listed. Of an accepted mint it is swept to a " +
      "trusted one.",
    flags: {},
    settings: [],
    examples: [["wallet receive < token.txt", "from a file"]],
    load: () => import("./verbs/wallet/receive.ts"),
  },
];

/** Verbs that send money out. */
const OUTGOING_VERBS: readonly VerbSpec[] = [
  {
    name: "wallet send",
    summary: "Make a token for somebody",
    operands: "AMOUNT",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${TOKEN_IS_MONEY} ` +
      "--lock makes one that only the holder of a key can redeem; after the locktime it comes back " +
      "with reclaim. The token is the only line on stdout; token prints it again.",
    flags: {
      mint: FROM_MINT,
      lock: { placeholder: "PUBKEY", description: "Lock it to this key: 33 bytes in hex" },
      locktime: {
        placeholder: "TIME",
        description: "How long the lock holds: 7d, 12h, or seconds since 1970",
      },
      yes: YES,
    },
    settings: [],
    examples: [
      ["wallet send 21 > token.txt", "asks, then writes the token"],
      ["wallet send 64 --lock 02ab… --locktime 7d --yes", "for a payee whose key is known"],
    ],
    load: () => import("./verbs/wallet/send.ts"),
  },
  {
    name: "wallet pay",
    summary: "Pay a Lightning invoice",
    operands: "INVOICE",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "The mint reserves the most that routing may cost and gives back what it did not. A payment " +
      "that hangs in the network is pending, keeps its ecash reserved, and ends by itself. With --json " +
      "the last line has the proof of payment, which preimage prints again.",
    flags: { mint: FROM_MINT, "max-fee": MAX_FEE, "no-wait": NO_WAIT, yes: YES },
    settings: ["paymentFeeMax"],
    examples: [["wallet pay lnbc210n1… --max-fee 2", "for at most 2 sat of fees"]],
    load: () => import("./verbs/wallet/pay.ts"),
  },
  {
    name: "wallet withdraw",
    summary: "Pay to a Lightning address or LNURL",
    operands: "ADDRESS AMOUNT",
    operandCountMin: 2,
    operandCountMax: 2,
    details: "ADDRESS is as anna@example.org, or an LNURL for payments.",
    flags: { mint: FROM_MINT, "max-fee": MAX_FEE, "no-wait": NO_WAIT, yes: YES },
    settings: ["paymentFeeMax"],
    examples: [["wallet withdraw anna@example.org 5000", "to your own Lightning wallet"]],
    load: () => import("./verbs/wallet/pay.ts"),
  },
  {
    name: "wallet swap",
    summary: "Move ecash from one mint to another over Lightning",
    operands: "AMOUNT",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "AMOUNT arrives at --to, a trusted mint; --from pays it and the fees. Once it has paid, the " +
      "swap only goes forward, whatever happens.",
    flags: {
      from: { placeholder: "URL", description: "The mint to pay from" },
      to: { placeholder: "URL", description: "The trusted mint to pay to" },
      "max-fee": MAX_FEE,
      "no-wait": NO_WAIT,
      yes: YES,
    },
    settings: ["paymentFeeMax"],
    examples: [[
      "wallet swap 1000 --from https://a.example --to https://b.example",
      "1,000 sat at b",
    ]],
    load: () => import("./verbs/wallet/pay.ts"),
  },
  {
    name: "wallet prepare-payment",
    summary: "Make a token for a price at a mint of the payee, within the budgets",
    operands: "[-]",
    operandCountMin: 0,
    operandCountMax: 1,
    details:
      "For programs, and what the node itself does to pay a peer: direct, or by a swap when nothing " +
      "is held where the payee takes it. Within the budgets it asks nobody; above them it asks on a terminal, and needs --yes elsewhere. With - the request " +
      'is JSON on stdin: {"acceptedMints","priceSat"} and, if wanted, "paymentId","budgetSat",' +
      '"maxFeeSat","lockTo","locktimeS","subject","payee","confirmed". The same payment id gives the same ' +
      "token. Exits with 1 when the wallet declines; the reason says why.",
    flags: {
      price: { placeholder: "AMOUNT", description: "The price" },
      mint: { placeholder: "URL", description: "A mint that the payee accepts; repeat it" },
      lock: { placeholder: "PUBKEY", description: "Lock the token to this key: 33 bytes in hex" },
      locktime: { placeholder: "TIME", description: "How long the lock holds, as for send" },
      budget: { placeholder: "AMOUNT", description: "The most for price and fees together" },
      "max-fee": { placeholder: "AMOUNT", description: "The most that fees may come to" },
      id: { placeholder: "ID", description: "Payment id, so that asking twice pays once" },
      subject: { placeholder: "TEXT", description: "What is paid for, for the budget of one blob" },
      payee: { placeholder: "TEXT", description: "Who is paid, for the budget of one peer" },
      yes: { short: "y", description: "Pay even above the budgets" },
    },
    settings: ["budgetBlob", "budgetPeer", "budgetDay", "paymentFeeMax"],
    examples: [
      ["wallet prepare-payment --price 64 --mint https://mint.example --lock 02ab…", "one token"],
    ],
    load: () => import("./verbs/wallet/prepare_payment.ts"),
  },
];

/** Verbs about operations that exist. */
const STEERING_VERBS: readonly VerbSpec[] = [
  {
    name: "wallet resume",
    summary: "Drive what is under way, now",
    operands: "[ID]",
    operandCountMin: 0,
    operandCountMax: 1,
    details: "Without ID all of it. Harmless at any time: nothing is sent twice that differs.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/steer.ts"),
  },
  {
    name: "wallet reclaim",
    summary: "Take back a token, top-ups or a channel that nobody redeemed",
    operands: "ID",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "At once if it is not locked, else after its locktime, or the expiry of a channel; until then it " +
      "says when that is. Costs the mint's input fee.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/steer.ts"),
  },
  {
    name: "wallet cancel",
    summary: "Let go of what was prepared and not confirmed",
    operands: "ID",
    operandCountMin: 1,
    operandCountMax: 1,
    details: "What was sent to a mint already cannot be cancelled: it ends by itself.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/steer.ts"),
  },
  {
    name: "wallet token",
    summary: "Print the token of a send again",
    operands: "ID",
    operandCountMin: 1,
    operandCountMax: 1,
    details: TOKEN_IS_MONEY,
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/token.ts"),
  },
  {
    name: "wallet preimage",
    summary: "Print the proof that an invoice was paid",
    operands: "ID",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "The preimage that the payee's Lightning node gave away for the money, 32 bytes in hex: show it " +
      "to who says that nothing came. It is no money. Exits with 1 when the invoice is not paid, or " +
      "the mint gave no proof.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/wallet/preimage.ts"),
  },
];

/** All of them, in the order of the help. */
export const MONEY_VERBS: readonly VerbSpec[] = [
  ...INCOMING_VERBS,
  ...OUTGOING_VERBS,
  ...STEERING_VERBS,
];
