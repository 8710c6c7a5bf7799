/**
 * The messages of `/seedmint/blobs/1` as types, and their strict canonical CBOR codec. What each
 * means stands in `mod.ts`. A message is a map with its type in `t`; a field of an unknown name is
 * refused, except in the messages that {@link EXTENSIBLE} names, where it is ignored.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import { decodeCbor, encodeCbor } from "../../src/core/cbor.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { hashToBytes } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import type { Holdings } from "../ports.ts";
import { FieldReader } from "./fields.ts";
import {
  CODE_LENGTH_MAX,
  DIRECT_KEY_BYTES,
  HAVE_HASHES_MAX,
  HOLDING_BOUNDARIES_MAX,
  HOLDINGS_BOUNDARIES_MAX,
  ID_BYTES,
  MESSAGE_BYTES_MAX,
  MINT_URL_LENGTH_MAX,
  MINTS_MAX,
  RESPONSE_MESSAGE_BYTES_MAX,
  TOKEN_LENGTH_MAX,
  WANT_BOUNDARIES_MAX,
} from "./limits.ts";
import { CERTIFICATE_BYTES_MAX } from "../fleet.ts";

/** Ecash on its way, or a question about one that was sent before (no token). */
export interface Payment {
  /** Chosen by the payer at random, 16 bytes: asking twice with one id never pays twice. */
  readonly id: Bytes;
  readonly token?: string;
}

/** How a blob is named: by its address, or by the SHA-256 that other systems use. */
export type BlobName =
  | { readonly hash: Hash; readonly sha256?: never }
  | { readonly sha256: Sha256; readonly hash?: never };

/** Asks for a blob, or for children of a collection. */
export type Want = BlobName & {
  readonly t: "want";
  readonly format: "blob" | "collection";
  /** Chunk groups of a blob; all when absent. */
  readonly ranges?: RangeSet;
  /** Indexes of the children of a collection; all when absent. */
  readonly children?: RangeSet;
  readonly payment?: Payment;
  /** A fleet certificate, see `swarm/fleet.ts`. */
  readonly certificate?: Bytes;
  /** Whether the bytes may come over the direct path instead of this stream. */
  readonly direct?: true;
};

/** Asks what is held of each blob. */
export interface Have {
  readonly t: "have";
  readonly blobs: readonly BlobName[];
  readonly certificate?: Bytes;
}

/** Pays for more of the transfer under way. */
export interface TopUp {
  readonly t: "top-up";
  readonly payment: Payment;
}

/** Where and how the direct path answers, told only on the encrypted stream. */
export interface DirectGrant {
  readonly port: number;
  readonly session: Bytes;
  readonly key: Bytes;
  /** How long the session is good for without use, in milliseconds. */
  readonly ttlMs: number;
}

/** The answer that bytes follow, on this stream or on the direct path. */
export interface Granted {
  readonly t: "granted";
  /** Size in bytes of the blob, or of the collection's own blob. Proves nothing by itself. */
  readonly size: number;
  /** The address, when the blob was asked for by its SHA-256. */
  readonly hash?: Hash;
  /** What will be sent, when that is less than what was asked. */
  readonly ranges?: RangeSet;
  /** The provider asks that the blob be shown to members of the fleet alone. */
  readonly visibility?: "fleet";
  readonly session?: Bytes;
  readonly creditMsat?: number;
  readonly direct?: DirectGrant;
}

/** The price of what was asked. */
export interface PaymentRequired {
  readonly t: "payment-required";
  readonly priceMsatPerMiB: number;
  readonly minTopUpSat: number;
  readonly mints: readonly string[];
  /** The seller's payment key, 66 hex digits of a compressed secp256k1 point. */
  readonly p2pk: string;
  /** The least minutes until the payer may reclaim. */
  readonly locktimeMin: number;
}

/** The payment is being looked at: ask again with its id after `retryMs`. */
export interface Pending {
  readonly t: "pending";
  readonly paymentId: Bytes;
  readonly retryMs: number;
}

/** Refused. */
export interface Denied {
  readonly t: "denied";
  readonly code: string;
  /** When to ask again, for a refusal that passes. */
  readonly retryMs?: number;
}

/** Not held, or not to be seen by who asks: the same bytes for both. */
export interface NotFound {
  readonly t: "not-found";
}

/** The credit runs out: a top-up keeps the bytes coming. */
export interface Low {
  readonly t: "low";
  readonly creditMsat: number;
}

/** These children of the collection are not sent; stands where they would. */
export interface Missing {
  readonly t: "missing";
  readonly children: RangeSet;
}

/** Everything granted was sent. */
export interface End {
  readonly t: "end";
}

