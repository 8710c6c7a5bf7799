/**
 * The composition root: which pieces make a node, in which order they start, and how they are put
 * together. What cannot start is left out and told in `problems`, because content that an origin
 * serves must be had whatever happens to the swarm (DESIGN section 10).
 */
import { join } from "node:path";
import { isSeedmintError, messageOf } from "../../core/errors.ts";
import { nostrPublicKey, npub } from "../../nostr/nostr.ts";
import type { Announcer, Discovery, Network } from "../../../swarm/ports.ts";
import { ProviderScores } from "../../../swarm/score.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { FileBlobStore } from "../../../swarm/store/mod.ts";
import type { NodeParts } from "../api/parts.ts";
import { statusOf } from "../api/handlers/node.ts";
import type { Config } from "../config/settings.ts";
import { type Identity, openDataDirectory, openIdentity } from "../identity.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import { openTracing, type Tracing } from "../tracing.ts";
import { NodeCascade } from "./cascade.ts";
import { type ComputeParts, computeProblems, openCompute } from "./compute.ts";
import { type Following, openFollowing } from "./following.ts";
import { startGateways } from "./gateway.ts";
import { fleetHerd } from "./herd.ts";
import { openImages } from "./images.ts";
import { mediaFetch } from "./media.ts";
import { type MoneyParts, moneyProblems, openMoney } from "./money.ts";
import { payerOf } from "./paying.ts";
import { Membership } from "./membership.ts";
import { hintsOf, KnownPeers } from "./peers.ts";
import type { RegistryHost } from "./registry_host.ts";
import {
  openForeignDiscovery,
  openPools,
  type Pools,
  poolsOf,
  relaysOf,
  startRelay,
  unusedRelay,
} from "./relays.ts";
import { startAnnouncer, startDigests, startProvider } from "./seeding.ts";
import { storeOptions } from "./store_options.ts";
import { SwarmTransfers } from "./transfers.ts";

/**
 * What is put together: `node` seeds and is found; `client` fetches for one verb; `relays` talks over
 * relays alone; `store` looks at the store alone.
 */
export type Role = "node" | "client" | "relays" | "store";

/** A node's pieces, and what ends them. */
export interface Composition extends AsyncDisposable {
  readonly parts: NodeParts;
  readonly metrics?: Metrics;
  /** The relay inside this node, if there is one. */
  readonly embeddedRelayUrl?: string;
  /** Where public blobs are served over HTTP. */
  readonly gatewayUrls: readonly string[];
}

