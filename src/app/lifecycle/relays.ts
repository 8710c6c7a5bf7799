/** The Nostr relays of a node: its own one, those it uses, and those that only a ticket names. */
import { join } from "node:path";
import type { RelayPool } from "../../nostr/mod.ts";
import { nostrPublicKey } from "../../nostr/nostr.ts";
import type { Discovery } from "../../../swarm/ports.ts";
import type { RelayStatus } from "../api/methods.ts";
import type { Identity } from "../identity.ts";
import { logOf } from "../log.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import type { Common } from "./compose.ts";

/** Relays by who reads them. */
export interface Pools {
  readonly public?: RelayPool;
  readonly fleet?: RelayPool;
}

/** Starts the relay inside this node, if there is to be one, and tells its URL. */
export async function startRelay({ config, identity, stack }: Common): Promise<string | undefined> {
  if (config.relayListen === undefined) return undefined;
  const { RelayServer } = await import("../../nostr/mod.ts");
  const server = await RelayServer.listen({
    ...config.relayListen,
    storage: { path: join(config.data, "relay.sqlite") },
    ...membersOnly(config.relayMember, identity),
    clock: systemClock,
    random: systemRandom,
  });
  stack.use(server);
  logOf("relay")("info", "relay is listening", { url: server.url });
  return server.url;
}

/** Who may use the relay of a node: the members that are named and the node itself, or everybody. */
export function membersOnly(
  members: readonly string[],
  identity?: Identity,
): { readonly readers?: readonly string[]; readonly writers?: readonly string[] } {
  if (members.length === 0) return {};
  const all = [...members, ...identity ? [nostrPublicKey(identity.nostrSecret)] : []];
  return { readers: all, writers: all };
}

/** Opens the relays of the configuration, `relayUrls` being the public ones. */
export async function openPools(common: Common, relayUrls: readonly string[]): Promise<Pools> {
  const { config, identity, stack } = common;
  const open = await openPool(relayUrls, identity);
  const fleet = await openPool(config.fleetRelay, identity);
  return {
    ...(open === undefined ? {} : { public: stack.use(open) }),
    ...(fleet === undefined ? {} : { fleet: stack.use(fleet) }),
  };
}

/** The pools that there are. */
export function poolsOf(pools: Pools): RelayPool[] {
  return [pools.public, pools.fleet].filter((pool) => pool !== undefined);
}

/** Discovery by relays that only one ticket names. */
export async function openForeignDiscovery(
  relays: readonly string[],
  identity: Identity,
): Promise<Discovery & AsyncDisposable> {
  const { NostrDiscovery } = await import("../../../swarm/discovery/mod.ts");
  const pool = (await openPool(relays, identity))!;
  const discovery = new NostrDiscovery({
    pool,
    clock: systemClock,
    random: systemRandom,
    selfPeerId: identity.peerId,
  });
  return {
    find: (query, options) => discovery.find(query, options),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

async function openPool(
  relays: readonly string[],
  identity: Identity,
): Promise<RelayPool | undefined> {
  if (relays.length === 0) return undefined;
  const { RelayPool } = await import("../../nostr/mod.ts");
  return new RelayPool({
    relays,
    clock: systemClock,
    random: systemRandom,
    authSecretKey: identity.nostrSecret,
  });
}

/** How the relays of a pool fare. */
export function relaysOf(pool: RelayPool): RelayStatus[] {
  return pool.status().map(({ url, state, lastError }) => ({
    url,
    connected: state === "open",
    problem: lastError ?? null,
  }));
}

/** A relay that is configured and not used in this role. */
export function unusedRelay(url: string): RelayStatus {
  return { url, connected: false, problem: null };
}
