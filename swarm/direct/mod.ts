/**
 * # The direct path
 *
 * Plain HTTP beside the libp2p stream, for bytes that anyone may see and that verify themselves:
 * Noise in JavaScript costs more than everything else on the way. What is asked for and granted
 * stands on the stream (`swarm/protocol/mod.ts`); only the bytes take this path.
 *
 * ## Exchange
 *
 * `POST /seedmint/direct/1` in HTTP/1.1, on a connection that may be kept, with `Content-Length`
 * and a body of canonical CBOR:
 *
 * | field | |
 * |---|---|
 * | `session` | 16 bytes, from `granted.direct` |
 * | `hash` | 32 bytes: the blob that the session was granted for |
 * | `ranges` | ascending boundaries of chunk groups, as in `want` |
 * | `counter` | an integer above that of every earlier request of the session |
 * | `mac` | HMAC-SHA-256 under the session's key over `seedmint/direct/1`, one zero byte, and the canonical CBOR of the other four fields |
 *
 * The answer is 200 with `Content-Length` and the Bao encoding of the ranges, exactly that of the
 * stream; or an empty 400, 403 (session, MAC, counter, price or credit, not told which), 404 (not
 * all of the ranges are held), 429, 503, after which the connection is closed. There are no
 * redirects. A body that ends early, with the connection, ends a request that could not be served
 * on: what came stands.
 *
 * ## Rules
 *
 * - The requester connects to the address that its stream really leads to, or to one that its
 *   operator allowed, never to one that the provider names; the port is the one of the grant.
 * - No answer within 300 ms, or any failure, and the stream serves the rest. Bytes that do not
 *   verify are blamed on the path, not on the peer: anyone between may have changed them.
 * - A request is metered, limited and counted like one on the stream, on the same account.
 * - What costs something is charged as on the stream, to the peer that the session was granted to,
 *   at the price of its grant and no other. When the credit ends the body pauses; a top-up, on a
 *   stream, lets it go on, and without one it ends early after the same time. Without credit there
 *   is no answer but 403, and the stream says why.
 * - Blobs that are not public are never offered here unless the operator says that the network is
 *   trusted; a stream through a relay gets no offer.
 *
 * Vocabulary: a *session* is one grant, of one blob to one peer, until it is not used for two
 * minutes.
 *
 * May import: `src/core`, and of the swarm `ports.ts`, `protocol`, `bao`, `store`, and of
 * `provider` the metering and what sends metered answers.
 */
export { type Connect, DirectClient, type DirectResponse } from "./client.ts";
export { DIRECT_PATH } from "./http.ts";
export { DIRECT_BYTES_MIN } from "./limits.ts";
export { type DirectRequest, encodeDirectRequest } from "./request.ts";
export { DirectServer, type DirectServerSettings } from "./server.ts";
