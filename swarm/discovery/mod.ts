/**
 * Finding peers, and being found. Vocabulary: an advert says that a peer has a blob; a node's advert
 * says that a peer can be asked; a binding is the peer's own signature over the Nostr key that
 * advertises it; a hint is what discovery makes of any of these, and never more than a place to try;
 * a channel is a set of relays, the public ones or the fleet's.
 *
 * May import: `src/core`, `src/nostr`, `swarm/ports.ts`, the port of the store, `swarm/net/peer_id.ts`.
 */
export {
  type Advert,
  ADVERT_KIND,
  NODE_ADVERT_KIND,
  type NodeAdvert,
  readAdvert,
  readNodeAdvert,
} from "./advert.ts";
export { type AnnouncePolicy } from "./advert_policy.ts";
export { type AdvertState, MemoryAdvertState, SqliteAdvertState } from "./advert_state.ts";
export { type Binding, signBinding, verifyBinding } from "./binding.ts";
export { combineDiscoveries, mergeHints } from "./combine.ts";
export { ADVERT_LIMITS, ANNOUNCER_LIMITS, DISCOVERY_LIMITS } from "./limits.ts";
export {
  type AnnouncerStatus,
  NostrAnnouncer,
  type NostrAnnouncerOptions,
} from "./nostr_announcer.ts";
export { NostrDiscovery, type NostrDiscoveryOptions } from "./nostr_discovery.ts";
export type { OfferTerms, PeerOffer } from "./peer_offer.ts";
export { StaticDiscovery } from "./static_discovery.ts";
