/** Limits of lending, each with its reason. */

/** How long a tag that a registry resolved counts for lessees, in ms, as for clients of the mirror. */
export const TAG_KEPT_MS = 60_000;

/** Tags and images that are remembered: the least recently used are forgotten. */
export const REMEMBERED_MAX = 256;

/** How long the swarm is searched for an image that a registry is likely to have, in ms. */
export const SWARM_HEAD_START_MS = 1_500;

/** How long more is waited for another peer once one has an image, in ms. */
export const SETTLE_MS = 200;

/** Peers that are asked for one image. */
export const HOLDERS_MAX = 8;

/** Layers of one image that come at a time. */
export const LAYERS_AT_ONCE = 3;

/** Layers of one image: container engines stop at 127. */
export const LAYERS_MAX = 127;

/** Bytes of an image's configuration: those of real images have some KiB. */
export const CONFIG_BYTES_MAX: number = 1024 * 1024;

/** Bytes of all layers of one image, as stored; the engine bounds what they unpack to. */
export const IMAGE_BYTES_MAX: number = 16 * 1024 ** 3;

/** How long the word that anybody may have a part of an image counts, in ms: registries close, too. */
export const PUBLIC_KEPT_MS: number = 7 * 86_400_000;

/** Parts whose publicness is remembered: some hundred images. */
export const PUBLIC_PARTS_MAX = 20_000;

/** How often it is looked whether the watchdog is alive, and images that nothing needs are removed, in ms. */
export const UPKEEP_MS = 30_000;
export const PRUNE_MS = 3_600_000;

/** How often relays are told where private messages are looked for, in ms: they forget. */
export const INBOX_TOLD_MS = 6 * 3_600_000;

/** How long an engine or a wallet that is not there at the start is waited for, in ms. */
export const START_RETRY_MS = 15_000;

/** How long leases that are ended at once may take, in ms. */
export const EVICT_MS = 180_000;

/** How often it is looked whether they have ended, in ms. */
export const EVICT_LOOK_MS = 100;

/** How long mints may take then to pay back, before what is owed is left to the next start, in ms. */
export const REFUNDS_MS = 5_000;

/** Leases that are listed. */
export const LEASES_SHOWN_MAX = 500;

/** How often the watchdog looks whether it is still needed, and how long it then stays, in ms. */
export const WATCHDOG_LOOK_MS = 15_000;
export const WATCHDOG_IDLE_MS = 60_000;

/** How long mints may take to be listed, and to tell their keysets, before lending begins, in ms. */
export const MINTS_MS = 5_000;
export const MINTS_LOOK_MS = 100;
