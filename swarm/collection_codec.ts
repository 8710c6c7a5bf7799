/**
 * The canonical CBOR of a list of children, read and written without a general codec: a collection
 * may have 100,000 of them, and nothing but this one shape is ever accepted. The tests hold it to
 * what the general codec gives.
 */
import { type Bytes, utf8 } from "../src/core/bytes.ts";
import { SeedmintError } from "../src/core/errors.ts";
import { type Hash, HASH_BYTES, hashToBytes } from "../src/core/hash.ts";
import type { CollectionChild } from "./collection.ts";

/** A child with the UTF-8 of its name, by which children are ordered. */
export interface KeyedChild {
  readonly child: CollectionChild;
  readonly key: Uint8Array;
}

const UINT = 0;
const BYTES = 2;
const TEXT = 3;
const LIST = 4;
const MAP = 5;

/** `{"v": 1, "children": …` up to the list itself. */
const PREFIX = Uint8Array.fromHex("a2" + "6176" + "01" + "686368696c6472656e");
const HASH_KEY = utf8("\x64hash");
const NAME_KEY = utf8("\x64name");
const SIZE_KEY = utf8("\x64size");
const MEDIA_TYPE_KEY = utf8("\x69mediaType");

/** Writes `children` in the order given. */
export function writeChildren(children: readonly KeyedChild[]): Bytes {
  const writer = new Writer();
  writer.raw(PREFIX);
  writer.head(LIST, children.length);
  for (const { child, key } of children) {
    writer.head(MAP, child.mediaType === undefined ? 3 : 4);
    writer.raw(HASH_KEY);
    writer.head(BYTES, HASH_BYTES);
    writer.raw(hashToBytes(child.hash));
    writer.raw(NAME_KEY);
    writer.head(TEXT, key.length);
    writer.raw(key);
    writer.raw(SIZE_KEY);
    writer.head(UINT, child.size);
    if (child.mediaType === undefined) continue;
    const mediaType = utf8(child.mediaType);
    writer.raw(MEDIA_TYPE_KEY);
    writer.head(TEXT, mediaType.length);
    writer.raw(mediaType);
  }
  return writer.finish();
}

/**
 * Reads what {@link writeChildren} writes and nothing else. Names, sizes and order are not judged.
 *
 * @throws {SeedmintError} `protocol`
 */
export function readChildren(bytes: Uint8Array, countMax: number): readonly KeyedChild[] {
  const reader = new Reader(bytes);
  reader.expect(PREFIX, 'a map of "v": 1 and "children"');
  const count = reader.head(LIST);
  if (count > countMax) {
    throw refused(`${count} children are listed, at most ${countMax} are allowed`);
  }
  const children: KeyedChild[] = [];
  for (let index = 0; index < count; index++) children.push(readChild(reader));
  if (!reader.isAtEnd) throw refused("something follows the children");
  return children;
}

function readChild(reader: Reader): KeyedChild {
  const fieldCount = reader.head(MAP);
  if (fieldCount !== 3 && fieldCount !== 4) throw refused(`a child has ${fieldCount} fields`);
  reader.expect(HASH_KEY, '"hash"');
  if (reader.head(BYTES) !== HASH_BYTES) throw refused("a hash has another size");
  const hash = reader.take(HASH_BYTES).toHex() as Hash;
  reader.expect(NAME_KEY, '"name"');
  const key = reader.take(reader.head(TEXT));
  const name = reader.text(key);
  reader.expect(SIZE_KEY, '"size"');
  const size = reader.head(UINT);
  if (fieldCount === 3) return { key, child: { name, hash, size } };
  reader.expect(MEDIA_TYPE_KEY, '"mediaType"');
  const mediaType = reader.text(reader.take(reader.head(TEXT)));
  return { key, child: { name, hash, size, mediaType } };
}

class Writer {
  #bytes = new Uint8Array(64 * 1024);
  #size = 0;

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** Major type and argument in the shortest form. */
  head(major: number, value: number): void {
    this.#reserve(9);
    const extra = value < 24
      ? 0
      : value <= 0xff
      ? 1
      : value <= 0xffff
      ? 2
      : value < 2 ** 32
      ? 4
      : 8;
    const info = extra === 0 ? value : 24 + Math.log2(extra);
    this.#bytes[this.#size++] = (major << 5) | info;
    for (let place = extra - 1; place >= 0; place--) {
      this.#bytes[this.#size++] = Math.floor(value / 2 ** (8 * place)) % 256;
    }
  }

  finish(): Bytes {
    return this.#bytes.slice(0, this.#size);
  }

  #reserve(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + count));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The argument of an item of this major type, which must be in its shortest form. */
  head(major: number): number {
    const first = this.#bytes[this.#at++];
    if (first === undefined || first >> 5 !== major) throw refused("an item has another type");
    const info = first & 31;
    if (info < 24) return info;
    if (info > 27) throw refused("an item has no plain length");
    const extra = 1 << (info - 24);
    let value = 0;
    for (const byte of this.take(extra)) value = value * 256 + byte;
    const least = extra === 1 ? 24 : 2 ** (4 * extra);
    if (value < least || value > Number.MAX_SAFE_INTEGER) {
      throw refused("a number is not canonical");
    }
    return value;
  }

  take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw refused("it ends too early");
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  expect(wanted: Uint8Array, what: string): void {
    for (let index = 0; index < wanted.length; index++) {
      if (this.#bytes[this.#at + index] !== wanted[index]) throw refused(`${what} is wanted`);
    }
    this.#at += wanted.length;
  }

  text(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes);
    } catch (cause) {
      throw new SeedmintError("protocol", "Cannot read a collection: a text is not UTF-8", {
        cause,
      });
    }
  }
}

function refused(why: string): SeedmintError {
  return new SeedmintError("protocol", `Cannot read a collection: ${why}`);
}
