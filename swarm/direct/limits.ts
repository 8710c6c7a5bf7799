/** Limits of the direct path, each with its reason. */
import { WANT_BOUNDARIES_MAX } from "../protocol/limits.ts";
import { assert } from "../../src/core/assert.ts";

/** The least payload for which a session is worth its round trip, in bytes. */
export const DIRECT_BYTES_MIN = 1024 * 1024;

/** How long a session lives without use, in milliseconds. */
export const SESSION_TTL_MS = 120_000;

/** Sessions of one peer: one for each blob that it fetches at one time; the oldest goes. */
export const SESSIONS_PER_PEER_MAX = 32;

/** Sessions of all peers; each takes some 300 bytes. */
export const SESSIONS_MAX = 8192;

/** The most bytes of a request's head: our own has 150. */
export const REQUEST_HEAD_BYTES_MAX = 2048;

/** The most bytes of a response's head. */
export const RESPONSE_HEAD_BYTES_MAX = 4096;

/** The most bytes of a request's body: all ranges that a `want` may have. */
export const REQUEST_BODY_BYTES_MAX = 48 * 1024;

/** Open connections to the port. */
export const CONNECTIONS_MAX = 1024;

/** Open connections from one address. */
export const CONNECTIONS_PER_ADDRESS_MAX = 128;

/** How long a connection may take to send a whole request, in milliseconds. */
export const REQUEST_MS = 5_000;

/** How long a connection may stay open between two requests, in milliseconds. */
export const CONNECTION_IDLE_MS = 30_000;

/** Connections to one peer that a requester keeps for the next request. */
export const IDLE_CONNECTIONS_MAX = 4;

/** A connection that was idle for this long is not used again: the provider may be closing it. */
export const CONNECTION_REUSE_MS = 15_000;

/** Bytes that a requester reads at once: measured best between 64 KiB and 1 MiB. */
export const READ_BYTES = 256 * 1024;

assert(WANT_BOUNDARIES_MAX * 9 + 512 <= REQUEST_BODY_BYTES_MAX, "every range set fits a request");
