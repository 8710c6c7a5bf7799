/**
 * Seedmint as a library: seed and fetch content by its BLAKE3 hash, verified every 16 KiB, pay for it
 * in ecash, lend and rent containers.
 *
 * What a program may import, grouped by the folder that it comes from:
 *
 * | name | folder | what it is for |
 * |---|---|---|
 * | (top level) | `src/core` | hashes, bytes, range sets, errors, seed words and keys, `Clock` and `Random` |
 * | {@link bao} | `swarm/bao` | hash, encode, decode and validate Bao trees |
 * | {@link store} | `swarm/store` | blobs on disk or in memory |
 * | {@link net} | `swarm/net` | peers over libp2p, or in memory |
 * | {@link provider} | `swarm/provider` | serve a store to peers |
 * | {@link requester} | `swarm/requester` | one peer as a source |
 * | {@link fetching} | `swarm/fetch` | fetch a blob or a collection from many sources |
 * | {@link origin} | `swarm/origin` | HTTP servers as a source |
 * | {@link discovery} | `swarm/discovery` | find peers, and be found, by Nostr adverts |
 * | {@link protocol} | `swarm/protocol` | the messages of `/seedmint/blobs/1` |
 * | {@link nostr} | `src/nostr` | events, a pool of relays, an embedded relay |
 * | {@link gateway} | `swarm/gateway` | serve public blobs over HTTP |
 * | {@link trust} | `trust` | release roots, signed catalogs, following them; receipts for bytes and leases |
 * | {@link provisioning} | `provisioning` | lend and rent containers: what is said, the journal, both sides |
 * | {@link wallet} | `wallet` | Cashu ecash at several mints, in operations that survive any crash |
 *
 * Nothing here starts anything or asks for a permission when it is imported; libp2p loads when
 * `net.startLibp2pNetwork` is called.
 *
 * @example Two nodes in one process: one seeds, the other fetches and verifies
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   fetching,
 *   net,
 *   provider,
 *   requester,
 *   store,
 *   systemClock as clock,
 *   systemRandom as random,
 * } from "@seedmint/node";
 *
 * await using stack = new AsyncDisposableStack();
 * const hub = new net.MemoryHub({ clock });
 * const ann = stack.use(hub.join(await net.peerIdOfSecret(random.bytes(32))));
 * const ben = stack.use(hub.join(await net.peerIdOfSecret(random.bytes(32))));
 *
 * // Ann seeds a text.
 * const anns = stack.use(new store.MemoryBlobStore({ clock }));
 * const { hash } = await anns.importBytes(new TextEncoder().encode("Hello, swarm!"));
 * stack.use(await provider.Provider.start({ network: ann, store: anns, clock, random }));
 *
 * // Ben knows the hash and that Ann may have it.
 * const bens = stack.use(new store.MemoryBlobStore({ clock }));
 * const peer = { peerId: ann.peerId, addrs: ann.addresses() };
 * const source = stack.use(new requester.PeerSource({ network: ben, peer, store: bens, clock }));
 * const report = await fetching.fetchBlob({ hash, store: bens, sources: [source], clock, random });
 *
 * assert.equal(bens.status(hash)?.state, "complete");
 * assert.equal(report.sources[0]?.id, ann.peerId);
 * ```
 *
 * @module
 */
export * from "./src/core/mod.ts";
export { systemClock, systemRandom } from "./src/host/system.ts";
export * as nostr from "./src/nostr/mod.ts";
export * as wallet from "./wallet/mod.ts";
export * as bao from "./swarm/bao/mod.ts";
export * as store from "./swarm/store/mod.ts";
export * as net from "./swarm/net/mod.ts";
export * as provider from "./swarm/provider/mod.ts";
export * as requester from "./swarm/requester/mod.ts";
export * as fetching from "./swarm/fetch/mod.ts";
export * as origin from "./swarm/origin/mod.ts";
export * as discovery from "./swarm/discovery/mod.ts";
export * as gateway from "./swarm/gateway/mod.ts";
export * as trust from "./trust/mod.ts";
export * as provisioning from "./provisioning/mod.ts";
export * as protocol from "./swarm/protocol/mod.ts";
export { type CollectionChild, decodeCollection, encodeCollection } from "./swarm/collection.ts";
export { Fleet, issueCertificate, verifyCertificate } from "./swarm/fleet.ts";
export { ProviderScores } from "./swarm/score.ts";
export type {
  Announcer,
  ByteStream,
  Discovery,
  Gate,
  GateDecision,
  Meter,
  Network,
  Origin,
  PaidTo,
  Payer,
  PaymentAnswer,
  PaymentOffer,
  PaymentTerms,
  PaySession,
  PeerAddress,
  ProviderHint,
  Source,
} from "./swarm/ports.ts";
