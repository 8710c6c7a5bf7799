/** Peers and an intake that behave as a test wants. */
import type { Bytes } from "../../../../src/core/bytes.ts";
import type { Hash, Sha256 } from "../../../../src/core/hash.ts";
import type { Clock } from "../../../../src/core/ports.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { fetchBlob, type FetchReport } from "../../../../swarm/fetch/mod.ts";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import type { DigestIntake, DigestMapping, SwarmFetch } from "../../../../swarm/registry/ports.ts";
import type { BlobRecord } from "../../../../swarm/store/blob_store.ts";
import { MemoryBlobStore } from "../../../../swarm/store/memory_store.ts";
import { FakePeer } from "../../fetch/fakes.ts";
import { sha256Bytes } from "./images.ts";

/** A peer of the swarm. */
export interface FakeNode {
  readonly id: string;
  readonly store: MemoryBlobStore;
  /** What it says of digests. */
  readonly says: Map<Sha256, DigestMapping>;
  readonly isTrusted: boolean;
  readonly behaviour: Omit<ConstructorParameters<typeof FakePeer>[1], "from" | "to">;
}

/** The swarm: peers that tests add, and the real scheduler between them. */
export class FakeSwarm implements SwarmFetch {
  readonly nodes: FakeNode[] = [];
  readonly banned: string[] = [];
  readonly found: Sha256[] = [];
  readonly fetched: Hash[] = [];
  /** The sources of the newest fetches, by peer. */
  readonly peers = new Map<string, FakePeer>();
  readonly #store: MemoryBlobStore;
  readonly #clock: Clock;

  constructor(store: MemoryBlobStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Adds a peer that has, and tells of, these blobs. */
  async add(
    id: string,
    blobs: Iterable<Bytes>,
    options: { readonly isTrusted?: boolean } & FakeNode["behaviour"] = {},
  ): Promise<FakeNode> {
    const { isTrusted = false, ...behaviour } = options;
    const store = new MemoryBlobStore({ clock: systemClock });
    const says = new Map<Sha256, DigestMapping>();
    for (const bytes of blobs) {
      const { hash } = await store.importBytes(bytes);
      const sha256 = sha256Bytes(bytes);
      says.set(sha256, { sha256, hash, size: bytes.length });
    }
    const node = { id, store, says, isTrusted, behaviour };
    this.nodes.push(node);
    return node;
  }

  async *find(sha256: Sha256): AsyncGenerator<ProviderHint> {
    this.found.push(sha256);
    await Promise.resolve();
    for (const { id, says } of this.nodes) {
      const mapping = says.get(sha256);
      yield {
        peerId: id,
        addrs: [],
        via: "advert",
        bound: true,
        ...(mapping === undefined ? {} : { hash: mapping.hash, size: mapping.size }),
      };
    }
  }

  ask(
    { peerId }: ProviderHint,
    sha256s: readonly Sha256[],
  ): Promise<readonly (DigestMapping | undefined)[]> {
    const { says } = this.#node(peerId);
    return Promise.resolve(sha256s.map((sha256) => says.get(sha256)));
  }

  isTrusted({ peerId }: ProviderHint): boolean {
    return this.#node(peerId).isTrusted;
  }

  ban({ peerId }: ProviderHint): void {
    this.banned.push(peerId);
  }

  fetch(request: Parameters<SwarmFetch["fetch"]>[0]): Promise<FetchReport> {
    const { hash, hints, origin, attributes, position, onReceived, signal } = request;
    this.fetched.push(hash);
    const sources = hints.map(({ peerId }) => {
      const { store, behaviour } = this.#node(peerId);
      const peer = new FakePeer(peerId, { from: store, to: this.#store, ...behaviour });
      this.peers.set(peerId, peer);
      return peer;
    });
    return fetchBlob({
      hash,
      store: this.#store,
      clock: this.#clock,
      random: systemRandom,
      sources,
      signal,
      limits: { originStartMs: 400, originStallMs: 400, firstByteMs: 200, progressMs: 300 },
      ...(origin === undefined ? {} : { origin }),
      ...(attributes === undefined ? {} : { attributes }),
      ...(position === undefined ? {} : { position }),
      ...(onReceived === undefined ? {} : { onReceived }),
    });
  }

  #node(id: string): FakeNode {
    return this.nodes.find((node) => node.id === id)!;
  }
}

/** Brings content from its registry: whole, checked, once at a time. */
export class FakeIntake implements DigestIntake {
  readonly brought: Sha256[] = [];
  endedCount = 0;
  readonly #store: MemoryBlobStore;
  readonly #underWay = new Map<Sha256, Promise<BlobRecord>>();

  constructor(store: MemoryBlobStore) {
    this.#store = store;
  }

  bring(request: Parameters<DigestIntake["bring"]>[0]): Promise<BlobRecord> {
    return this.#underWay.getOrInsertComputed(request.sha256, () => {
      this.brought.push(request.sha256);
      return this.#bring(request).finally(() => {
        this.endedCount++;
        this.#underWay.delete(request.sha256);
      });
    });
  }

  async #bring(request: Parameters<DigestIntake["bring"]>[0]): Promise<BlobRecord> {
    const { sha256, origin, attributes, signal, onProgress } = request;
    const { body } = await origin.open({ offset: 0, signal });
    return await this.#store.importStream(body, {
      ...attributes,
      signal,
      expected: { sha256 },
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  }
}
