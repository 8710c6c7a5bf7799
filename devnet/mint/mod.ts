/**
 * A Cashu mint for development and tests that can be told to fail. DEVELOPMENT ONLY, NO CUSTODY: what
 * it issues is worth nothing.
 *
 * Vocabulary: an *input* is a proof that is spent, an *output* a blinded message that is signed, a
 * *blank* an output whose amount the mint decides; a *fault* is a failure that was scripted; the *books*
 * are what the mint's own database says about all money that came and went.
 * May import: core, sqlite, the fake Lightning, the wallet's reader of invoices.
 */
export * from "./admin.ts";
export type { KeysetBooks, MintBooks } from "./books.ts";
export * from "./dev_mint.ts";
export * from "./errors.ts";
export type { Fault, FaultKind, FaultScope } from "./faults.ts";
export * from "./lightning_port.ts";
export type { RateLimit } from "./rate_limit.ts";
export type { LoggedRequest } from "./request_log.ts";
export type { Behaviour } from "./settings.ts";
