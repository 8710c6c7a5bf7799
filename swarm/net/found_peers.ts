/** Peers that were met: who connected and told where it listens, and who answered on the local network. */
import type { IdentifyResult, Multiaddr, PeerInfo } from "../libp2p.ts";
import type { PeerAddress } from "../ports.ts";
import { type AddressPolicy, usableAddresses } from "./addresses.ts";
import { HINT_ADDRESSES_MAX, MDNS_PEERS_MAX } from "./limits.ts";
import { isPeerId } from "./peer_id.ts";

/** What a listener is told. */
export type FoundPeer = PeerAddress & { readonly via: "mdns" | "connection" };

/** Filters what strangers tell, remembers the local ones within a limit, and passes it on. */
export class FoundPeers {
  readonly #ownPeerId: string;
  readonly #policy: AddressPolicy;
  readonly #listeners = new Set<(peer: FoundPeer) => void>();
  readonly #localPeers = new Map<string, readonly string[]>();

  constructor(options: { readonly ownPeerId: string; readonly policy: AddressPolicy }) {
    this.#ownPeerId = options.ownPeerId;
    this.#policy = options.policy;
  }

  /** @returns What takes the listener away again. */
  listen(listener: (peer: FoundPeer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells nobody any more. */
  close(): void {
    this.#listeners.clear();
  }

  /** Where a peer of the local network listens, as it said last. */
  localAddresses(peerId: string): readonly string[] {
    return this.#localPeers.get(peerId) ?? [];
  }

  /** A connected peer told who it is. */
  onIdentified(identified: IdentifyResult): void {
    const peerId = identified.peerId.toString();
    if (!isPeerId(peerId)) return;
    const addrs = this.#usableTexts(peerId, identified.listenAddrs);
    this.#tell({ peerId, addrs, via: "connection" });
  }

  /** Somebody answered on the local network; anybody there can make peers up. */
  onLocalPeer(peer: PeerInfo): void {
    const peerId = peer.id.toString();
    if (peerId === this.#ownPeerId || !isPeerId(peerId)) return;
    const addrs = this.#usableTexts(peerId, peer.multiaddrs);
    if (addrs.length === 0) return;
    this.#localPeers.delete(peerId);
    const oldest = this.#localPeers.keys().next();
    if (this.#localPeers.size >= MDNS_PEERS_MAX && !oldest.done) {
      this.#localPeers.delete(oldest.value);
    }
    this.#localPeers.set(peerId, addrs);
    this.#tell({ peerId, addrs, via: "mdns" });
  }

  #tell(peer: FoundPeer): void {
    for (const listener of [...this.#listeners]) listener(peer);
  }

  #usableTexts(peerId: string, addrs: readonly Multiaddr[]): readonly string[] {
    const texts: string[] = [];
    for (const address of addrs.slice(0, HINT_ADDRESSES_MAX)) {
      try {
        texts.push(address.toString());
      } catch {
        // Bytes of a stranger that parse and yet have no text.
      }
    }
    return usableAddresses(peerId, texts, this.#policy).map((address) => address.text);
  }
}
