/**
 * Leases as the provider's journal keeps them. Vocabulary: the terms of a lease were agreed and never
 * change; its credit is what was redeemed for it, in msat; its paid time runs while it is `ready`; it
 * holds capacity and ports until its engine said that its instance is gone; its story is what happened.
 *
 * May import: `src/core`, `src/sqlite`, `provisioning/ports.ts`, `provisioning/wire` (types).
 */
export type { Ask, AskTable } from "./ask_table.ts";
export * from "./capacity.ts";
export * from "./credit.ts";
export { LeaseJournal, type LeaseJournalOptions } from "./journal.ts";
export * from "./lease.ts";
export type { LeaseDraft, LeaseTable, Reservation, StoryEntry } from "./lease_table.ts";
export { LEASE_LIMITS } from "./limits.ts";
export type { Payment, PaymentStatus, PaymentTable, TopUpOutcome } from "./payment_table.ts";
export type { Denial, DeniedKind, PolicyTable } from "./policy_table.ts";
export type { Channel, Dispatch, Letter, PostTable } from "./post_table.ts";
export { canHappen, type LeaseEvent, type LeaseEventType, transition } from "./transition.ts";
