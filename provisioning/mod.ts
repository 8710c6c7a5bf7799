/**
 * Compute leases: containers lent and rented for ecash, in the formats of Paygress. Vocabulary:
 * docs/glossary.md. `wire` is what both sides say, `leases` the journal of who lends, `provider` lends,
 * `consumer` rents; `http` and `mcp` are other ways to say it than messages. Money, images and the machine
 * come through the ports: a machine is one of `backends`, which stand on `machine` (programs and files),
 * `unpack` (an image's layers) and `ssh` (the server inside of a lease).
 *
 * A backend is imported from its own folder (`backends/runc/mod.ts`), so that nobody loads the client of
 * an engine that is not used; `http` and `mcp` likewise.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`.
 */
export * as consumer from "./consumer/mod.ts";
export * as leases from "./leases/mod.ts";
export type * from "./ports.ts";
export * as provider from "./provider/mod.ts";
export * as wire from "./wire/mod.ts";
