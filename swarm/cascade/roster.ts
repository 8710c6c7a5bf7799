/**
 * Who asked this node for content that it does not fetch itself: so those who want the same content
 * at the same time find each other through whoever comes first in their order.
 */
import type { PeerAddress } from "../ports.ts";
import { PEERS_MAX, ROSTER_DIGESTS_MAX, ROSTER_MS, ROSTER_PEERS_MAX } from "./limits.ts";
import type { ContentDigest } from "./names.ts";

interface Entry {
  readonly peer: PeerAddress;
  readonly atMs: number;
}

/** See the head of this file. Bounded; the oldest go first. */
export class Roster {
  readonly #entries = new Map<ContentDigest, Entry[]>();

  /** Those that asked before, the latest first; `peer` is remembered for those that come later. */
  met(digest: ContentDigest, peer: PeerAddress, nowMs: number): readonly PeerAddress[] {
    const known = this.peersOf(digest, nowMs).filter((one) => one.peerId !== peer.peerId);
    const before = (this.#entries.get(digest) ?? []).filter((one) =>
      one.peer.peerId !== peer.peerId && nowMs - one.atMs < ROSTER_MS
    );
    this.#entries.delete(digest);
    this.#entries.set(digest, [...before, { peer, atMs: nowMs }].slice(-ROSTER_PEERS_MAX));
    if (this.#entries.size > ROSTER_DIGESTS_MAX) {
      this.#entries.delete(this.#entries.keys().next().value!);
    }
    return known;
  }

  /** Those that asked for `digest` lately, the latest first. */
  peersOf(digest: ContentDigest, nowMs: number): readonly PeerAddress[] {
    return (this.#entries.get(digest) ?? []).filter((one) => nowMs - one.atMs < ROSTER_MS)
      .map((one) => one.peer).reverse().slice(0, PEERS_MAX);
  }
}
