/**
 * Streams between peers: the libp2p network, its memory twin, and peer ids.
 *
 * Vocabulary: a *network* opens and serves streams by protocol name; a *stream* carries bytes both
 * ways with back-pressure; a *circuit* is a connection through a relay.
 *
 * May import: `src/core`, `swarm/ports.ts`, and libp2p through `swarm/libp2p.ts`, which is loaded
 * only when a {@link Libp2pNetwork} starts: importing this module is cheap.
 */
export * from "./memory_network.ts";
export * from "./peer_id.ts";
export type { Libp2pNetwork } from "./libp2p_network.ts";
export type { Libp2pNetworkOptions, RelayServerOptions } from "./options.ts";
export type { AddressPolicy } from "./addresses.ts";
export { usableAddresses } from "./addresses.ts";
export { startLibp2pNetwork } from "./start.ts";
