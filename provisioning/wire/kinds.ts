/** Kinds of events, tags and schema version, all Paygress'. */

/** Offer of a provider; addressable, plaintext. */
export const KIND_OFFER = 38383;

/** Heartbeat that relays keep; addressable, one for each minute. */
export const KIND_HEARTBEAT = 38384;

/** The same heartbeat for those who listen now; ephemeral. */
export const KIND_LIVE_HEARTBEAT = 20384;

/** A primary gives a workload up. */
export const KIND_REVOCATION = 38385;

/** A standby has taken a workload over. */
export const KIND_PROMOTION = 38386;

/** The offer of Paygress' earliest clients; regular, only read. */
export const KIND_LEGACY_OFFER = 999;

/** Version of the contents, and the value of the tag `v`. */
export const SCHEMA_VERSION = 1;

/** The `t` tag that clients ask offers by. */
export const TOPIC = "paygress";

/** The `t` tag of heartbeats. */
export const HEARTBEAT_TOPIC = "paygress-heartbeat";

/** The stretch of time that one stored heartbeat stands for, in seconds. */
export const HEARTBEAT_BUCKET_S = 60;

/** A provider is online when its last heartbeat is younger than this, in seconds. */
export const ONLINE_S = 120;
