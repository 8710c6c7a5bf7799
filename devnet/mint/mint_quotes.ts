/** NUT-04 and NUT-23: money comes in over Lightning. NUT-20: only the owner of a key may take it. */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import { type MintContext, newQuoteId } from "./context.ts";
import { isPoint, isSchnorrSignature, sha256 } from "./crypto.ts";
import { MintError, RequestError } from "./errors.ts";
import { MINT_QUOTE_EXPIRY_S } from "./limits.ts";
import { checkOutputs, keepSigned, signOutputs, wireOf } from "./outputs.ts";
import { amountOf, type JsonObject, type OutputRequest, readOutputs, textOf } from "./requests.ts";

/** Smallest and largest amount of a mint or melt quote, in sat. */
export const QUOTE_SAT_MIN = 1n;
export const QUOTE_SAT_MAX = 1_000_000_000n;

const DOMAIN = new TextEncoder().encode("Cashu_MintQuoteSig_v1");

/** Makes an invoice and a quote for it. */
export async function createMintQuote(context: MintContext, body: JsonObject): Promise<JsonObject> {
  if (!context.settings.hasNut(4)) throw new MintError("mintingDisabled", "Minting is disabled");
  if (body.unit !== "sat") throw new MintError("unitUnsupported", "Unit is not supported");
  const amount = amountOf(body.amount, "amount");
  if (amount < QUOTE_SAT_MIN || amount > QUOTE_SAT_MAX) {
    throw new MintError("amountOutOfRange", "Amount outside of limit range");
  }
  const pubkey = pubkeyOf(context, body.pubkey);
  const description = body.description;
  const id = newQuoteId(context);
  const { bolt11, paymentHash } = await context.lightning.createInvoice({
    payee: context.name,
    amountMsat: amount * 1000n,
    memo: typeof description === "string" && description !== ""
      ? textOf(description, "description", 500)
      : `Development mint ${context.name}: no money`,
    expiryS: MINT_QUOTE_EXPIRY_S,
  }, { signal: context.signal });
  context.db.run(
    `INSERT INTO mint_quotes (id, request, payment_hash, amount, pubkey, state, expiry_s)
     VALUES (?, ?, ?, ?, ?, 'UNPAID', ?)`,
    id,
    bolt11,
    paymentHash,
    amount,
    pubkey ?? null,
    context.clock.nowS() + MINT_QUOTE_EXPIRY_S,
  );
  return wireOfQuote(quoteRow(context, id));
}

/** The quote, after asking Lightning if it may have been paid. */
export async function readMintQuote(context: MintContext, id: string): Promise<JsonObject> {
  await refreshMintQuote(context, id);
  return wireOfQuote(quoteRow(context, id));
}

/** The quote as it is on disk, or undefined. */
export function mintQuoteOnDisk(context: MintContext, id: string): JsonObject | undefined {
  const row = context.db.get("SELECT * FROM mint_quotes WHERE id = ?", id);
  return row && wireOfQuote(row);
}

/** Asks Lightning whether an unpaid quote was paid; says nothing if Lightning does not answer. */
export async function refreshMintQuote(context: MintContext, id: string): Promise<void> {
  const quote = quoteRow(context, id);
  if (quote.state !== "UNPAID") return;
  let paidMsat: bigint;
  try {
    const invoice = await context.lightning.invoice(String(quote.payment_hash), {
      signal: context.signal,
    });
    if (invoice.state !== "paid") return;
    paidMsat = invoice.paidMsat;
  } catch {
    return; // what it was on disk it still is
  }
  const changed = context.db.run(
    "UPDATE mint_quotes SET state = 'PAID', paid_msat = ? WHERE id = ? AND state = 'UNPAID'",
    paidMsat,
    id,
  );
  if (changed > 0) context.updates.publish("bolt11_mint_quote", [id]);
}

