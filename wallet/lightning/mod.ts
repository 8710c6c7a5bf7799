/**
 * Lightning as a wallet of ecash meets it: invoices, which mints pay and are paid by, and addresses
 * that give invoices. Vocabulary: an invoice asks for an amount and is paid once; its preimage proves
 * the payment; an LNURL or a Lightning address is a web address that answers with an invoice.
 *
 * May import: `src/core`, and which addresses are private from `wallet/mint`; `@scure/base` in `bolt11.ts` only.
 */
export * from "./bolt11.ts";
export * from "./lnurl.ts";
