/**
 * Follows signed catalogs, and gives the registry what they say: tags pinned to digests, and the BLAKE3
 * of content that is known by its SHA-256.
 */
import { systemClock, systemRandom } from "../../host/system.ts";
import type { Announcer, Network } from "../../../swarm/ports.ts";
import { type Digest, formatRepository, isDigest } from "../../../swarm/registry/names.ts";
import type { SignedPins } from "../../../swarm/registry/ports.ts";
import { type CatalogPins, RelayFinder } from "../../../trust/follow/mod.ts";
import type { ImageAccess } from "../api/images.ts";
import type { CatalogAccess } from "../api/trust.ts";
import type { Transfers } from "../api/transfers.ts";
import type { CatalogFigures } from "../catalog_metrics.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { CatalogFiles } from "./catalog_files.ts";
import { PeerFinder, serveCatalogs } from "./catalog_peers.ts";
import { NodeCatalogs } from "./catalogs.ts";
import type { Common, Role } from "./compose.ts";
import type { Membership } from "./membership.ts";
import { hintsOf } from "./peers.ts";
import { Prefetcher } from "./prefetch.ts";
import { type Pools, poolsOf } from "./relays.ts";

/** What following gives to a node. */
export interface Following {
  readonly catalogs: CatalogAccess;
  /** Answers from memory; nothing is pinned while no catalog is followed. */
  readonly pins: SignedPins;
  /** Begins to follow; called once all parts are there. */
  readonly start: () => Promise<void>;
  /** How what is followed fares, for metrics. */
  readonly figures: () => readonly CatalogFigures[];
}

/** What {@link openFollowing} puts together. */
export interface FollowingOptions extends Common {
  readonly role: Role;
  readonly network: Network | undefined;
  readonly pools: Pools;
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
  readonly transfers: () => Transfers;
  readonly members: Membership;
  readonly announcer: () => Announcer | undefined;
  /** Absent without a registry. */
  readonly images: () => ImageAccess | undefined;
  readonly metrics: Metrics | undefined;
}

/** Makes it. Nothing is opened here: {@link Following.start} does, and whoever asks for catalogs. */
export function openFollowing(options: FollowingOptions): Following {
  const { config, store, identity, network, pools, certificate, role, metrics, stack } = options;
  const log = logOf("catalog");
  const files = new CatalogFiles({
    store,
    transfers: {
      fetchBlob: (request) => options.transfers().fetchBlob(request),
      fetchChildren: (request) => options.transfers().fetchChildren(request),
    },
    clock: systemClock,
    config,
    hasNetwork: network !== undefined,
    trustedOrigins: () =>
      new Set(
        [...config.catalog, ...(catalogs.follower?.follows() ?? [])]
          .flatMap(({ url }) => url === undefined ? [] : [new URL(url).origin]),
      ),
  });
  const peers = network === undefined ? [] : [
    new PeerFinder({
      network,
      clock: systemClock,
      configured: hintsOf(config.peer, "peer"),
      isMember: (peerId) => options.members.isMember(peerId),
      ...(certificate === undefined ? {} : { certificate }),
    }),
  ];
  const catalogs: NodeCatalogs = stack.use(
    new NodeCatalogs({
      config,
      store,
      clock: systemClock,
      random: systemRandom,
      nostrSecret: identity.nostrSecret,
      ...(pools.public === undefined ? {} : { pool: pools.public }),
      announcer: options.announcer,
      finders: [...poolsOf(pools).map((pool) => new RelayFinder(pool)), ...peers],
      files,
      ...(role === "node" ? { prefetcher: prefetcherOf(options, files) } : {}),
      onRefused: (catalog, reasons) => metrics?.catalogs.refused(catalog, reasons),
      log,
    }),
  );
  return {
    catalogs,
    pins: pinsOf(() => catalogs.follower?.pins),
    figures: () => catalogs.figures(),
    start: async () => {
      await catalogs.start();
      if (network === undefined) return;
      await serveCatalogs({
        network,
        fleet: options.members,
        clock: systemClock,
        tell: (about, viewer) => catalogs.tell(about, viewer),
      });
    },
  };
}

function prefetcherOf(
  options: Common & { readonly images: () => ImageAccess | undefined },
  files: CatalogFiles,
): Prefetcher {
  const { store, identity, images } = options;
  return new Prefetcher({
    store,
    files,
    node: identity.peerId,
    clock: systemClock,
    random: systemRandom,
    pullImage: async ({ reference, digest }, platforms, signal) => {
      const access = images();
      if (access === undefined) return false;
      const image = `${reference.slice(0, reference.lastIndexOf(":"))}@${digest}`;
      await (await access.open()).pull({ image, platforms }, { signal, emit: () => {} });
      return true;
    },
    log: logOf("catalog"),
  });
}

function pinsOf(pins: () => CatalogPins | undefined): SignedPins {
  return {
    pinOf: (name, tag): Digest | undefined => {
      const digest = pins()?.digestOf(`${formatRepository(name)}:${tag}`);
      return isDigest(digest) ? digest : undefined;
    },
    mappingOf: (sha256) => pins()?.mappingOf(sha256),
  };
}
