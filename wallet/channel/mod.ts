/**
 * Payment channels between a buyer and a seller (Spilman's, on Cashu): funding that needs both, balances
 * that the buyer signs one after the other, one swap at the end. The sagas of both ends are in
 * `wallet/operations/channel*.ts`; this folder has what both compute alike, and the seller's till.
 *
 * May import what the rest of the wallet may.
 */
export { type ChannelOffer, type ChannelOutcome, ChannelTill } from "./channel_intake.ts";
export { type ChannelMessage, decodeChannelMessage, encodeChannelMessage } from "./message.ts";
export { ChannelEnd, type ChannelTerms, creditOf } from "./terms.ts";
