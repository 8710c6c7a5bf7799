/**
 * The till: where a single token is taken for one thing, redeemed at once, and paid back. Vocabulary: to
 * *inspect* a token is to read it without asking anybody; whoever redeems or pays back names what it is
 * for by an id, and the same id never moves money twice, on whatever restart: the wallet's journal knows.
 *
 * May import what the wallet may.
 */
export type { InspectedToken } from "./inspect_token.ts";
export { TillRefusal, type TillRefusalCode } from "./refusal.ts";
export { type PaidBack, type Redemption, Till, type TillOptions } from "./till.ts";
export { type TokenEvidence, tokenEvidence } from "./token_evidence.ts";
