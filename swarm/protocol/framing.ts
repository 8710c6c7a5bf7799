/**
 * How messages and bytes share one direction of a stream. A frame is a varint length and that many
 * bytes. Bytes that begin with 0x00 are data and the rest of them goes to the receiver as it comes;
 * any other frame is one message in canonical CBOR, a map, whose first byte is never 0x00. So a
 * `low` can stand between two data frames, a sender frames data with a few bytes in front of arrays
 * it does not touch, and a receiver hands on parts of the arrays that it read.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { decodeVarint, encodeVarint } from "../../src/core/varint.ts";
import type { ByteStream } from "../ports.ts";
import { DATA_FRAME_BYTES_MAX } from "./limits.ts";
import { decodeMessage, encodeMessage } from "./message_codec.ts";
import type { Message } from "./messages.ts";

/** The first byte of a data frame; as CBOR it would be the integer 0, which is no message. */
const DATA_MARK = 0x00;

const NOTHING = new Uint8Array(0);

/** `message` with its length before it. */
export function messageFrame(message: Message): Bytes {
  const bytes = encodeMessage(message);
  return concatBytes(encodeVarint(bytes.length), bytes);
}

/** The most bytes of what {@link dataFrameHead} gives. */
export const FRAME_HEAD_BYTES_MAX: number = encodeVarint(DATA_FRAME_BYTES_MAX + 1).length + 1;

/** What stands before `size` bytes of data in a data frame; 1 to {@link DATA_FRAME_BYTES_MAX}. */
export function dataFrameHead(size: number): Bytes {
  if (!Number.isInteger(size) || size < 1 || size > DATA_FRAME_BYTES_MAX) {
    throw new RangeError(
      `Cannot frame ${size} bytes: 1 to ${DATA_FRAME_BYTES_MAX} bytes of data are wanted`,
    );
  }
  return concatBytes(encodeVarint(size + 1), Uint8Array.of(DATA_MARK));
}

/** Options of {@link FrameReader}. */
export interface FrameReaderOptions<M extends object = Message> {
  /** The most bytes of one message. */
  readonly messageBytesMax: number;
  /** Whether data frames are allowed: a requester sends none. */
  readonly isDataAllowed: boolean;
  /** Reads the messages of another protocol with these frames. @default those of this one */
  readonly decode?: (bytes: Uint8Array) => M;
}

/** Takes frames off a stream. At most one {@link next} may be under way. */
export class FrameReader<M extends object = Message> {
  readonly #stream: Pick<ByteStream, "read" | "release">;
  readonly #options: FrameReaderOptions<M>;
  #unread: Uint8Array = NOTHING;
  #dataLeft = 0;
  #messageBytes = 0;

  constructor(stream: Pick<ByteStream, "read" | "release">, options: FrameReaderOptions<M>) {
    this.#stream = stream;
    this.#options = options;
  }

  /**
   * The next message; or the next bytes of data, as many as came at once and never empty, not to be
   * changed; or undefined after the other side closed between two frames.
   *
   * @throws {SeedmintError} `protocol` for a frame that breaks a limit or a message that is none,
   * `reset` if the stream was aborted or ended inside a frame.
   */
  async next(): Promise<M | Uint8Array | undefined> {
    if (this.#dataLeft === 0) {
      const message = await this.#head();
      if (message !== "data") return message;
    }
    if (this.#unread.length === 0) this.#unread = await this.#more();
    const count = Math.min(this.#unread.length, this.#dataLeft);
    const bytes = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    this.#dataLeft -= count;
    return bytes;
  }

  /** How many bytes the message that {@link next} gave last had on the wire. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  /** Says that bytes of data which {@link next} gave are not used any more; each byte at most once. */
  release(bytes: Uint8Array): void {
    this.#stream.release?.(bytes);
  }

  /** Reads a length and a mark, and the whole frame if it is a message. */
  async #head(): Promise<M | "data" | undefined> {
    const length = await this.#length();
    if (length === undefined) return undefined;
    const isData = this.#unread[length.size] === DATA_MARK;
    this.#checkLength(length.value, isData);
    if (isData) {
      this.release(this.#unread.subarray(0, length.size + 1));
      this.#unread = this.#unread.subarray(length.size + 1);
      this.#dataLeft = length.value - 1;
      return "data";
    }
    this.#unread = this.#unread.subarray(length.size);
    this.#messageBytes = length.value;
    const bytes = await this.#take(length.value);
    return this.#options.decode?.(bytes) ?? decodeMessage(bytes) as M;
  }

  /** The length of the next frame, once its first byte is here too; undefined at the end. */
  async #length(): Promise<ReturnType<typeof decodeVarint>> {
    while (true) {
      const length = decodeVarint(this.#unread);
      if (length?.value === 0) throw refused("a frame is empty");
      if (length !== undefined && this.#unread.length > length.size) return length;
      const isBetween = this.#unread.length === 0;
      const bytes = await this.#stream.read();
      if (bytes !== undefined) this.#unread = isBetween ? bytes : concatBytes(this.#unread, bytes);
      else if (isBetween) return undefined;
      else throw endedEarly();
    }
  }

  #checkLength(length: number, isData: boolean): void {
    if (!isData) {
      if (length <= this.#options.messageBytesMax) return;
      throw refused(
        `a message has ${length} bytes, at most ${this.#options.messageBytesMax} are accepted`,
      );
    }
    if (!this.#options.isDataAllowed) throw refused("data came where only messages may");
    if (length === 1) throw refused("a data frame is empty");
    if (length - 1 > DATA_FRAME_BYTES_MAX) {
      throw refused(
        `a data frame has ${length - 1} bytes, at most ${DATA_FRAME_BYTES_MAX} are accepted`,
      );
    }
  }

  /** The next `count` bytes as one array; memory grows only with what has really come. */
  async #take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let left = count;
    while (left > this.#unread.length) {
      parts.push(this.#unread);
      left -= this.#unread.length;
      this.#unread = await this.#more();
    }
    parts.push(this.#unread.subarray(0, left));
    this.#unread = this.#unread.subarray(left);
    return parts.length === 1 ? parts[0]! : concatBytes(...parts);
  }

  async #more(): Promise<Uint8Array> {
    while (true) {
      const bytes = await this.#stream.read();
      if (bytes === undefined) throw endedEarly();
      if (bytes.length > 0) return bytes;
    }
  }
}

function refused(why: string): SeedmintError {
  return new SeedmintError("protocol", `Cannot read a frame: ${why}`);
}

function endedEarly(): SeedmintError {
  return new SeedmintError("reset", "The stream ended inside a frame", { retryable: true });
}
