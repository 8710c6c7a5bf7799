/**
 * The swarm as a stranger sees it: found by public adverts alone, asked without a certificate, paid
 * nothing. Members of our own fleet would give us what strangers may not have, so none of them is asked.
 */
import { systemRandom } from "../../../host/system.ts";
import type { Clock } from "../../../core/ports.ts";
import type { RelayPool } from "../../../nostr/mod.ts";
import type { Discovery, Network } from "../../../../swarm/ports.ts";
import type { SwarmFetch } from "../../../../swarm/registry/ports.ts";
import type { ScoreBook } from "../../../../swarm/score.ts";
import type { BlobStore } from "../../../../swarm/store/blob_store.ts";
import type { Config } from "../../config/settings.ts";
import { logOf } from "../../log.ts";
import type { Membership } from "../membership.ts";
import { RegistrySwarm } from "../registry_swarm.ts";
import { SwarmTransfers } from "../transfers.ts";

/** What {@link publicSwarm} is made of. */
export interface PublicSwarmOptions {
  readonly config: Config;
  readonly store: BlobStore;
  readonly network: Network;
  readonly pool: RelayPool;
  readonly members: Pick<Membership, "isMember">;
  readonly scores: ScoreBook;
  readonly clock: Clock;
}

/** Makes it. */
export async function publicSwarm(options: PublicSwarmOptions): Promise<SwarmFetch> {
  const { config, store, network, pool, members, scores, clock } = options;
  const { NostrDiscovery } = await import("../../../../swarm/discovery/mod.ts");
  const adverts = new NostrDiscovery({
    pool,
    clock,
    random: systemRandom,
    selfPeerId: network.peerId,
  });
  const discovery: Discovery = {
    async *find(query, options) {
      for await (const hint of adverts.find(query, options)) {
        if (!members.isMember(hint.peerId)) yield hint;
      }
    },
  };
  const common = { store, clock, network, discovery, scores };
  const transfers = new SwarmTransfers({
    ...common,
    random: systemRandom,
    discoveryOn: () => Promise.reject(new TypeError("No other relays are asked for lessees")),
    relays: () => [],
    usesDirect: config.direct !== "off",
    usual: {
      policy: "swarm-only",
      originDelayMs: config.originDelay,
      originFloorBytesPerSecond: config.originFloor,
      findTimeoutMs: config.findTimeout,
    },
    log: logOf("lease"),
  });
  return new RegistrySwarm({
    ...common,
    findTimeoutMs: config.findTimeout,
    // Nobody is believed: each part is hashed before it counts.
    members: { isMember: () => false },
    transfers,
    log: logOf("lease"),
  });
}
