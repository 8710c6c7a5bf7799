/** Peers that are known without asking anybody: configured, connected, or met on the local network. */
import type { Clock } from "../../core/ports.ts";
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

/** How long after its start a node still waits for neighbours to answer on the local network. */
const NEIGHBOURS_MS = 1000;

/** Options of {@link KnownPeers}. */
export interface KnownPeersOptions {
  readonly network: Network;
  readonly configured: readonly ProviderHint[];
  /** Whether peers of the local network are looked for. */
  readonly mdns: boolean;
  readonly clock: Clock;
}

/**
 * Yields the peers that are at hand, whatever is looked for. A node that was started only now, as for
 * one verb, first waits a moment for its neighbours.
 */
export class KnownPeers implements Discovery, Disposable {
  readonly #options: KnownPeersOptions;
  readonly #local = new Map<string, PeerAddress>();
  readonly #waitUntilMs: number;
  readonly #waiting = new Set<() => void>();
  readonly #stop: () => void;

  constructor(options: KnownPeersOptions) {
    const { network, mdns, clock } = options;
    this.#options = options;
    this.#waitUntilMs = mdns ? clock.monotonicMs() + NEIGHBOURS_MS : -Infinity;
    this.#stop = network.onPeer((peer) => {
      if (peer.via !== "mdns") return;
      // Maps keep the order of insertion, so the first is the oldest.
      if (this.#local.size >= LOCAL_PEERS_MAX) {
        this.#local.delete(this.#local.keys().next().value!);
      }
      this.#local.set(peer.peerId, peer);
      this.#wake();
    });
  }

  async *find(
    _query: { readonly hash: Hash } | { readonly sha256: Sha256 },
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ProviderHint> {
    const seen = new Set<string>();
    for (;;) {
      for (const hint of this.#atHand()) {
        if (options.signal?.aborted || seen.size >= PEERS_MAX) return;
        if (seen.has(hint.peerId)) continue;
        seen.add(hint.peerId);
        yield hint;
      }
      const waitMs = this.#waitUntilMs - this.#options.clock.monotonicMs();
      if (waitMs <= 0 || options.signal?.aborted) return;
      await this.#neighbour(waitMs, options.signal);
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  *#atHand(): Generator<ProviderHint> {
    const { configured, network } = this.#options;
    yield* configured;
    for (const { peerId } of network.connections()) {
      yield { peerId, addrs: [], via: "peer", bound: false };
    }
    for (const { peerId, addrs } of this.#local.values()) {
      yield { peerId, addrs, via: "mdns", bound: false };
    }
  }

  /** Resolves when a neighbour was met, `ms` have passed, or on abort. */
  async #neighbour(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.timer(ms, resolve);
    this.#waiting.add(resolve);
    signal?.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#waiting.delete(resolve);
    cancel();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
