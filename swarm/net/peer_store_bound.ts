/** Bounds the peers that libp2p remembers: anybody may connect once under any number of identities. */
import type { Clock } from "../../src/core/ports.ts";
import type { PeerId } from "../libp2p.ts";
import { PEER_STORE_PEERS_MAX, PEER_STORE_PRUNE_MS } from "./limits.ts";

/** What the bound needs of the peer store. */
export interface BoundablePeerStore {
  all(): Promise<readonly { readonly id: PeerId }[]>;
  delete(id: PeerId): Promise<void>;
}

/** Options of {@link boundPeerStore}. */
export interface BoundPeerStoreOptions {
  readonly peerStore: BoundablePeerStore;
  readonly clock: Pick<Clock, "sleep">;
  /** Whether a peer must stay: the node itself, and whoever is connected. */
  readonly isNeeded: (id: PeerId) => boolean;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
  /** @default {1 000} */
  readonly peersMax?: number;
}

/** Forgets unneeded peers above the limit, now and then, until `signal` is aborted. Never throws. */
export async function boundPeerStore(options: BoundPeerStoreOptions): Promise<void> {
  const { signal, peerStore } = options;
  while (!signal.aborted) {
    try {
      await options.clock.sleep(PEER_STORE_PRUNE_MS, { signal });
      const peers = await peerStore.all();
      let excessCount = peers.length - (options.peersMax ?? PEER_STORE_PEERS_MAX);
      for (const { id } of peers) {
        if (excessCount <= 0) break;
        if (options.isNeeded(id)) continue;
        await peerStore.delete(id);
        excessCount--;
      }
    } catch (error) {
      if (!signal.aborted) options.onError(error);
    }
  }
}
