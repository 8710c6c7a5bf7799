/** Answers members that ask for bytes, each on a stream of its own. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream, Network, PeerAddress } from "../ports.ts";
import { FrameReader } from "../protocol/mod.ts";
import type { BlobStore } from "../store/blob_store.ts";
import { ChildStream, type UploadPace } from "./child_stream.ts";
import { StoredContent } from "./content.ts";
import { Host } from "./host.ts";
import {
  ASK_MS,
  CASCADE_PROTOCOL,
  CHILDREN_MAX,
  MESSAGE_BYTES_MAX,
  STREAMS_PER_PEER_MAX,
} from "./limits.ts";
import type { Members } from "./members.ts";
import { type Ask, cascadeFrame, decodeAsk } from "./messages.ts";
import { Roster } from "./roster.ts";
import type { ContentDigest } from "./names.ts";

/** Options of {@link Serving}. */
export interface ServingOptions {
  readonly network: Network;
  readonly store: BlobStore;
  readonly members: Members;
  readonly clock: Clock;
  readonly uploads?: UploadPace;
  /** Called with the count of bytes that a member was sent. */
  readonly onSent: (bytes: number) => void;
}

/** See the head of this file. */
export class Serving {
  readonly #options: ServingOptions;
  readonly #hosts = new Map<ContentDigest, Host>();
  /** Those of {@link #hosts} that give out what is complete in the store. */
  readonly #lent = new Set<Host>();
  readonly #roster = new Roster();
  readonly #conversations = new Set<Promise<void>>();
  readonly #streams = new Set<ByteStream>();
  #isStopped = false;
  #childCount = 0;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#options.network.handle(CASCADE_PROTOCOL, (stream) => this.#serve(stream), {
      inboundStreamsMax: STREAMS_PER_PEER_MAX,
    });
  }

  /** Members that asked here for `digest` lately. */
  askersOf(digest: ContentDigest): readonly PeerAddress[] {
    return this.#roster.peersOf(digest, this.#options.clock.monotonicMs());
  }

  /** Feeds members from `host` until {@link withdraw}. */
  offer(host: Host): void {
    this.#hosts.set(host.digest, host);
  }

  /** Lets `host` go once those that it feeds have everything. */
  async withdraw(host: Host): Promise<void> {
    const end = async () => {
      if (this.#hosts.get(host.digest) === host) this.#hosts.delete(host.digest);
      await host.close(new SeedmintError("aborted", "It is over"));
    };
    if (host.childCount === 0 || host.isClosed || this.#isStopped) return await end();
    host.onEmpty = () => void end();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const reason = new SeedmintError("aborted", "The node is stopping");
    for (const stream of this.#streams) stream.abort(reason);
    await Promise.allSettled(this.#conversations);
    await Promise.allSettled([...this.#hosts.values()].map((host) => host.close(reason)));
    this.#hosts.clear();
  }

  async #serve(stream: ByteStream): Promise<void> {
    if (this.#isStopped) return stream.abort(new SeedmintError("aborted", "It is stopping"));
    this.#streams.add(stream);
    const conversation = this.#converse(stream);
    this.#conversations.add(conversation);
    try {
      await conversation;
    } finally {
      this.#conversations.delete(conversation);
      this.#streams.delete(stream);
    }
  }

  async #converse(stream: ByteStream): Promise<void> {
    const ask = await this.#asked(stream);
    const { members } = this.#options;
    // Who is no member learns nothing, not even who else asked.
    if (!await members.isMember(stream.peerId, ask.certificate)) return await refuse(stream, []);
    const host = await this.#hostOf(ask);
    try {
      await this.#answer(stream, ask, host);
    } finally {
      // A reader keeps its blob from eviction.
      if (host !== undefined && this.#lent.has(host) && host.childCount === 0) {
        this.#lent.delete(host);
        await this.withdraw(host);
      }
    }
  }

  async #answer(stream: ByteStream, ask: Ask, host: Host | undefined): Promise<void> {
    const { members, uploads } = this.#options;
    const part = host?.parts[ask.part];
    const isSame = host !== undefined && part !== undefined && host.size === ask.size &&
      part.start <= ask.offset && ask.offset <= part.end;
    if (!isSame) {
      const peer = { peerId: stream.peerId, addrs: ask.addrs };
      const known = this.#roster.met(ask.digest, peer, this.#options.clock.monotonicMs());
      return await refuse(stream, known);
    }
    const child = new ChildStream({
      stream,
      isHome: ask.home === ask.part,
      isNear: ask.near === true,
      addrs: ask.addrs,
      certificate: members.certificate,
      clock: this.#options.clock,
      ...(uploads === undefined ? {} : { uploads }),
      onSent: this.#options.onSent,
    });
    const admission = host.admit(part, child, {
      isUrgent: ask.urgent === true,
      hasRoom: this.#childCount < CHILDREN_MAX,
    });
    if (admission.kind === "elsewhere") {
      return await refuse(stream, admission.peers, admission.isFull);
    }
    this.#childCount++;
    this.#watch(stream, child);
    try {
      await child.feed(host, part, ask.offset);
    } finally {
      this.#childCount--;
      host.remove(part, child);
    }
  }

  /** A child says nothing after it asked: what ends its reading ends its seat. */
  #watch(stream: ByteStream, child: ChildStream): void {
    stream.read().then(
      () => child.drop(new SeedmintError("protocol", "A child says nothing after it asked")),
      () => child.drop(new SeedmintError("reset", "The stream ended")),
    );
  }

  async #asked(stream: ByteStream): Promise<Ask> {
    const { clock } = this.#options;
    const stop = clock.timer(
      ASK_MS,
      () => stream.abort(new SeedmintError("timeout", "it asked for nothing")),
    );
    try {
      const reader = new FrameReader<Ask>(stream, {
        messageBytesMax: MESSAGE_BYTES_MAX,
        isDataAllowed: false,
        decode: decodeAsk,
      });
      const ask = await reader.next();
      if (ask === undefined || ask instanceof Uint8Array) {
        throw new SeedmintError("protocol", "A child asked for nothing");
      }
      return ask;
    } finally {
      stop();
    }
  }

  /** What is under way here, or is complete in the store and may be given to members. */
  async #hostOf(ask: Ask): Promise<Host | undefined> {
    const { store } = this.#options;
    const known = this.#hosts.get(ask.digest);
    if (known !== undefined && !known.isClosed) return known;
    const record = store.findBySha256(ask.digest as Sha256) ?? store.status(ask.digest as Hash);
    if (record?.state !== "complete" || record.visibility === "private") return undefined;
    if (record.size !== ask.size) return undefined;
    const content = new StoredContent(await store.openReader(record.hash));
    const other = this.#hosts.get(ask.digest);
    if (other !== undefined || this.#isStopped) {
      await content.close();
      return other;
    }
    const { digest, size } = ask;
    // All parts are here to be passed on; the one that is asked for first is as good as any.
    const host = new Host({
      self: this.#options.network.peerId,
      home: ask.part,
      digest,
      size,
      content,
    });
    this.offer(host);
    this.#lent.add(host);
    return host;
  }
}

async function refuse(
  stream: ByteStream,
  peers: readonly PeerAddress[],
  isFull = false,
): Promise<void> {
  await stream.write(cascadeFrame({ t: "elsewhere", peers, ...(isFull ? { full: true } : {}) }));
}