/** What was granted cannot be sent to its end. */
export interface Failed {
  readonly t: "failed";
  readonly code: string;
}

/** One blob of {@link HoldingsMessage}; `hash` is there when the question named a SHA-256. */
export type BlobHoldings = Holdings & { readonly hash?: Hash };

/** The answers to {@link Have}, in its order. */
export interface HoldingsMessage {
  readonly t: "holdings";
  readonly blobs: readonly BlobHoldings[];
}

/** What a requester sends. */
export type RequestMessage = Want | Have | TopUp;

/** What a provider sends. */
export type ResponseMessage =
  | Granted
  | PaymentRequired
  | Pending
  | Denied
  | NotFound
  | Low
  | Missing
  | End
  | Failed
  | HoldingsMessage;

/** Any message. */
export type Message = RequestMessage | ResponseMessage;

/** Messages in which a field of an unknown name is ignored, so that later versions may add some. */
export const EXTENSIBLE: ReadonlySet<Message["t"]> = new Set<Message["t"]>([
  "want",
  "have",
  "granted",
  "payment-required",
  "denied",
]);

/** Encodes `message`, without the length before it. */
export function encodeMessage(message: Message): Bytes {
  return encodeCbor(plainOf(message));
}

/**
 * Decodes a message that a stranger sent.
 *
 * @throws {SeedmintError} `protocol` if it is too large, malformed, not canonical or unknown.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const value = decodeCbor(bytes, { bytesMax: RESPONSE_MESSAGE_BYTES_MAX });
  const fields = FieldReader.of(value, "a message");
  const type = fields.text("t", CODE_LENGTH_MAX);
  if (!Object.hasOwn(READERS, type)) {
    throw new SeedmintError("protocol", `Cannot read a message: its type "${type}" is unknown`);
  }
  const known = type as Message["t"];
  if (bytes.length > MESSAGE_BYTES_MAX[known]) {
    throw new SeedmintError(
      "protocol",
      `Cannot read a "${known}" message of ${bytes.length} bytes: at most ${
        MESSAGE_BYTES_MAX[known]
      } are accepted`,
    );
  }
  const message = READERS[known](fields);
  if (!EXTENSIBLE.has(known)) fields.end();
  return message;
}

/** The plain value of a message, with binary for hashes and boundaries for range sets. */
function plainOf(message: Message): Record<string, unknown> {
  switch (message.t) {
    case "want": {
      const { hash, sha256, ranges, children, ...rest } = message;
      return {
        ...rest,
        ...plainName({ hash, sha256 }),
        ...(ranges === undefined ? {} : { ranges: ranges.boundaries }),
        ...(children === undefined ? {} : { children: children.boundaries }),
      };
    }
    case "have":
      return { ...message, blobs: message.blobs.map(plainName) };
    case "granted": {
      const { hash, ranges, ...rest } = message;
      return {
        ...rest,
        ...plainName({ hash }),
        ...(ranges === undefined ? {} : { ranges: ranges.boundaries }),
      };
    }
    case "missing":
      return { ...message, children: message.children.boundaries };
    case "holdings":
      return { ...message, blobs: message.blobs.map(plainHoldings) };
    default:
      return { ...message };
  }
}

function plainName(
  name: { readonly hash?: Hash | undefined; readonly sha256?: Sha256 | undefined },
): Record<string, Uint8Array> {
  return {
    ...(name.hash === undefined ? {} : { hash: hashToBytes(name.hash) }),
    ...(name.sha256 === undefined ? {} : { sha256: hashToBytes(name.sha256) }),
  };
}

function plainHoldings(holdings: BlobHoldings): Record<string, unknown> {
  if (holdings.state === "none") return {};
  return {
    size: holdings.size,
    ...plainName({ hash: holdings.hash }),
    ...(holdings.state === "some" ? { groups: holdings.groups.boundaries } : {}),
  };
}