/** Signs outputs for a paid quote, once. */
export async function mint(context: MintContext, body: JsonObject): Promise<JsonObject> {
  if (!context.settings.hasNut(4)) throw new MintError("mintingDisabled", "Minting is disabled");
  const id = textOf(body.quote, "quote", 64);
  const requested = readOutputs(body);
  await refreshMintQuote(context, id);
  const quote = quoteRow(context, id);
  checkState(context, quote);
  checkSignature(context, quote, { id, requested, signature: body.signature });
  const outputAmount = checkOutputs(context, requested);
  if (outputAmount !== BigInt(Number(quote.amount))) {
    throw new MintError(
      "unbalanced",
      `Transaction is not balanced: quote ${quote.amount} != outputs ${outputAmount}`,
    );
  }
  const signed = signOutputs(context, requested);
  context.db.transaction(() => {
    context.db.run("UPDATE mint_quotes SET state = 'ISSUED' WHERE id = ?", id);
    keepSigned(context, signed, `mint:${id}`);
  });
  context.updates.publish("bolt11_mint_quote", [id]);
  return { signatures: wireOf(context, signed) };
}

function checkState(context: MintContext, quote: SqlRow): void {
  if (quote.state === "ISSUED") {
    throw new MintError("quoteIssued", "Quote has already been issued");
  }
  if (quote.state === "PAID") return;
  if (Number(quote.expiry_s) <= context.clock.nowS()) {
    throw new MintError("quoteExpired", "Quote is expired");
  }
  throw new MintError("quoteUnpaid", "Quote request is not paid");
}

function checkSignature(
  context: MintContext,
  quote: SqlRow,
  { id, requested, signature }: {
    readonly id: string;
    readonly requested: readonly OutputRequest[];
    readonly signature: unknown;
  },
): void {
  if (quote.pubkey === null) return;
  const publicKey = String(quote.pubkey);
  const { quoteSignatures } = context.settings.behaviour;
  const digests = [
    ...(quoteSignatures === "legacy" ? [] : [amendedDigest(id, requested)]),
    ...(quoteSignatures === "amended" ? [] : [legacyDigest(id, requested)]),
  ];
  const isSigned = typeof signature === "string" &&
    digests.some((digest) => isSchnorrSignature(signature, { digest, publicKey }));
  if (!isSigned) {
    throw new MintError("signatureInvalid", "Signature for mint request invalid");
  }
}

/** NUT-20 as amended: domain tag, then each part with its length in 4 bytes. */
function amendedDigest(quoteId: string, outputs: readonly OutputRequest[]): Uint8Array {
  const parts: Uint8Array[] = [DOMAIN];
  const frame = (bytes: Uint8Array) => {
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, bytes.length);
    parts.push(new Uint8Array(length.buffer), bytes);
  };
  frame(new TextEncoder().encode(quoteId));
  for (const { amount, blinded } of outputs) {
    const hex = amount === 0n ? "" : amount.toString(16);
    frame(Uint8Array.fromHex(hex.length % 2 === 1 ? `0${hex}` : hex));
    frame(Uint8Array.fromHex(blinded));
  }
  return sha256(...parts);
}

/** NUT-20 before that: the texts one after the other. */
function legacyDigest(quoteId: string, outputs: readonly OutputRequest[]): Uint8Array {
  const text = quoteId + outputs.map(({ blinded }) => blinded).join("");
  return sha256(new TextEncoder().encode(text));
}

function pubkeyOf(context: MintContext, value: unknown): string | undefined {
  if (value === undefined || value === null || !context.settings.hasNut(20)) return undefined;
  const pubkey = typeof value === "string" ? value.toLowerCase() : "";
  if (!isPoint(pubkey)) throw new MintError("pubkeyInvalid", "Pubkey of the mint quote is invalid");
  return pubkey;
}

function quoteRow(context: MintContext, id: string): SqlRow {
  const row = context.db.get("SELECT * FROM mint_quotes WHERE id = ?", id);
  if (!row) throw new RequestError(404, "Quote not found");
  return row;
}

function wireOfQuote(row: SqlRow): JsonObject {
  return {
    quote: row.id,
    request: row.request,
    amount: row.amount,
    unit: "sat",
    state: row.state,
    expiry: row.expiry_s,
    ...(row.pubkey === null ? {} : { pubkey: row.pubkey }),
  };
}
