/**
 * The entries of a layer: tar as OCI has it (ustar with the long names, sizes and owners of pax and of
 * GNU). Extended attributes are read over: a lease has no use for file capabilities.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import { EXTRA_BYTES_MAX } from "./limits.ts";

/** What an entry is; what is none of these is `other` (devices, pipes, the unknown). */
export type EntryKind = "file" | "hardlink" | "symlink" | "directory" | "other";

/** One entry of a layer. */
export interface TarEntry {
  readonly kind: EntryKind;
  /** As it stands there. */
  readonly name: string;
  /** Target of a link, as it stands there. */
  readonly link: string;
  /** Permission bits, with set-user-id, set-group-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly modifiedS: number;
  /** Bytes. */
  readonly size: number;
  /** The content of a file, to be read before the next entry is asked for; the rest is skipped. */
  readonly body: AsyncIterable<Uint8Array>;
}

const BLOCK_BYTES = 512;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Extra {
  path?: string;
  linkpath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
}

/**
 * The entries of an archive in order, up to its end mark. The source is let go of in any case, also when
 * it was not read to its end.
 *
 * @throws {SeedmintError} `invalid` if it is no archive, ends early, or breaks a limit.
 */
export async function* tarEntries(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarEntry, void> {
  const input = new Input(source);
  try {
    yield* entriesIn(input);
  } finally {
    await input.close();
  }
}

async function* entriesIn(input: Input): AsyncGenerator<TarEntry, void> {
  let extra: Extra = {};
  for (;;) {
    const block = await input.block();
    if (block === undefined || block.every((byte) => byte === 0)) return await input.drain();
    const header = headerIn(block);
    if (header.type === "x" || header.type === "L" || header.type === "K") {
      const bytes = await input.whole(header.size);
      if (header.type === "x") extra = { ...extra, ...paxIn(bytes) };
      else extra[header.type === "L" ? "path" : "linkpath"] = untilNul(textIn(bytes));
      continue;
    }
    if (header.type === "g") {
      await input.whole(header.size);
      continue;
    }
    const kind = kindOf(header.type, header.name);
    const size = kind === "file" || kind === "other" ? extra.size ?? header.size : 0;
    const body = new Body(input, size);
    yield {
      kind,
      name: extra.path ?? header.name,
      link: extra.linkpath ?? header.link,
      mode: header.mode & 0o7777,
      uid: extra.uid ?? header.uid,
      gid: extra.gid ?? header.gid,
      modifiedS: Math.floor(extra.mtime ?? header.modifiedS),
      size,
      body,
    };
    extra = {};
    await body.skip();
  }
}

/** What is read of an archive: blocks and bodies, one after the other. */
class Input {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array(0);
  #isEnded = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Lets go of the source: whatever it holds open is closed. */
  async close(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    // It was not read to its end for a reason, which is what counts.
    await this.#iterator.return?.().catch(() => {});
  }

  /** Up to `countMax` bytes at once from memory, if there are any. */
  take(countMax: number): Uint8Array {
    const taken = this.#left.subarray(0, countMax);
    this.#left = this.#left.subarray(taken.length);
    return taken;
  }

  /** Brings more in. @returns Whether there is any. */
  async more(): Promise<boolean> {
    while (this.#left.length === 0) {
      if (this.#isEnded) return false;
      const next = await this.#iterator.next();
      if (next.done === true) this.#isEnded = true;
      else this.#left = next.value;
    }
    return true;
  }

  /** One block, or undefined at the very end. */
  async block(): Promise<Uint8Array | undefined> {
    if (this.#left.length >= BLOCK_BYTES) return this.take(BLOCK_BYTES);
    const block = new Uint8Array(BLOCK_BYTES);
    let at = 0;
    while (at < BLOCK_BYTES) {
      if (!await this.more()) {
        if (at === 0) return undefined;
        throw invalid("it ends in the middle");
      }
      const part = this.take(BLOCK_BYTES - at);
      block.set(part, at);
      at += part.length;
    }
    return block;
  }

  /** A body that belongs to a header. */
  async whole(size: number): Promise<Uint8Array> {
    if (size > EXTRA_BYTES_MAX) throw invalid(`a name or attribute has ${size} bytes`);
    const all = new Uint8Array(size);
    const body = new Body(this, size);
    let at = 0;
    for await (const part of body) {
      all.set(part, at);
      at += part.length;
    }
    await body.skip();
    return all;
  }

  /** Reads what stands behind the end mark: it belongs to the layer's digest. */
  async drain(): Promise<void> {
    this.#left = new Uint8Array(0);
    while (await this.more()) this.#left = new Uint8Array(0);
  }
}

class Body implements AsyncIterable<Uint8Array> {
  readonly #input: Input;
  #leftBytes: number;
  #paddingBytes: number;

  constructor(input: Input, size: number) {
    this.#input = input;
    this.#leftBytes = size;
    this.#paddingBytes = (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    while (this.#leftBytes > 0) {
      if (!await this.#input.more()) throw invalid("it ends in the middle of a file");
      const part = this.#input.take(this.#leftBytes);
      this.#leftBytes -= part.length;
      yield part;
    }
  }

  /** Reads over what nobody read. */
  async skip(): Promise<void> {
    this.#leftBytes += this.#paddingBytes;
    this.#paddingBytes = 0;
    if (this.#leftBytes === 0) return;
    for await (const _ of this);
  }
}

function headerIn(block: Uint8Array) {
  let sum = 0;
  for (let index = 0; index < BLOCK_BYTES; index++) {
    sum += index >= 148 && index < 156 ? 0x20 : block[index]!;
  }
  if (octalIn(block, 148, 8) !== sum) throw invalid("a header is damaged, or it is no tar archive");
  const isPosix = fieldIn(block, 257, 6) === "ustar";
  const prefix = isPosix ? fieldIn(block, 345, 155) : "";
  const name = fieldIn(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    link: fieldIn(block, 157, 100),
    mode: numberIn(block, 100, 8),
    uid: numberIn(block, 108, 8),
    gid: numberIn(block, 116, 8),
    size: numberIn(block, 124, 12),
    modifiedS: numberIn(block, 136, 12),
    type: String.fromCharCode(block[156]!),
  };
}

function kindOf(type: string, name: string): EntryKind {
  switch (type) {
    case "0":
    case "\0":
    case "7":
      return name.endsWith("/") ? "directory" : "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "5":
      return "directory";
    default:
      return "other";
  }
}

/** A number in octal, or in base 256 as GNU writes what octal cannot hold. */
function numberIn(block: Uint8Array, offset: number, width: number): number {
  if ((block[offset]! & 0x80) === 0) return octalIn(block, offset, width);
  if (block[offset] === 0xff) return 0; // below zero: a time before 1970
  let value = block[offset]! & 0x7f;
  for (const byte of block.subarray(offset + 1, offset + width)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw invalid("a number in a header is larger than can be");
  return value;
}

function octalIn(block: Uint8Array, offset: number, width: number): number {
  const text = fieldIn(block, offset, width).trim();
  if (!/^[0-7]{0,12}$/.test(text)) throw invalid("a number in a header is none");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function fieldIn(block: Uint8Array, offset: number, width: number): string {
  const field = block.subarray(offset, offset + width);
  const end = field.indexOf(0);
  return textIn(end < 0 ? field : field.subarray(0, end));
}

function textIn(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes);
  } catch {
    throw invalid("a name is not UTF-8");
  }
}

function untilNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** The records of a pax header that matter: `<length> <name>=<value>\n`, lengths in bytes. */
function paxIn(bytes: Uint8Array): Extra {
  const found: Extra = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : new TextDecoder().decode(bytes.subarray(at, space));
    const length = /^\d{1,6}$/.test(digits) ? Number(digits) : 0;
    if (length <= digits.length + 2 || at + length > bytes.length) {
      throw invalid("its attributes are damaged");
    }
    const record = bytes.subarray(space + 1, at + length - 1);
    at += length;
    const equals = record.indexOf(0x3d);
    const key = new TextDecoder().decode(record.subarray(0, Math.max(equals, 0)));
    const value = record.subarray(equals + 1);
    if (key === "path" || key === "linkpath") found[key] = textIn(value);
    else if (key === "size" || key === "uid" || key === "gid") found[key] = countIn(value);
    else if (key === "mtime") found.mtime = Math.max(0, Number(textIn(value)) || 0);
  }
  return found;
}

function countIn(bytes: Uint8Array): number {
  const text = textIn(bytes);
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw invalid("a number in its attributes is none");
  }
  return value;
}

function invalid(why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot read the layer: ${why}`);
}