const READERS: {
  readonly [T in Message["t"]]: (fields: FieldReader) => Extract<Message, { readonly t: T }>;
} = {
  want: (fields) => ({
    t: "want",
    ...readName(fields),
    format: fields.oneOf("format", ["blob", "collection"]),
    ...fields.optional("ranges", (name) => fields.rangeSet(name, WANT_BOUNDARIES_MAX)),
    ...fields.optional("children", (name) => fields.rangeSet(name, WANT_BOUNDARIES_MAX)),
    ...fields.optional("payment", () => readPayment(fields)),
    ...fields.optional("certificate", (name) => fields.bytesUpTo(name, CERTIFICATE_BYTES_MAX)),
    ...fields.optional("direct", (name) => fields.literalTrue(name)),
  }),
  have: (fields) => ({
    t: "have",
    blobs: fields.list("blobs", HAVE_HASHES_MAX, (entry) => {
      const name = readName(entry);
      entry.end();
      return name;
    }),
    ...fields.optional("certificate", (name) => fields.bytesUpTo(name, CERTIFICATE_BYTES_MAX)),
  }),
  "top-up": (fields) => ({ t: "top-up", payment: readPayment(fields) }),
  granted: (fields) => ({
    t: "granted",
    size: fields.size("size"),
    ...fields.optional("hash", (name) => fields.hash(name)),
    ...fields.optional("ranges", (name) => fields.rangeSet(name, WANT_BOUNDARIES_MAX)),
    ...fields.optional("visibility", (name) => fields.oneOf(name, ["fleet"])),
    ...fields.optional("session", (name) => fields.bytesOf(name, ID_BYTES)),
    ...fields.optional("creditMsat", (name) => fields.uint(name, Number.MAX_SAFE_INTEGER)),
    ...fields.optional("direct", () => readDirect(fields)),
  }),
  "payment-required": (fields) => ({
    t: "payment-required",
    priceMsatPerMiB: fields.uint("priceMsatPerMiB", Number.MAX_SAFE_INTEGER),
    minTopUpSat: fields.uint("minTopUpSat", Number.MAX_SAFE_INTEGER),
    mints: fields.texts("mints", { countMax: MINTS_MAX, lengthMax: MINT_URL_LENGTH_MAX }),
    p2pk: fields.matching("p2pk", /^0[23][0-9a-f]{64}$/),
    locktimeMin: fields.uint("locktimeMin", 2 ** 32),
  }),
  pending: (fields) => ({
    t: "pending",
    paymentId: fields.bytesOf("paymentId", ID_BYTES),
    retryMs: fields.uint("retryMs", 2 ** 31 - 1),
  }),
  denied: (fields) => ({
    t: "denied",
    code: readCode(fields),
    ...fields.optional("retryMs", (name) => fields.uint(name, 2 ** 31 - 1)),
  }),
  "not-found": () => ({ t: "not-found" }),
  low: (fields) => ({ t: "low", creditMsat: fields.uint("creditMsat", Number.MAX_SAFE_INTEGER) }),
  missing: (fields) => ({
    t: "missing",
    children: fields.rangeSet("children", WANT_BOUNDARIES_MAX),
  }),
  end: () => ({ t: "end" }),
  failed: (fields) => ({ t: "failed", code: readCode(fields) }),
  holdings: (fields) => {
    let boundaryCount = 0;
    const blobs = fields.list("blobs", HAVE_HASHES_MAX, (entry) => {
      const holdings = readHoldings(entry);
      if (holdings.state === "some") boundaryCount += holdings.groups.boundaries.length;
      if (boundaryCount > HOLDINGS_BOUNDARIES_MAX) {
        throw entry.refused(`more than ${HOLDINGS_BOUNDARIES_MAX} boundaries in one message`);
      }
      return holdings;
    });
    return { t: "holdings", blobs };
  },
};

function readName(fields: FieldReader): BlobName {
  const byHash = fields.has("hash");
  if (byHash === fields.has("sha256")) {
    throw fields.refused('exactly one of "hash" and "sha256" is wanted');
  }
  return byHash ? { hash: fields.hash("hash") } : { sha256: fields.sha256("sha256") };
}

function readPayment(fields: FieldReader): Payment {
  const payment = fields.map("payment");
  const read = {
    id: payment.bytesOf("id", ID_BYTES),
    ...payment.optional("token", (name) => payment.text(name, TOKEN_LENGTH_MAX)),
  };
  payment.end();
  return read;
}

function readDirect(fields: FieldReader): DirectGrant {
  const direct = fields.map("direct");
  const port = direct.uint("port", 65_535);
  if (port === 0) throw direct.refused("port 0");
  const read = {
    port,
    session: direct.bytesOf("session", ID_BYTES),
    key: direct.bytesOf("key", DIRECT_KEY_BYTES),
    ttlMs: direct.uint("ttlMs", 2 ** 31 - 1),
  };
  direct.end();
  return read;
}

function readCode(fields: FieldReader): string {
  return fields.matching("code", /^[a-z][a-z0-9-]{0,31}$/);
}

function readHoldings(entry: FieldReader): BlobHoldings {
  if (!entry.has("size")) {
    entry.end();
    return { state: "none" };
  }
  const size = entry.size("size");
  const hash = entry.optional("hash", (name) => entry.hash(name));
  const groups = entry.optional("groups", (name) => entry.rangeSet(name, HOLDING_BOUNDARIES_MAX));
  entry.end();
  if (groups.groups === undefined) return { state: "all", size, ...hash };
  return { state: "some", size, groups: groups.groups, ...hash };
}
