/** A peer that does what a test tells it, and a requester that meets it. */
import { systemClock } from "../../../src/host/system.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { MemoryHub, type MemoryNetwork } from "../../../swarm/net/memory_network.ts";
import type { ByteStream } from "../../../swarm/ports.ts";
import {
  BLOBS_PROTOCOL,
  dataFrameHead,
  FrameReader,
  type Message,
  messageFrame,
  type ResponseMessage,
} from "../../../swarm/protocol/mod.ts";
import { PeerSource, type PeerSourceOptions } from "../../../swarm/requester/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { FETCHER, SEEDER } from "../provider/support.ts";

/** One stream in the hands of a scripted provider. */
export class Script {
  readonly stream: ByteStream;
  readonly #reader: FrameReader;

  constructor(stream: ByteStream) {
    this.stream = stream;
    this.#reader = new FrameReader(stream, { messageBytesMax: 1 << 20, isDataAllowed: false });
  }

  async request(): Promise<Message | undefined> {
    return await this.#reader.next() as Message | undefined;
  }

  async say(...messages: ResponseMessage[]): Promise<void> {
    for (const message of messages) await this.stream.write(messageFrame(message));
  }

  async data(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += 1 << 20) {
      const part = bytes.subarray(at, at + (1 << 20));
      await this.stream.write(dataFrameHead(part.length), part);
    }
  }
}

/** A requester beside a scripted provider. */
export class Scripted implements AsyncDisposable {
  readonly hub = new MemoryHub({ clock: systemClock });
  readonly seeder: MemoryNetwork = this.hub.join(SEEDER);
  readonly fetcher: MemoryNetwork = this.hub.join(FETCHER);
  readonly store = new MemoryBlobStore({ clock: systemClock });
  readonly source: PeerSource;
  /** Streams that the requester opened. */
  streamCount = 0;

  constructor(
    script: (script: Script) => Promise<void>,
    options: Partial<PeerSourceOptions> = {},
  ) {
    this.source = new PeerSource({
      network: this.fetcher,
      peer: { peerId: SEEDER, addrs: this.seeder.addresses() },
      store: this.store,
      clock: systemClock,
      ...options,
    });
    void this.seeder.handle(BLOBS_PROTOCOL, async (stream) => {
      this.streamCount += 1;
      try {
        await script(new Script(stream));
      } catch (error) {
        stream.abort(error as Error);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    await this.fetcher[Symbol.asyncDispose]();
    await this.seeder[Symbol.asyncDispose]();
  }
}

/** The Bao encoding of all of a blob, from a store that holds it. */
export async function encodingOf(store: MemoryBlobStore, hash: Hash): Promise<Uint8Array> {
  await using reader = await store.openReader(hash);
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.encode(reader.groups)) pieces.push(piece);
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
