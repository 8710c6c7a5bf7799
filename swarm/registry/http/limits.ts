/** Limits of the registry's HTTP side, each with its reason. */

/** What a listener of the registry gives at most. */
export interface RegistryServerLimits {
  /** Open connections: a host's clients open some tens, a herd of pulls some hundreds. */
  readonly connectionsMax: number;
  /** Open connections of one address other than this machine. */
  readonly connectionsPerAddressMax: number;
  /** Milliseconds from the first byte of a request to the end of its head. */
  readonly headMs: number;
  /** Milliseconds that a connection may stay open between two requests. */
  readonly idleMs: number;
  /**
   * Milliseconds that a client may take for one buffer, and for any byte of an upload: clients stop
   * reading while they unpack, and stop sending while they compress.
   */
  readonly stallMs: number;
  /** Bytes per second that an upload must bring on average, besides one {@link stallMs}. */
  readonly uploadBytesPerSecondMin: number;
}

/** The limits of a node whose operator set none. */
export const REGISTRY_SERVER_LIMITS: RegistryServerLimits = {
  connectionsMax: 1024,
  connectionsPerAddressMax: 128,
  headMs: 10_000,
  idleMs: 120_000,
  stallMs: 300_000,
  uploadBytesPerSecondMin: 1024,
};

/** Bytes that all answers together may hold of content on its way out. */
export const SENDING_BYTES_MAX = 32 * 1024 * 1024;

/** The least that one answer reads and sends at once, however many there are. */
export const SENDING_PIECE_BYTES_MIN = 64 * 1024;

/** Manifests read at one time; each may take as much memory as a manifest may be large. */
export const MANIFEST_BODIES_MAX = 16;

/** Items of one page of a listing, at most and by default; the next page is linked. */
export const PAGE_ITEMS_MAX = 1000;

/** Tags that one PUT of a manifest may name; the specification asks for ten. */
export const TAG_PARAMETERS_MAX = 16;

/** Media types of `Accept` that are looked at; clients list about eight. */
export const ACCEPTED_TYPES_MAX = 64;

/** The most characters of an `artifactType` that is asked for. */
export const ARTIFACT_TYPE_CHARS_MAX = 255;
