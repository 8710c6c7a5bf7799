/** Strict schemas of the parameters of the wallet's methods. */
import { TOKEN_CHARS_MAX } from "../../../wallet/limits.ts";
import type { WalletMethodName } from "../api/wallet_methods.ts";
import { v } from "../schema.ts";

/** Longest address of a mint. */
const URL_CHARS_MAX = 256;
/** Most mints in one request. */
const MINTS_MAX = 64;
/** Longest invoice: BOLT 11 sets no limit; those in use are below 1,500 characters. */
const INVOICE_CHARS_MAX = 8192;
/** Longest LNURL or Lightning address. */
const PAYEE_CHARS_MAX = 2048;
/** Names of what is paid for and of who is paid. */
const NAME_CHARS_MAX = 64;
/** Longest peer id. */
const PEER_CHARS_MAX = 128;
/** Operations in one page of the history. */
const HISTORY_MAX = 1000;

const short = (charsMax: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(charsMax));
const mint = short(URL_CHARS_MAX);
const mints = v.pipe(v.array(mint), v.maxLength(MINTS_MAX));
const id = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{32}$/, "the 32 hex digits of an operation wanted"),
);
const sat = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const amountSat = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const locktimeS = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(0xffff_ffff));
const publicKey = v.pipe(
  v.string(),
  v.regex(/^0[23][0-9a-f]{64}$/, "a public key of 33 bytes in hex wanted"),
);
const path = v.pipe(
  v.string(),
  v.maxLength(4096),
  v.regex(/^\/[^\0]*$/, "an absolute path wanted"),
);
const nothing = v.strictObject({});
const byId = v.strictObject({ id });

/** By name of the method. */
export const WALLET_SCHEMAS: Readonly<Record<WalletMethodName, v.GenericSchema>> = {
  "wallet.balance": nothing,
  "wallet.mints": v.strictObject({ probe: v.boolean() }),
  "wallet.addMint": v.strictObject({
    url: mint,
    trust: v.picklist(["trusted", "accepted"]),
    exposureMaxSat: v.optional(sat),
  }),
  "wallet.removeMint": v.strictObject({ url: mint, force: v.optional(v.boolean()) }),
  "wallet.fund": v.strictObject({ mint: v.optional(mint), amountSat }),
  "wallet.receive": v.strictObject({ token: short(TOKEN_CHARS_MAX) }),
  "wallet.prepareSend": v.strictObject({
    mint: v.optional(mint),
    amountSat,
    lockTo: v.optional(publicKey),
    locktimeS: v.optional(locktimeS),
  }),
  "wallet.preparePay": v.strictObject({
    invoice: short(INVOICE_CHARS_MAX),
    mint: v.optional(mint),
    maxFeeSat: v.optional(sat),
  }),
  "wallet.prepareWithdraw": v.strictObject({
    to: short(PAYEE_CHARS_MAX),
    amountSat,
    mint: v.optional(mint),
    maxFeeSat: v.optional(sat),
  }),
  "wallet.prepareSwap": v.strictObject({
    from: mint,
    to: mint,
    amountSat,
    maxFeeSat: v.optional(sat),
  }),
  "wallet.confirm": byId,
  "wallet.cancel": byId,
  "wallet.operation": byId,
  "wallet.token": byId,
  "wallet.preimage": byId,
  "wallet.reclaim": byId,
  "wallet.wait": byId,
  "wallet.plan": v.strictObject({ acceptedMints: mints, amountSat }),
  "wallet.preparePayment": v.strictObject({
    paymentId: v.optional(short(NAME_CHARS_MAX)),
    acceptedMints: mints,
    priceSat: amountSat,
    budgetSat: v.optional(sat),
    maxFeeSat: v.optional(sat),
    lockTo: v.optional(publicKey),
    locktimeS: v.optional(locktimeS),
    subject: v.optional(short(NAME_CHARS_MAX)),
    payee: v.optional(short(NAME_CHARS_MAX)),
    confirmed: v.optional(v.boolean()),
  }),
  "wallet.history": v.strictObject({
    limit: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(HISTORY_MAX))),
    before: v.optional(id),
  }),
  "wallet.pending": nothing,
  "wallet.resume": v.strictObject({ id: v.optional(id) }),
  "wallet.backup": v.strictObject({ path }),
  "wallet.restore": v.strictObject({
    path: v.optional(path),
    mints: v.optional(mints),
    replace: v.optional(v.boolean()),
  }),
  "wallet.credits": nothing,
  "wallet.takeRefund": v.strictObject({
    peerId: short(PEER_CHARS_MAX),
    token: short(TOKEN_CHARS_MAX),
  }),
  "wallet.audit": nothing,
};
