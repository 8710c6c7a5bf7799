/**
 * The strict canonical CBOR codec of the messages. A message is a map with its type in `t`; a field
 * of an unknown name is refused, except in the messages that {@link EXTENSIBLE} names, where it is
 * ignored.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import { decodeCbor, encodeCbor } from "../../src/core/cbor.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { type Hash, hashToBytes, type Sha256 } from "../../src/core/hash.ts";
import { CERTIFICATE_BYTES_MAX } from "../fleet.ts";
import { FieldReader } from "./fields.ts";
import {
  CODE_LENGTH_MAX,
  COMMITMENT_BYTES,
  DIRECT_KEY_BYTES,
  HAVE_HASHES_MAX,
  HOLDING_BOUNDARIES_MAX,
  HOLDINGS_BOUNDARIES_MAX,
  ID_BYTES,
  MESSAGE_BYTES_MAX,
  MINT_URL_LENGTH_MAX,
  MINTS_MAX,
  NOSTR_KEY_BYTES,
  RECEIPT_LENGTH_MAX,
  RESPONSE_MESSAGE_BYTES_MAX,
  TOKEN_LENGTH_MAX,
  WANT_BOUNDARIES_MAX,
} from "./limits.ts";
import {
  type BlobHoldings,
  type BlobName,
  type DirectGrant,
  EXTENSIBLE,
  type Message,
  type Payment,
} from "./messages.ts";

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
    case "receipt-ask":
      return { ...message, root: hashToBytes(message.root) };
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
    ...fields.optional(
      "priceMsatPerMiB",
      (name) => fields.uint(name, Number.MAX_SAFE_INTEGER),
    ),
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
  "receipt-ask": (fields) => ({
    t: "receipt-ask",
    root: fields.hash("root"),
    nostrKey: fields.bytesOf("nostrKey", NOSTR_KEY_BYTES),
    commitment: fields.bytesOf("commitment", COMMITMENT_BYTES),
  }),
  receipt: (fields) => ({ t: "receipt", receipt: fields.text("receipt", RECEIPT_LENGTH_MAX) }),
  "refund-ask": () => ({ t: "refund-ask" }),
  refund: (fields) => ({
    t: "refund",
    token: fields.text("token", TOKEN_LENGTH_MAX),
    amountSat: fields.uint("amountSat", Number.MAX_SAFE_INTEGER),
  }),
  granted: (fields) => ({
    t: "granted",
    size: fields.size("size"),
    ...fields.optional("hash", (name) => fields.hash(name)),
    ...fields.optional("ranges", (name) => fields.rangeSet(name, WANT_BOUNDARIES_MAX)),
    ...fields.optional("visibility", (name) => fields.oneOf(name, ["fleet"])),
    ...fields.optional(
      "priceMsatPerMiB",
      (name) => fields.uint(name, Number.MAX_SAFE_INTEGER),
    ),
    ...fields.optional("creditMsat", (name) => fields.uint(name, Number.MAX_SAFE_INTEGER)),
    ...fields.optional("channelSat", (name) => fields.uint(name, Number.MAX_SAFE_INTEGER)),
    ...fields.optional("direct", () => readDirect(fields)),
  }),
  "payment-required": (fields) => ({
    t: "payment-required",
    priceMsatPerMiB: fields.uint("priceMsatPerMiB", Number.MAX_SAFE_INTEGER),
    minTopUpSat: fields.uint("minTopUpSat", Number.MAX_SAFE_INTEGER),
    mints: fields.texts("mints", { countMax: MINTS_MAX, lengthMax: MINT_URL_LENGTH_MAX }),
    p2pk: fields.matching("p2pk", /^0[23][0-9a-f]{64}$/),
    locktimeMin: fields.uint("locktimeMin", 2 ** 32),
    ...fields.optional("channelSat", (name) => fields.uint(name, Number.MAX_SAFE_INTEGER)),
  }),
  pending: (fields) => ({
    t: "pending",
    paymentId: fields.bytesOf("paymentId", ID_BYTES),
    retryMs: fields.uint("retryMs", 2 ** 31 - 1),
  }),
  credited: (fields) => ({
    t: "credited",
    paymentId: fields.bytesOf("paymentId", ID_BYTES),
    creditMsat: fields.uint("creditMsat", Number.MAX_SAFE_INTEGER),
  }),
  refused: (fields) => ({
    t: "refused",
    paymentId: fields.bytesOf("paymentId", ID_BYTES),
    code: readCode(fields),
    ...fields.optional("retryMs", (name) => fields.uint(name, 2 ** 31 - 1)),
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
