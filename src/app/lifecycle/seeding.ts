/** What makes a node a seeder: it serves peers, and it tells relays what it has. */
import { join } from "node:path";
import { isSeedmintError } from "../../core/errors.ts";
import type { Hash, Sha256 } from "../../core/hash.ts";
import type { BlobRecord } from "../../../swarm/store/blob_store.ts";
import type { Announcer, Network } from "../../../swarm/ports.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import type { Tracing } from "../tracing.ts";
import type { Common } from "./compose.ts";
import type { Membership } from "./membership.ts";
import type { MoneyParts } from "./money.ts";
import type { Pools } from "./relays.ts";
import type { NodeSelling } from "./selling.ts";
import type { UploadLimits } from "./upload_limits.ts";

/** How often the node looks whether its addresses changed. */
const ADDRESS_LOOK_MS = 30_000;

/** Serves the store to peers. */
export async function startProvider(
  options: Common & {
    readonly network: Network;
    readonly metrics: Metrics | undefined;
    readonly tracing: Tracing | undefined;
    readonly money: Pick<MoneyParts, "selling" | "receipts">;
    readonly members: Membership;
    readonly uploads: UploadLimits;
  },
): Promise<void> {
  const { config, store, network, metrics, tracing, money, members, uploads, stack } = options;
  const { Provider } = await import("../../../swarm/provider/mod.ts");
  const log = logOf("transfer");
  stack.use(
    await Provider.start({
      network,
      store,
      gate: money.selling,
      receipts: money.receipts,
      fleet: members,
      clock: systemClock,
      random: systemRandom,
      limits: {
        requestsPerPeerMax: config.requestsPerPeerMax,
        ...(config.uploadRateAll > 0 ? { bytesPerSecond: config.uploadRateAll } : {}),
        ...(config.uploadRate > 0 ? { bytesPerSecondPerPeer: config.uploadRate } : {}),
      },
      ...(uploads.all === undefined ? {} : { rate: uploads.all }),
      ...(config.direct === "off" ? {} : {
        direct: {
          hostname: config.directListen.hostname,
          port: config.directListen.port,
          trustedNetwork: config.direct === "trusted",
        },
      }),
      onServed: (event) => {
        metrics?.served(event);
        tracing?.served(event);
        log("debug", "served", { ...event });
      },
    }),
  );
}

/** Makes fetched blobs known by SHA-256, too, so that they are advertised and found by it. */
export async function startDigests(common: Common): Promise<void> {
  const { DigestFiller } = await import("../../../swarm/store/mod.ts");
  const log = logOf("store");
  common.stack.use(
    new DigestFiller({
      store: common.store,
      clock: systemClock,
      onError: (hash, error) => log("warning", "a blob's SHA-256 is not known", { hash, error }),
    }),
  );
}

/** Tells relays what this node has, now and whenever that changes. */
export async function startAnnouncer(
  options: Common & {
    readonly network: Network;
    readonly pools: Pools;
    readonly selling: NodeSelling;
    /** Further digests of a collection, by which images are looked up. */
    readonly digestsOf: (hash: Hash) => readonly Sha256[];
    /** Whether another advert stands for a blob, as an image's for its layers. */
    readonly isPart: (record: BlobRecord) => boolean;
  },
): Promise<Announcer> {
  const { config, store, network, pools, identity, selling, stack, problems } = options;
  const { digestsOf, isPart } = options;
  const { MemoryAdvertState, NostrAnnouncer, SqliteAdvertState } = await import(
    "../../../swarm/discovery/mod.ts"
  );
  const log = logOf("relay");
  const openState = () => {
    try {
      return stack.use(SqliteAdvertState.open(join(config.data, "adverts.sqlite")));
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
      problems.push(error.message);
      return new MemoryAdvertState();
    }
  };
  const announcer = stack.use(NostrAnnouncer.start({
    store,
    relays: pools,
    identity: {
      peerId: identity.peerId,
      libp2pSecretKey: identity.networkSecret,
      nostrSecretKey: identity.nostrSecret,
    },
    offer: () => ({ addrs: network.addresses() }),
    offerFor: (hash) => selling.termsOf(hash),
    state: openState(),
    clock: systemClock,
    random: systemRandom,
    digestsOf: ({ hash }) => digestsOf(hash),
    isPart,
    announce: config.advertise,
    onError: (error) => log("warning", "an advert was not published", { error }),
  }));
  stack.defer(store.onChange((hash) => announcer.announce(hash)));
  stack.defer(watchAddresses(network, () => announcer.offerChanged()));
  stack.defer(selling.onPrices(() => announcer.offerChanged()));
  return announcer;
}

/** Calls `onChange` when the node's addresses changed; libp2p learns of some only by and by. */
function watchAddresses(network: Network, onChange: () => void): () => void {
  let known = network.addresses().join();
  let cancel = () => {};
  const look = () => {
    const now = network.addresses().join();
    if (now !== known) onChange();
    known = now;
    cancel = systemClock.timer(ADDRESS_LOOK_MS, look);
  };
  cancel = systemClock.timer(ADDRESS_LOOK_MS, look);
  return () => cancel();
}
