/** Limits of planning payments, each with its reason. */

/** Ways to pay that are tried one after the other. */
export const WAYS_MAX = 3;

/** Mints of a payee that are looked at. */
export const ACCEPTED_MAX = 50;

/** Longest lock of a token: if the payee never redeems it, the money is away for so long. */
export const LOCK_MS_MAX = 30 * 24 * 3_600_000;

/** Longest name of what a payment is for, in characters. */
export const SUBJECT_CHARS_MAX = 200;

/** Longest wait for money that an own operation holds and that may be free in a moment, in milliseconds. */
export const COMING_MONEY_MS = 5_000;

/** Open operations looked at for that. */
export const COMING_LOOKED_AT_MAX = 200;
