/**
 * Where content comes from when the swarm cannot give it: HTTP servers, and how their plain bytes
 * become verified blobs.
 *
 * Vocabulary: an origin serves plain bytes by URL; a stretch is one run of them, read over as many
 * connections as it takes.
 *
 * May import: src/core, swarm/ports.ts, swarm/bao's geometry, the port of the store, the gateway's port of
 * payment requests.
 */
export { addFromOrigin, type AddFromOriginOptions } from "./add_from_origin.ts";
export { fetchFromServers, type FromServersOptions } from "./from_servers.ts";
export { HttpOrigin, type HttpOriginOptions } from "./http_origin.ts";
export { OriginPayments, type OriginPayOptions } from "./origin_payments.ts";
export { OriginSource } from "./origin_source.ts";
