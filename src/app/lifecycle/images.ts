/** The container images of a node: the registry over the parts that are there already. */
import type { SignedPins } from "../../../swarm/registry/ports.ts";
import type { Announcer, Discovery, Network } from "../../../swarm/ports.ts";
import type { ScoreBook } from "../../../swarm/score.ts";
import { systemClock } from "../../host/system.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Common } from "./compose.ts";
import type { NodeCascade } from "./cascade.ts";
import type { Membership } from "./membership.ts";
import { RegistryHost } from "./registry_host.ts";
import { RegistrySwarm } from "./registry_swarm.ts";
import type { SwarmTransfers } from "./transfers.ts";

/** What {@link openImages} puts together. */
export interface ImagesOptions extends Common {
  readonly network: Network | undefined;
  readonly discovery: Discovery;
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
  readonly metrics: Metrics | undefined;
  readonly transfers: SwarmTransfers;
  readonly scores: ScoreBook;
  readonly members: Membership;
  readonly cascade: NodeCascade;
  readonly announcer: () => Announcer | undefined;
  /** What followed catalogs say. */
  readonly pins?: SignedPins;
}

/** Makes the host of the registry, which opens it when it is needed. */
export function openImages(options: ImagesOptions): RegistryHost {
  const { config, store, problems, network, certificate, members, metrics } = options;
  const { announcer, pins, cascade } = options;
  const own = {
    ...(network === undefined ? {} : { network }),
    ...(certificate === undefined ? {} : { certificate }),
  };
  const swarm = new RegistrySwarm({
    ...own,
    store,
    members,
    clock: systemClock,
    discovery: options.discovery,
    findTimeoutMs: config.findTimeout,
    scores: options.scores,
    transfers: options.transfers,
    log: logOf("registry"),
  });
  return options.stack.use(
    new RegistryHost({
      config,
      store,
      metrics,
      problems,
      announcer,
      swarm,
      intake: cascade.open,
      transfers: options.transfers,
      ...(pins === undefined ? {} : { pins }),
    }),
  );
}
