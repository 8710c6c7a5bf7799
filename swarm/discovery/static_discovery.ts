/** Peers that are known without asking: configured, named by a ticket, or seen on the local network. */
import type { Discovery, PeerAddress, ProviderHint } from "../ports.ts";
import { STATIC_PEERS_MAX } from "./limits.ts";

/** How a peer became known. */
export type KnownVia = "peer" | "mdns" | "ticket";

/** {@link Discovery} over a list that others keep; each query gives all of it. */
export class StaticDiscovery implements Discovery {
  readonly #hints = new Map<string, ProviderHint>();

  /** @param peers Peers known from the start, at most {@link STATIC_PEERS_MAX}. */
  constructor(peers: readonly (PeerAddress & { readonly via: KnownVia })[] = []) {
    for (const peer of peers) this.add(peer, peer.via);
  }

  /** Adds or updates a peer. The one found longest ago by mDNS makes room when the list is full. */
  add(peer: PeerAddress, via: KnownVia): void {
    const known = this.#hints.get(peer.peerId);
    // What the user configured is not overruled by what the network says.
    if (known !== undefined && known.via !== "mdns" && via === "mdns") return;
    this.#hints.delete(peer.peerId);
    if (this.#hints.size >= STATIC_PEERS_MAX && !this.#makeRoom(via)) return;
    this.#hints.set(peer.peerId, {
      peerId: peer.peerId,
      addrs: [...peer.addrs],
      via,
      bound: false,
    });
  }

  /** Forgets a peer. */
  remove(peerId: string): void {
    this.#hints.delete(peerId);
  }

  async *find(
    _query: unknown,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ProviderHint, void, void> {
    for (const hint of [...this.#hints.values()]) {
      if (options.signal?.aborted) return;
      yield hint;
    }
  }

  #makeRoom(via: KnownVia): boolean {
    for (const [peerId, hint] of this.#hints) {
      if (hint.via === "mdns" || via !== "mdns") return this.#hints.delete(peerId);
    }
    return false;
  }
}
