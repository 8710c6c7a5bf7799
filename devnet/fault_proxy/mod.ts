/**
 * A proxy that makes trouble between a wallet and a mint, for tests. Vocabulary: a fault is one kind
 * of trouble; a rule orders it for the next requests that match; the log has every request.
 *
 * May import: `src/core`, and the HTTP head of `src/nostr`.
 */
export { FaultProxyAdmin, FaultProxyClient } from "./admin.ts";
export { FaultProxy, type FaultProxyOptions, type ProxyLogEntry } from "./fault_proxy.ts";
export { type Fault, type FaultRule } from "./rules.ts";