/** Starts everything that `role` needs, in order; on failure what was started is ended. */
export async function compose(config: Config, role: Role): Promise<Composition> {
  await using stack = new AsyncDisposableStack();
  const problems: string[] = [];
  await openDataDirectory(config.data);
  const store = stack.use(await openStore(config));
  const identity = await openIdentity({ directory: config.data, words: config.seed });
  const startedMs = role === "node" ? systemClock.nowMs() : undefined;
  const common = { config, store, identity, problems, stack };
  const metrics = role === "node"
    ? await openMetrics(store, () => ({ parts, images, cascade, following, compute }))
    : undefined;
  const money = await openMoney({ ...common, resumes: role === "node", metrics });
  const opening = role === "node" ? money.wallet.openIfWanted() : undefined;
  const embedded = role === "node" ? await startRelay(common) : undefined;
  const network = usesPeers(role) ? await startNetwork(common, role) : undefined;
  const relayUrls = embedded === undefined ? config.relay : [...config.relay, embedded];
  const pools = role === "store" ? {} : await openPools(common, relayUrls);
  const discovery = usesPeers(role) ? await openDiscovery({ ...common, network, pools }) : NOBODY;
  const certificate = await readCertificate(config, problems);
  const members = new Membership(config, systemClock);
  const relays = () =>
    role === "store" ? relayUrls.map(unusedRelay) : poolsOf(pools).flatMap(relaysOf);
  const cascade = stack.use(new NodeCascade({ ...common, network, members, certificate }));
  const shared = { ...common, network, discovery, certificate, metrics, members, cascade };
  let serving: Serving = { gatewayUrls: [] };
  const announced = () => serving.announcer;
  const content = openContent({ ...shared, role, relays, money, pools, announced });
  const { transfers, following, images, scores } = content;
  await opening; // what adverts and the provider say of prices
  const tracing = await openTracing(systemClock);
  if (role === "node") {
    // Before clients are served: what is pinned must be known then.
    await following.start();
    serving = await startServing({ ...shared, pools, money, images, tracing, transfers });
  }
  const { announcer, gatewayUrls } = serving;
  const compute = openCompute({ ...shared, role, pools, money, scores });
  const nostrKey = nostrPublicKey(identity.nostrSecret);
  const parts: NodeParts = {
    config,
    clock: systemClock,
    peerId: identity.peerId,
    npub: npub(nostrKey),
    nostrKey,
    ...(startedMs === undefined ? {} : { startedMs }),
    store,
    ...(network === undefined ? {} : { network }),
    discovery,
    ...(announcer === undefined ? {} : { announcer }),
    transfers,
    images,
    catalogs: following.catalogs,
    hintsOf,
    ...(tracing === undefined ? {} : { tracing }),
    ...(certificate === undefined ? {} : { certificate }),
    relays,
    ...money,
    ...compute,
    problems: () =>
      role === "node" ? allProblems(problems, { money, following, compute }) : problems,
  };
  const owned = stack.move();
  return {
    parts,
    ...(metrics === undefined ? {} : { metrics }),
    ...(embedded === undefined ? {} : { embeddedRelayUrl: embedded }),
    gatewayUrls,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function allProblems(
  own: readonly string[],
  parts: {
    readonly money: MoneyParts;
    readonly following: Following;
    readonly compute: ComputeParts;
  },
): readonly string[] {
  const { money, following, compute } = parts;
  const more = [...following.catalogs.problems(), ...computeProblems(compute)];
  return [...own, ...moneyProblems(money), ...more];
}

/** Whether peers are asked for anything. */
function usesPeers(role: Role): boolean {
  return role === "node" || role === "client";
}

/** What brings content in: fetches, signed catalogs, container images. */
function openContent(
  options: Common & {
    readonly role: Role;
    readonly network: Network | undefined;
    readonly discovery: Discovery;
    readonly certificate: Uint8Array<ArrayBuffer> | undefined;
    readonly metrics: Metrics | undefined;
    readonly relays: NodeParts["relays"];
    readonly money: MoneyParts;
    readonly pools: Pools;
    readonly members: Membership;
    readonly cascade: NodeCascade;
    readonly announced: () => Announcer | undefined;
  },
) {
  const { config, role, stack, problems, announced: announcer } = options;
  const scores = openScores(config, role, stack, problems);
  const transfers = transfersOf({ ...options, scores });
  const following = openFollowing({
    ...options,
    announcer,
    transfers: () => transfers,
    images: (): RegistryHost => images,
  });
  const images = openImages({ ...options, transfers, scores, announcer, pins: following.pins });
  return { transfers, following, images, scores };
}

/** What a node that serves others has besides. */
interface Serving {
  readonly announcer?: Announcer;
  readonly gatewayUrls: readonly string[];
}

/** Serves peers and clients, and tells relays of it. */
async function startServing(
  options: Common & {
    readonly network: Network | undefined;
    readonly metrics: Metrics | undefined;
    readonly pools: Pools;
    readonly money: MoneyParts;
    readonly members: Membership;
    readonly cascade: NodeCascade;
    readonly images: RegistryHost;
    readonly tracing: Tracing | undefined;
    readonly discovery: Discovery;
    readonly transfers: SwarmTransfers;
  },
): Promise<Serving> {
  const { network, money, images, cascade, problems } = options;
  const { selling } = money;
  const announcer = network === undefined ? undefined : await startAnnouncer({
    ...options,
    network,
    selling,
    digestsOf: (hash) => images.digestsOf(hash),
    isPart: (record) => images.isPart(record),
  });
  if (network !== undefined) {
    await startProvider({ ...options, network, uploads: cascade.uploads });
    await cascade.start(problems);
    await startDigests(options);
  }
  const media = mediaFetch({ ...options, clock: systemClock });
  const gatewayUrls = await startGateways({ ...options, gate: selling, media });
  await images.start();
  return { ...(announcer === undefined ? {} : { announcer }), gatewayUrls };
}

function transfersOf(
  options: Common & {
    readonly network: Network | undefined;
    readonly discovery: Discovery;
    readonly relays: NodeParts["relays"];
    readonly certificate: Uint8Array<ArrayBuffer> | undefined;
    readonly metrics: Metrics | undefined;
    readonly money: MoneyParts;
    readonly scores: ProviderScores;
    readonly cascade: NodeCascade;
  },
): SwarmTransfers {
  const { config, store, identity, network, certificate, metrics, money, scores } = options;
  const { cascade } = options;
  const herd = fleetHerd({ self: identity.peerId, members: config.fleet });
  return new SwarmTransfers({
    store,
    clock: systemClock,
    random: systemRandom,
    ...(network === undefined ? {} : { network }),
    discovery: options.discovery,
    discoveryOn: (relays) => openForeignDiscovery(relays, identity),
    relays: options.relays,
    scores,
    ...(certificate === undefined ? {} : { certificate }),
    ...(herd === undefined ? {} : { herd }),
    ...(cascade.hasFleet ? { cascade: cascade.open } : {}),
    usesDirect: config.direct !== "off",
    usual: {
      policy: config.policy,
      originDelayMs: config.originDelay,
      originFloorBytesPerSecond: config.originFloor,
      findTimeoutMs: config.findTimeout,
    },
    payerOf: (choice) => payerOf(money.wallet, choice, config),
    receipts: money.receipts,
    thrift: config.thrift,
    ...(metrics === undefined ? {} : { metrics }),
    log: logOf("transfer"),
  });
}

/** What has figures of its own, and is made after the metrics. */
interface FiguredParts {
  readonly parts: NodeParts;
  readonly images: Pick<RegistryHost, "upstreams">;
  readonly cascade: Pick<NodeCascade, "figures">;
  readonly following: Pick<Following, "figures">;
  readonly compute: ComputeParts;
}

async function openMetrics(
  store: FileBlobStore,
  made: () => FiguredParts,
): Promise<Metrics> {
  const { Metrics } = await import("../metrics.ts");
  return new Metrics({
    status: () => statusOf(made().parts),
    figures: () => store.figures(),
    wallet: () => made().parts.wallet?.opened(),
    sold: () => made().parts.selling?.sold(),
    upstreams: () => made().images.upstreams(),
    cascade: () => made().cascade.figures(),
    lending: () => made().compute.provider?.figures(),
    catalogs: () => made().following.figures(),
  });
}

/** Who only looks at the store finds nobody, and holds the store's lock for a moment only. */
const NOBODY: Discovery = { async *find() {} };

/** What the steps below share. */
export interface Common {
  readonly config: Config;
  readonly store: BlobStore;
  readonly identity: Identity;
  readonly problems: string[];
  readonly stack: AsyncDisposableStack;
}

async function openStore(config: Config): Promise<FileBlobStore> {
  const { FileBlobStore: Store } = await import("../../../swarm/store/mod.ts");
  return await Store.open({
    ...await storeOptions(config),
    quotaBytes: config.quota,
  });
}

async function startNetwork(common: Common, role: Role): Promise<Network | undefined> {
  const { config, identity, problems, stack } = common;
  const isNode = role === "node";
  const netLog = logOf("net");
  try {
    const { Libp2pNetwork } = await import("../../../swarm/net/libp2p_network.ts");
    return stack.use(
      await Libp2pNetwork.start({
        secretKey: identity.networkSecret,
        listen: isNode ? config.listen : [],
        clock: systemClock,
        announceAddrs: isNode ? config.announce : [],
        mdns: config.mdns,
        peers: config.peer,
        relays: isNode ? config.circuitRelay : [],
        maxConnections: config.connectionsMax,
        addressPolicy: config.dial === "public" ? { private: false, loopback: false } : {},
        relayServer: isNode && config.circuitServer,
        log: (level, message, error) => netLog(level, message, error ? { error } : {}),
      }),
    );
  } catch (error) {
    problems.push(`the peer-to-peer network did not start: ${messageOf(error)}`);
    netLog("error", "the network did not start", { error });
    return undefined;
  }
}

async function openDiscovery(
  common: Common & { readonly network: Network | undefined; readonly pools: Pools },
): Promise<Discovery> {
  const { config, identity, network, pools, stack } = common;
  const ways: Discovery[] = [];
  if (network !== undefined) {
    ways.push(stack.use(
      new KnownPeers({
        network,
        configured: hintsOf(config.peer, "peer"),
        mdns: config.mdns,
        clock: systemClock,
      }),
    ));
  }
  const { combineDiscoveries, NostrDiscovery } = await import("../../../swarm/discovery/mod.ts");
  for (const pool of poolsOf(pools)) {
    ways.push(
      new NostrDiscovery({
        pool,
        clock: systemClock,
        random: systemRandom,
        selfPeerId: identity.peerId,
      }),
    );
  }
  return combineDiscoveries(ways, {
    onError: (error) => logOf("relay")("warning", "a search failed", { error }),
  });
}

/** Scores are a convenience: a file that cannot be used is told of, and memory does. */
function openScores(
  config: Config,
  role: Role,
  stack: AsyncDisposableStack,
  problems: string[],
): ProviderScores {
  const open = (path: string) => stack.use(new ProviderScores({ path, clock: systemClock }));
  if (role === "store") return open(":memory:");
  try {
    return open(join(config.data, "scores.sqlite"));
  } catch (error) {
    if (!isSeedmintError(error)) throw error;
    problems.push(error.message);
    return open(":memory:");
  }
}

async function readCertificate(
  config: Config,
  problems: string[],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (config.fleetCertificate === undefined) return undefined;
  try {
    return Uint8Array.fromHex((await Deno.readTextFile(config.fleetCertificate)).trim());
  } catch (error) {
    problems.push(`the fleet certificate cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}
