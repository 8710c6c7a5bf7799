/** Reading tar archives that a stranger may have made: ustar, with the long names of pax and GNU. */
import { concatBytes } from "../../../src/core/bytes.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { TAR_ENTRIES_MAX, TAR_EXTRA_BYTES_MAX } from "./limits.ts";
import { TAR_BLOCK_BYTES } from "./tar_write.ts";

/** A file of an archive. */
export interface TarFile {
  /** As it stands there, without `./` before it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Its content, to be read before the next file is asked for; what is left of it is skipped. */
  readonly body: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The regular files of an archive, in order; what else it has is skipped.
 *
 * @throws {SeedmintError} `invalid` if it is no archive, ends early, or breaks a limit.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<TarFile, void> {
  const input = new Input(source);
  let extra: { path?: string; size?: number } = {};
  try {
    for (let count = 0;; count++) {
      const block = await input.take(TAR_BLOCK_BYTES, count === 0);
      if (block === undefined || block.every((byte) => byte === 0)) return;
      if (count >= TAR_ENTRIES_MAX) throw invalid(`it has more than ${TAR_ENTRIES_MAX} entries`);
      const header = headerIn(block);
      if (header.type === "x" || header.type === "L") {
        const text = textIn(await input.whole(header.size));
        extra = header.type === "x" ? { ...extra, ...paxIn(text) } : {
          ...extra,
          path: text.replace(/\0.*$/s, ""),
        };
        continue;
      }
      const size = extra.size ?? header.size;
      const body = new Body(input, size);
      const isFile = header.type === "0" || header.type === "\0" || header.type === "7";
      const name = (extra.path ?? header.name).replace(/^(?:\.\/)+/, "");
      extra = {};
      if (isFile) yield { name, size, body };
      await body.skip();
    }
  } finally {
    await input.close();
  }
}

/** What is read of an archive: blocks and bodies, one after the other. */
class Input {
  readonly #iterator: AsyncIterator<Uint8Array<ArrayBuffer>>;
  #left: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isEnded = false;

  constructor(source: AsyncIterable<Uint8Array<ArrayBuffer>>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Up to `countMax` bytes; undefined at the end. Valid until the next is asked. */
  async some(countMax: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#left.length === 0) {
      if (this.#isEnded) return undefined;
      const next = await this.#iterator.next();
      if (next.done === true) this.#isEnded = true;
      else this.#left = next.value;
    }
    const taken = this.#left.subarray(0, countMax);
    this.#left = this.#left.subarray(taken.length);
    return taken;
  }

  /** Exactly `count` bytes in memory of their own; undefined at the very end, unless it is the start. */
  async take(count: number, isStart = false): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const block = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const part = await this.some(count - at);
      if (part === undefined) {
        if (at === 0 && !isStart) return undefined;
        throw invalid("it ends in the middle, or is none");
      }
      block.set(part, at);
      at += part.length;
    }
    return block;
  }

  /** A body that belongs to a header, with its padding. */
  async whole(size: number): Promise<Uint8Array<ArrayBuffer>> {
    if (size > TAR_EXTRA_BYTES_MAX) throw invalid(`a name or attribute has ${size} bytes`);
    const body = new Body(this, size);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of body) parts.push(part.slice());
    await body.skip();
    return concatBytes(...parts);
  }

  async close(): Promise<void> {
    if (!this.#isEnded) await this.#iterator.return?.();
  }
}

class Body implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  readonly #input: Input;
  #leftBytes: number;
  #paddingBytes: number;

  constructor(input: Input, size: number) {
    this.#input = input;
    this.#leftBytes = size;
    this.#paddingBytes = (TAR_BLOCK_BYTES - size % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    while (this.#leftBytes > 0) {
      const part = await this.#input.some(this.#leftBytes);
      if (part === undefined) throw invalid("it ends in the middle of a file");
      this.#leftBytes -= part.length;
      yield part;
    }
  }

  /** Reads over what nobody read. */
  async skip(): Promise<void> {
    this.#leftBytes += this.#paddingBytes;
    this.#paddingBytes = 0;
    for await (const _ of this);
  }
}

function headerIn(block: Uint8Array): {
  readonly name: string;
  readonly size: number;
  readonly type: string;
} {
  const sum = block.reduce(
    (total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte),
    0,
  );
  if (octalIn(block, 148, 8) !== sum) throw invalid("a header is damaged, or it is no tar archive");
  const isUstar = textIn(block.subarray(257, 262)) === "ustar";
  const prefix = isUstar ? fieldIn(block, 345, 155) : "";
  const name = fieldIn(block, 0, 100);
  return {
    // GNU's own format keeps times where ustar keeps the prefix.
    name: prefix === "" || block[263] === 0x20 ? name : `${prefix}/${name}`,
    size: sizeIn(block),
    type: String.fromCharCode(block[156]!),
  };
}

function sizeIn(block: Uint8Array): number {
  if ((block[124]! & 0x80) === 0) return octalIn(block, 124, 12);
  let size = block[124]! & 0x7f;
  for (const byte of block.subarray(125, 136)) size = size * 256 + byte;
  if (!Number.isSafeInteger(size)) throw invalid("a file is larger than can be");
  return size;
}

function octalIn(block: Uint8Array, offset: number, width: number): number {
  const text = fieldIn(block, offset, width).trim();
  if (!/^[0-7]{0,11}$/.test(text)) throw invalid("a number in a header is none");
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

/** The records of a pax header that matter: `<length> <name>=<value>\n`, lengths in bytes. */
function paxIn(text: string): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {};
  for (const line of text.split("\n")) {
    const [, key, value] = /^\d+ (path|size)=(.*)$/.exec(line) ?? [];
    if (key === "path") found.path = value!;
    if (key === "size") {
      const size = Number(value);
      if (!/^\d{1,16}$/.test(value!) || !Number.isSafeInteger(size)) {
        throw invalid("the size of a file is no number");
      }
      found.size = size;
    }
  }
  return found;
}

function invalid(why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot read the archive: ${why}`);
}
