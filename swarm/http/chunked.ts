/** Bodies in chunks (RFC 9112 section 7.1), decoded strictly: nothing may be read two ways. */
import type { Bytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { BODY_PIECE_BYTES, CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** Reads what is there; null at the end. */
export type ReadSome = (target: Uint8Array) => Promise<number | null>;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** One body in chunks. */
export class ChunkedBody {
  readonly #read: ReadSome;
  readonly #buffer: Bytes = new Uint8Array(BODY_PIECE_BYTES);
  #at = 0;
  #end = 0;
  #chunkLeft = 0;
  #state: "first" | "chunk" | "done" = "first";

  constructor(read: ReadSome) {
    this.#read = read;
  }

  /** Whether the last chunk and what follows it were read. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** What was read beyond the end of the body. */
  get rest(): Bytes {
    return this.#buffer.subarray(this.#at, this.#end);
  }

  /**
   * The next piece, valid until the next one is asked for; undefined at the end.
   *
   * @throws {Refusal} 400 for what is no chunk.
   * @throws {SeedmintError} `reset` if the connection ends inside of the body.
   */
  async next(): Promise<Bytes | undefined> {
    if (this.#state === "done") return undefined;
    if (this.#chunkLeft === 0) {
      // A chunk ends with an empty line of its own; the first has none before it.
      if (this.#state === "chunk" && (await this.#line(2)).length > 0) throw malformed();
      this.#state = "chunk";
      this.#chunkLeft = sizeOf(await this.#line(CHUNK_LINE_BYTES_MAX));
      if (this.#chunkLeft === 0) {
        await this.#skipTrailers();
        this.#state = "done";
        return undefined;
      }
    }
    if (this.#at === this.#end) await this.#fill();
    const count = Math.min(this.#chunkLeft, this.#end - this.#at);
    const piece = this.#buffer.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.#chunkLeft -= count;
    return piece;
  }

  async #skipTrailers(): Promise<void> {
    for (let left = TRAILER_BYTES_MAX; left > 0;) {
      const line = await this.#line(left);
      if (line.length === 0) return;
      left -= line.length + 2;
    }
    throw malformed();
  }

  /** A line without its end, which counts among the `bytesMax`. */
  async #line(bytesMax: number): Promise<string> {
    let searched = this.#at;
    while (true) {
      const end = this.#buffer.subarray(0, this.#end).indexOf(LINE_FEED, searched);
      const length = (end < 0 ? this.#end : end + 1) - this.#at;
      if (length > bytesMax) throw malformed();
      if (end >= 0) {
        if (end === this.#at || this.#buffer[end - 1] !== CARRIAGE_RETURN) throw malformed();
        const line = this.#buffer.subarray(this.#at, end - 1);
        this.#at = end + 1;
        return new TextDecoder("latin1").decode(line);
      }
      if (length === bytesMax) throw malformed();
      await this.#fill();
      searched = this.#at;
    }
  }

  /** Reads more behind what is there, which is moved to the front. */
  async #fill(): Promise<void> {
    this.#buffer.copyWithin(0, this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    const count = await this.#read(this.#buffer.subarray(this.#end));
    if (count === null) throw new SeedmintError("reset", "The connection ended inside a body");
    this.#end += count;
  }
}

/** The size that begins a chunk; extensions behind it mean nothing to us. */
function sizeOf(line: string): number {
  const digits = /^([0-9a-f]{1,13})(?:[ \t]*;[\t\x20-\x7e]*)?$/i.exec(line)?.[1];
  if (digits === undefined) throw malformed();
  return Number.parseInt(digits, 16);
}

function malformed(): Refusal {
  return new Refusal(400, "The chunks of the body are malformed");
}
