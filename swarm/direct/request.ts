/** What a requester posts on the direct path: what it wants, and proof that it holds the session. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { decodeCbor, encodeCbor } from "../../src/core/cbor.ts";
import { type Hash, hashToBytes } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { FieldReader } from "../protocol/fields.ts";
import { DIRECT_KEY_BYTES, ID_BYTES, WANT_BOUNDARIES_MAX } from "../protocol/limits.ts";
import { REQUEST_BODY_BYTES_MAX } from "./limits.ts";

/** One request on the direct path. */
export interface DirectRequest {
  readonly session: Bytes;
  readonly hash: Hash;
  /** Chunk groups. */
  readonly ranges: RangeSet;
  /** Above that of every earlier request of the session. */
  readonly counter: number;
}

const DOMAIN = concatBytes(utf8("seedmint/direct/1"), Uint8Array.of(0));
const MAC_BYTES = 32;

/** The body of `request`, authenticated under the session's key. */
export function encodeDirectRequest(request: DirectRequest, key: Uint8Array): Bytes {
  return encodeCbor({ ...plainOf(request), mac: macOf(request, key) });
}

/**
 * Reads a body that a stranger posted. The MAC is not checked yet: the session has the key.
 *
 * @throws {SeedmintError} `protocol` if it is no such body.
 */
export function decodeDirectRequest(
  bytes: Uint8Array,
): { readonly request: DirectRequest; readonly mac: Bytes } {
  const fields = FieldReader.of(
    decodeCbor(bytes, { bytesMax: REQUEST_BODY_BYTES_MAX }),
    "a direct request",
  );
  const request = {
    session: fields.bytesOf("session", ID_BYTES),
    hash: fields.hash("hash"),
    ranges: fields.rangeSet("ranges", WANT_BOUNDARIES_MAX),
    counter: fields.uint("counter", Number.MAX_SAFE_INTEGER),
  };
  const mac = fields.bytesOf("mac", MAC_BYTES);
  fields.end();
  return { request, mac };
}

/** Whether `mac` is that of `request` under `key`, in constant time. */
export function isAuthentic(request: DirectRequest, mac: Uint8Array, key: Uint8Array): boolean {
  return mac.length === MAC_BYTES && timingSafeEqual(macOf(request, key), mac);
}

function macOf(request: DirectRequest, key: Uint8Array): Bytes {
  if (key.length !== DIRECT_KEY_BYTES) {
    throw new RangeError(`A key of ${DIRECT_KEY_BYTES} bytes is wanted, ${key.length} found`);
  }
  const mac = createHmac("sha256", key).update(DOMAIN).update(encodeCbor(plainOf(request)));
  return Uint8Array.from(mac.digest());
}

function plainOf(request: DirectRequest): Record<string, unknown> {
  return {
    session: request.session,
    hash: hashToBytes(request.hash),
    ranges: request.ranges.boundaries,
    counter: request.counter,
  };
}
