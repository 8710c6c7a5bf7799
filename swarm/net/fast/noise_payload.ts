/**
 * The payload that libp2p sends inside a Noise handshake: it proves that the owner of the identity
 * key also holds the Noise static key, and names stream muxers.
 *
 *     message NoiseHandshakePayload {
 *       optional bytes identity_key = 1;   // protobuf PublicKey
 *       optional bytes identity_sig = 2;   // over "noise-libp2p-static-key:" + static key
 *       optional NoiseExtensions extensions = 4;
 *     }
 *     message NoiseExtensions {
 *       repeated bytes webtransport_certhashes = 1;
 *       repeated string stream_muxers = 2;
 *     }
 *
 * Source: libp2p specifications, noise/README.md.
 */
import { concatBytes, utf8 } from "../../../src/core/bytes.ts";
import { decodeVarint, encodeVarint } from "../../../src/core/varint.ts";
import {
  HANDSHAKE_MUXER_BYTES_MAX,
  HANDSHAKE_MUXER_COUNT_MAX,
  IDENTITY_KEY_BYTES_MAX,
  IDENTITY_SIGNATURE_BYTES_MAX,
} from "./limits.ts";

const WIRE_VARINT = 0;
const WIRE_64_BIT = 1;
const WIRE_BYTES = 2;
const WIRE_32_BIT = 5;
const FIELDS_MAX = 64;

/** A decoded payload. Nothing in it is verified yet. */
export interface NoisePayload {
  /** The identity key in libp2p's protobuf form. */
  readonly identityKey: Uint8Array;
  readonly signature: Uint8Array;
  /** Protocol names of stream muxers, in the sender's order. */
  readonly muxers: readonly string[];
}

/** What the identity key signs. */
export function staticKeyStatement(staticKey: Uint8Array): Uint8Array {
  return concatBytes(utf8("noise-libp2p-static-key:"), staticKey);
}

/** Encodes a payload; no muxers, no extensions. */
export function encodePayload(payload: NoisePayload): Uint8Array {
  const muxers = payload.muxers.map((name) => encodeField(2, utf8(name)));
  return concatBytes(
    encodeField(1, payload.identityKey),
    encodeField(2, payload.signature),
    ...(muxers.length > 0 ? [encodeField(4, concatBytes(...muxers))] : []),
  );
}

/**
 * Decodes a payload.
 *
 * @throws {SyntaxError} If it is malformed, a field comes twice, or one exceeds its limit.
 */
export function decodePayload(bytes: Uint8Array): NoisePayload {
  let identityKey: Uint8Array | undefined;
  let signature: Uint8Array | undefined;
  let muxers: string[] | undefined;
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === 1 && identityKey === undefined) {
      identityKey = limited(value, IDENTITY_KEY_BYTES_MAX, "identity key");
    } else if (number === 2 && signature === undefined) {
      signature = limited(value, IDENTITY_SIGNATURE_BYTES_MAX, "identity signature");
    } else if (number === 4 && muxers === undefined) {
      muxers = decodeMuxers(limited(value, bytes.length, "extension"));
    } else if (number === 1 || number === 2 || number === 4) {
      throw new SyntaxError(`A Noise payload holds field ${number} twice`);
    }
  }
  if (identityKey === undefined || signature === undefined) {
    throw new SyntaxError("A Noise payload lacks the identity key or its signature");
  }
  return { identityKey, signature, muxers: muxers ?? [] };
}

function decodeMuxers(bytes: Uint8Array): string[] {
  const muxers: string[] = [];
  const text = new TextDecoder("utf-8", { fatal: true });
  for (const { number, value } of fieldsOf(bytes)) {
    if (number !== 2) continue;
    if (muxers.length === HANDSHAKE_MUXER_COUNT_MAX) {
      throw new SyntaxError(`A Noise payload names more than ${muxers.length} stream muxers`);
    }
    const name = limited(value, HANDSHAKE_MUXER_BYTES_MAX, "stream muxer");
    try {
      muxers.push(text.decode(name));
    } catch {
      throw new SyntaxError("A Noise payload names a stream muxer that is no text");
    }
  }
  return muxers;
}

interface Field {
  readonly number: number;
  /** Undefined for a number, which no known field is. */
  readonly value: Uint8Array | undefined;
}

function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (fields.length === FIELDS_MAX) throw new SyntaxError("A Noise payload has too many fields");
    const [tag, afterTag] = varintAt(bytes, offset);
    const wire = tag & 7;
    const number = tag >>> 3;
    if (wire === WIRE_BYTES) {
      const [length, start] = varintAt(bytes, afterTag);
      if (length > bytes.length - start) throw new SyntaxError("A Noise payload ends in a field");
      fields.push({ number, value: bytes.subarray(start, start + length) });
      offset = start + length;
    } else {
      fields.push({ number, value: undefined });
      offset = afterNumber(bytes, afterTag, wire);
    }
  }
  return fields;
}

function afterNumber(bytes: Uint8Array, offset: number, wire: number): number {
  let end = offset;
  if (wire === WIRE_VARINT) {
    while (end < bytes.length && end - offset < 9 && (bytes[end]! & 0x80) !== 0) end += 1;
    end += 1;
  } else if (wire === WIRE_64_BIT) end += 8;
  else if (wire === WIRE_32_BIT) end += 4;
  else throw new SyntaxError(`A Noise payload uses wire type ${wire}`);
  if (end > bytes.length) throw new SyntaxError("A Noise payload ends in a field");
  return end;
}

function varintAt(bytes: Uint8Array, offset: number): [value: number, end: number] {
  let varint: ReturnType<typeof decodeVarint>;
  try {
    varint = decodeVarint(bytes.subarray(offset, offset + 5));
  } catch {
    throw new SyntaxError("A Noise payload holds a length that is no 32-bit varint");
  }
  if (varint === undefined) throw new SyntaxError("A Noise payload ends in a length");
  return [varint.value, offset + varint.size];
}

function limited(value: Uint8Array | undefined, bytesMax: number, what: string): Uint8Array {
  if (value === undefined) throw new SyntaxError(`The ${what} in a Noise payload is a number`);
  if (value.length > bytesMax) {
    throw new SyntaxError(`The ${what} in a Noise payload has ${value.length} bytes`);
  }
  return value.slice();
}

function encodeField(number: number, value: Uint8Array): Uint8Array {
  return concatBytes(encodeVarint((number << 3) | WIRE_BYTES), encodeVarint(value.length), value);
}
