/** Peers that are known without asking anybody: configured, connected, or met on the local network. */
import type { Hash, Sha256 } from "../../core/hash.ts";
import type { Discovery, Network, PeerAddress, ProviderHint } from "../../../swarm/ports.ts";
import { isPeerId } from "../../../swarm/net/peer_id.ts";

/** The most peers that one search yields: they are all asked whether they have the blob. */
const PEERS_MAX = 64;
/** The most peers remembered from the local network. */
const LOCAL_PEERS_MAX = 256;

/** Reads hints out of multiaddrs that end with `/p2p/` and a peer id; others are left out. */
export function hintsOf(
  addresses: readonly string[],
  via: ProviderHint["via"],
): ProviderHint[] {
  const byPeer = new Map<string, string[]>();
  for (const address of addresses) {
    const peerId = address.split("/p2p/").at(-1)!;
    if (!address.includes("/p2p/") || !isPeerId(peerId)) continue;
    byPeer.set(peerId, [...(byPeer.get(peerId) ?? []), address]);
  }
  return [...byPeer].map(([peerId, addrs]) => ({ peerId, addrs, via, bound: false }));
}

/** Yields the peers that are at hand now, whatever is looked for, and ends. */
export class KnownPeers implements Discovery, Disposable {
  readonly #network: Network;
  readonly #configured: readonly ProviderHint[];
  readonly #local = new Map<string, PeerAddress>();
  readonly #stop: () => void;

  constructor(network: Network, configured: readonly ProviderHint[]) {
    this.#network = network;
    this.#configured = configured;
    this.#stop = network.onPeer((peer) => {
      if (peer.via !== "mdns") return;
      // Sets keep the order of insertion, so the first is the oldest.
      if (this.#local.size >= LOCAL_PEERS_MAX) {
        this.#local.delete(this.#local.keys().next().value!);
      }
      this.#local.set(peer.peerId, peer);
    });
  }

  async *find(
    _query: { readonly hash: Hash } | { readonly sha256: Sha256 },
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ProviderHint> {
    const seen = new Set<string>();
    for (const hint of this.#atHand()) {
      if (options.signal?.aborted || seen.size >= PEERS_MAX) return;
      if (seen.has(hint.peerId)) continue;
      seen.add(hint.peerId);
      yield hint;
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  *#atHand(): Generator<ProviderHint> {
    yield* this.#configured;
    for (const { peerId } of this.#network.connections()) {
      yield { peerId, addrs: [], via: "peer", bound: false };
    }
    for (const { peerId, addrs } of this.#local.values()) {
      yield { peerId, addrs, via: "mdns", bound: false };
    }
  }
}
