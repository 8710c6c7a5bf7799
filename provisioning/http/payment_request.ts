/**
 * What is to be paid, as a Cashu payment request (NUT-18) in the header `X-Cashu` of an answer 402
 * (NUT-24): amount, unit, mints, and the lock that is wanted (NUT-10, NUT-11).
 */
import { decodeCbor, encodeCbor } from "../../src/core/cbor.ts";
import type { QuoteAnswer } from "../wire/mod.ts";

const PREFIX = "creqA";

/** The header's value for what `quote` says; without an amount the payer chooses it. */
export function paymentRequest(
  quote: Pick<QuoteAnswer, "mints" | "paymentKey"> & { readonly amountSat?: number },
  description: string,
): string {
  const bytes = encodeCbor({
    ...quote.amountSat === undefined ? {} : { a: quote.amountSat },
    u: "sat",
    m: [...quote.mints],
    d: description,
    s: true,
    nut10: { k: "P2PK", d: quote.paymentKey, t: [] },
  });
  return PREFIX + bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** What a payment request asks for, as far as ours go; undefined if it is none. */
export function readPaymentRequest(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(text.slice(PREFIX.length), { alphabet: "base64url" });
    const value = decodeCbor(bytes, { bytesMax: 16 * 1024 });
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}
