/**
 * Renting: the market of offers, the lessee with its book, and the lines that it asks providers by.
 * Vocabulary: a listing is a provider as the market sees it; a quote says what a lease would cost; the
 * book has what was asked and paid for before it is; a line carries requests and brings their answers.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`, `provisioning/ports.ts`, `provisioning/wire`,
 * `provisioning/ssh`, of `provisioning/leases` the arithmetic of credit, and of `provisioning/provider`
 * deadlines and pauses.
 */
export type * from "./book/lease.ts";
export { LeaseBook, type LeaseBookOptions } from "./book/lease_book.ts";
export type * from "./book/payment.ts";
export { costSat, refundIdOf } from "./book/payment_cost.ts";
export { topUpSat } from "./inside.ts";
export { Lessee, type LesseeOptions } from "./lessee.ts";
export { LESSEE_LIMITS } from "./limits.ts";
export { MessageLine, type MessageLineOptions } from "./line/mod.ts";
export * from "./market/mod.ts";
export type * from "./ports.ts";
export type { Quote } from "./quote.ts";
export { SshKeyFolder } from "./ssh_key.ts";
export type { Synced } from "./sync.ts";
export type * from "./wishes.ts";
