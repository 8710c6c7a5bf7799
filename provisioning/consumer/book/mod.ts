/**
 * The lessee's book on disk. Vocabulary: a booked lease is one that we asked for or have; a payment is
 * one token on its way to a provider; a refund is one that came back with an answer; a letter is a
 * request that went out as a message and must not be lost.
 *
 * May import: `src/core`, `src/sqlite`, `provisioning/ports.ts`, `provisioning/wire` (types), and of
 * `provisioning/consumer` ports and limits.
 */
export type * from "./lease.ts";
export { isLeaseOpen, LeaseBook, type LeaseBookOptions } from "./lease_book.ts";
export { type BookedLeaseEvent, canHappenToLease, leaseAfter } from "./lease_transition.ts";
export type { BookedLetter, LetterTable } from "./letter_table.ts";
export type * from "./payment.ts";
export {
  canHappenToPayment,
  isPaymentOpen,
  paymentAfter,
  type PaymentEvent,
} from "./payment_transition.ts";
export type { RecordTable } from "./record_table.ts";
