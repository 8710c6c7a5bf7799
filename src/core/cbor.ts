/**
 * Canonical CBOR (RFC 8949 section 4.2.1, maps with string keys): what is decoded must be the very
 * bytes that encoding it again gives, so one value has one form and a signature or hash over it has
 * one meaning.
 */
import { decode, encode, rfc8949EncodeOptions } from "cborg";
import { equalBytes } from "./bytes.ts";
import { SeedmintError } from "./errors.ts";

/** Encodes `value`; properties that are `undefined` must not be present. */
export function encodeCbor(value: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(encode(value, rfc8949EncodeOptions));
}

/**
 * Decodes what a stranger sent.
 *
 * @param bytes One whole item and nothing after it.
 * @param options `bytesMax`: the most that is looked at.
 * @throws {SeedmintError} `protocol` if it is too large, malformed or not canonical.
 */
export function decodeCbor(bytes: Uint8Array, options: { readonly bytesMax: number }): unknown {
  if (bytes.length > options.bytesMax) {
    throw new SeedmintError(
      "protocol",
      `Cannot decode a message of ${bytes.length} bytes: at most ${options.bytesMax} are accepted`,
    );
  }
  let value: unknown;
  let canonical: Uint8Array;
  try {
    value = decode(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowInfinity: false,
      allowNaN: false,
      rejectDuplicateMapKeys: true,
    });
    canonical = encode(value, rfc8949EncodeOptions);
  } catch (cause) {
    throw new SeedmintError("protocol", "Cannot decode a message: it is not CBOR", { cause });
  }
  if (!equalBytes(canonical, bytes)) {
    throw new SeedmintError("protocol", "Cannot decode a message: it is not canonical CBOR");
  }
  return value;
}
