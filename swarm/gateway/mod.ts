/**
 * Public blobs over plain HTTP/1.1, for clients without libp2p: by BLAKE3, and by SHA-256 as a
 * Blossom server; priced ones for Cashu ecash. TLS is a proxy's work. This comment is the
 * specification.
 *
 * Vocabulary: a *purse* is an account at the gate (`http:<32 hex digits>`), opened by a *bearer* token
 * from one address; a *session* is a purse whose bearer was handed out; a *claim* is an upload's
 * mark on a blob; a *page* is anything a browser runs; the *local cache* is a gateway on loopback.
 *
 * | request | answer |
 * | --- | --- |
 * | `GET`, `HEAD /blob/<blake3>` | the content; `ETag: "<blake3>"` |
 * | `GET`, `HEAD /<sha256>[.ext]` | the same by SHA-256 (BUD-01); `ETag: "<sha256>"` |
 * | `GET`, `HEAD /media/<collection>/<path>` | a collection's child by its name; `ETag: "<blake3>"` |
 * | `POST /session` | one payment for many blobs, below |
 * | `GET /session` | what the session has left |
 * | `PUT`, `HEAD /upload` | upload, and whether it would be taken (BUD-02, BUD-06) |
 * | `DELETE /<sha256>` | takes back an upload (BUD-12) |
 * | `GET /list/<key>` | uploads of an allowed key (BUD-12): `cursor`, `limit`, `since`, `until` |
 * | `PUT /mirror` | upload from another Blossom server (BUD-04), where the operator offers it |
 * | `GET`, `HEAD /` | 200: it is alive |
 * | `OPTIONS` | CORS preflight, answered everywhere |
 *
 * **What is served.** Blobs that are public and whole. What is private, of the fleet, partial or absent
 * is 404 in the very same words. Bytes were verified against the BLAKE3 root before they were
 * stored; `blobs.ts` says how that holds until they leave. One range (`bytes=a-b`, `a-`, `-n`) is answered
 * 206, an unsatisfiable one 416; `If-Range`, `If-Match` and `If-None-Match` compare ETags. Several
 * ranges are answered with the whole, for priced content with 416. `Cache-Control` is
 * `public` (priced: `private`) `, max-age=31536000, immutable`. Errors have `X-Reason`, one line that says what
 * to do, and the same as text; those about payment have JSON. Every answer allows every page to read it
 * (`Access-Control-Allow-Origin: *`), and runs no script (`Content-Security-Policy: sandbox`).
 *
 * **Media.** `/media` gives films, and playlists with their segments, to players: the media type is the
 * publisher's, else the name's. What is not here yet comes from the swarm while it is watched, what is
 * watched next first, where the operator plugged that in: for programs and pages of this machine, of
 * collections that are here; a program may name one that is not. It never pays, and what has a price for
 * the player is played only once it is here, and paid for.
 *
 * **Paying for one blob (NUT-24, BUD-07).** Priced content without credit:
 *
 * ```
 * 402 Payment Required
 * X-Cashu: creqA...            one request; clients read one, so the other text is in the body
 * {"amountSat","priceMsatPerMiB","minTopUpSat","mints","p2pk","creditMsat","creqA","creqB"}
 * ```
 *
 * With `X-Cashu-Encoding: creqB` in the request the header has that text. The client repeats the request with
 * `X-Cashu: cashuB...`: a token of one of the mints, in sat, of the amount at least, locked to the key
 * (NUT-11) with DLEQ (NUT-12). 400 and the same JSON with `error`: it does not count, and nothing of it was
 * kept. 503 or 429 with `Retry-After`: send the very same again. The amount covers the whole chunk groups (16 KiB)
 * that the answer touches, and what redeeming the token costs; what is left stays in the token's
 * purse: the same token pays for more from the same address. HEAD tells the price and takes no ecash.
 *
 * **Paying for many.** `POST /session` with `{"blobs":["<hash>", ...]}` (bare or `blake3:` or `sha256:`) or
 * `{"collection":"<blake3>"}` is 402 with one request for the sum; repeated with
 * `X-Cashu: cashuB...` it is `201 {"session":"<bearer>","creditMsat"}`. Each GET then has
 * `Authorization: Bearer <bearer>`. A GET or `POST /session` with both headers adds to the session.
 * The bearer is good from the address that it was made for (of IPv6: its /64), and outlives a restart of
 * the node; `{"free":true}` says that none is needed.
 *
 * **Again.** Within the grace time (10 minutes) groups that a purse paid for are sent once more for
 * nothing, over any number of requests: in all at most twice what was paid for. The same token from the same
 * address is the same purse, and is never charged twice; from another address it is spent.
 *
 * **Uploads** need `Authorization: Nostr <base64url of a kind 24242 event>` (BUD-11) by an allowed key: exactly one
 * `t` (`upload`, `delete`) and one `expiration`, at most 7 days ahead; `created_at` not in the future;
 * an `x` for the blob; our name in `server`, if there is any. `Content-Length` is needed. Bytes are hashed as
 * they come; what does not match is dropped (409). A deletion's event is good once. A blob that was here before, or
 * that others uploaded too, outlives a DELETE.
 *
 * **Pages** never pay, and make the node fetch nothing but parts of a collection that is here: a request
 * with `Origin`, `Referer`, `Sec-Fetch-*` or a browser's `User-Agent` has its ecash and sessions refused or
 * ignored, and its hints ignored.
 *
 * **The local cache** listens on loopback and answers to names of loopback only (421). A program's GET of a blob
 * that is not here may follow `xs` and `as` hints (BUD-10), if the operator plugged that in; nothing
 * costs a program of this machine anything.
 *
 * May import: `src/core`, `src/nostr`, and of the swarm `ports.ts`, `bao`, `collection.ts`, `http`, `store`,
 * `read_whole.ts` and `provider/deadline.ts`.
 */
export { type BlossomUri, formatBlossomUri, parseBlossomUri } from "./blossom_uri.ts";
export { Gateway } from "./gateway.ts";
export { GATEWAY_LIMITS, type GatewayLimits } from "./limits.ts";
export type {
  FetchBySha256,
  GatewayEvent,
  GatewayOptions,
  GatewaySettings,
  LocalCacheSettings,
  MediaFetch,
  MediaSettings,
  ServerFetch,
  UploadSettings,
} from "./options.ts";
export type {
  AskedPayment,
  ClaimedToken,
  EncodedPaymentRequest,
  PaymentRequests,
} from "./payment_requests.ts";
