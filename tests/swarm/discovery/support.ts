/** What the tests of discovery share. */
import { ed25519PublicKey } from "../../../src/core/ed25519.ts";
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import type { Filter } from "../../../src/nostr/filter.ts";
import { matchesAny } from "../../../src/nostr/filter.ts";
import { type NostrEvent, nostrPublicKey } from "../../../src/nostr/nostr.ts";
import type { PublishReport } from "../../../src/nostr/relay_pool.ts";
import { peerIdOfPublicKey } from "../../../swarm/net/peer_id.ts";
import type { BlobRecord } from "../../../swarm/store/blob_store.ts";

/** A node's keys, made from one number. */
export interface Identity {
  readonly libp2pSecretKey: Uint8Array<ArrayBuffer>;
  readonly nostrSecretKey: Uint8Array<ArrayBuffer>;
  readonly peerId: string;
  readonly nostrKey: string;
}

export async function identity(number: number): Promise<Identity> {
  const libp2pSecretKey = new Uint8Array(32).fill(number);
  const nostrSecretKey = new Uint8Array(32).fill(number + 100);
  return {
    libp2pSecretKey,
    nostrSecretKey,
    peerId: peerIdOfPublicKey(await ed25519PublicKey(libp2pSecretKey)),
    nostrKey: nostrPublicKey(nostrSecretKey),
  };
}

export const hashOf = (number: number) => number.toString(16).padStart(64, "0") as Hash;
export const digestOf = (number: number) => number.toString(16).padStart(64, "f") as Sha256;

/** Events in memory where a pool of relays would be. */
export class FakePool {
  readonly urls = ["ws://fake"];
  readonly published: NostrEvent[] = [];
  readonly queries: (readonly Filter[])[] = [];
  /** Events that queries find. */
  stored: NostrEvent[] = [];
  /** Called before an event is taken; false refuses it. */
  accept: (event: NostrEvent) => boolean = () => true;
  /** How it refuses. */
  refusal = "error";

  /** Other relays that are down: reported beside the one that works. */
  readonly down = new Set<string>();

  publish(event: NostrEvent): Promise<PublishReport> {
    const accepted = this.accept(event);
    if (accepted) this.published.push(event);
    const outcome = { relay: "ws://fake", accepted, code: accepted ? "accepted" : this.refusal };
    const second = { ...outcome, relay: "ws://second", reason: "" };
    return Promise.resolve({
      acceptedCount: accepted ? 1 : 0,
      outcomes: [
        { ...outcome, reason: accepted ? "" : "no" },
        this.down.has("ws://second")
          ? { ...second, accepted: false, code: "unavailable", reason: "down" }
          : second,
      ],
    });
  }

  async *query(filters: readonly Filter[]): AsyncGenerator<NostrEvent, void, void> {
    this.queries.push(filters);
    for (const event of this.stored) {
      if (matchesAny(filters, event)) yield event;
    }
    await Promise.resolve();
  }
}

/** As much of a store as an announcer looks at. */
export class FakeStore {
  readonly records = new Map<Hash, BlobRecord>();

  put(number: number, fields: Partial<BlobRecord> = {}): Hash {
    const hash = hashOf(number);
    this.records.set(hash, {
      hash,
      size: number,
      state: "complete",
      groups: [] as never,
      kind: "blob",
      visibility: "public",
      pinned: false,
      tags: [],
      storage: "owned",
      addedMs: 0,
      lastUsedMs: 0,
      ...fields,
    });
    return hash;
  }

  list(): Iterable<BlobRecord> {
    return this.records.values();
  }

  status(hash: Hash): BlobRecord | undefined {
    return this.records.get(hash);
  }
}
