/**
 * Lending compute: the provider of `provisioning` over this node's wallet, store, swarm and relays.
 * Vocabulary: a *session* is one time of lending; the *host* begins and ends it; the *till* is the
 * wallet's; the *watchdog* is a process of its own.
 *
 * May import what `src/app` may.
 */
export { ProviderHost } from "./host.ts";
export { publicSwarm, type PublicSwarmOptions } from "./public_swarm.ts";
export type { LendingOptions, LendingParts } from "./session.ts";
export { watchLeases } from "./watchdog.ts";
