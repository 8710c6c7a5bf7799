/**
 * # `/seedmint/blobs/1`
 *
 * The protocol by which one node fetches blobs from another. This comment is its specification; the
 * files of this folder are its codec and hold no policy.
 *
 * ## Participants
 *
 * The *requester* opens a stream and asks; the *provider* answers. Every node is both. The stream is
 * encrypted and both peer ids are proven by it. A *blob* is bytes named by their BLAKE3; a *chunk
 * group* is 16 KiB of it; a *collection* is a blob that lists children (`swarm/collection.ts`).
 *
 * ## Goals
 *
 * - No byte is taken before its chunk group checks out against the root that was asked for.
 * - A free blob costs no round trip besides its own; a collection of any count costs one request.
 * - Any set of chunk groups can be asked for, so that many providers can share one blob.
 * - Neither side can make the other allocate, loop or wait without a limit.
 *
 * Not goals: finding providers, deciding prices, moving ecash (`Payment` only carries it), and
 * hiding from a provider what is asked of it.
 *
 * ## Framing
 *
 * Both directions are a sequence of frames: an unsigned LEB128 varint of at most 32 bits in its
 * shortest form, then that many bytes, at least one. A frame that begins with byte 0x00 is *data*:
 * the bytes after that mark, 1 byte to 1 MiB, belong to the answer under way. Every other frame is
 * one *message*: a map in canonical CBOR (RFC 8949 section 4.2.1) with its type in `t`. A requester
 * sends messages only. A message may stand between any two data frames; where data frames are cut
 * means nothing.
 *
 * Messages are decoded strictly: wrong types, non-canonical bytes, a list or text past its limit,
 * and fields of unknown names are a breach. In `want`, `have`, `granted`, `payment-required` and
 * `denied` alone, unknown fields are ignored, so that later versions can add what older peers need
 * not know. After a breach the stream is aborted.
 *
 * ## Requests
 *
 * A stream carries requests one after another: the provider answers them in order and reads the next
 * when it is done with the last, so a requester may send several ahead. A requester that gives up an
 * answer aborts the stream. A provider closes streams that stay idle (30 s).
 *
 * | requester sends | fields |
 * |---|---|
 * | `want` | `hash` or `sha256` (32 bytes), `format` (`blob`, `collection`), `ranges`?, `children`?, `payment`?, `certificate`?, `direct`? |
 * | `have` | `blobs`: up to 1,024 of `{hash}` or `{sha256}`, `certificate`? |
 * | `top-up` | `payment` |
 *
 * | provider answers | fields |
 * |---|---|
 * | `granted` | `size`, `hash`?, `ranges`?, `visibility`?, `session`?, `creditMsat`?, `direct`? |
 * | `payment-required` | `priceMsatPerMiB`, `minTopUpSat`, `mints`, `p2pk`, `locktimeMin` |
 * | `pending` | `paymentId`, `retryMs` |
 * | `denied` | `code`, `retryMs`? |
 * | `not-found` | |
 * | `holdings` | `blobs`: in the order of `have`: `{}`, or `{size, hash?}`, or `{size, hash?, groups}` |
 *
 * After `granted` come data frames, `low` and `missing` where they apply, and then one of
 *
 * | provider ends with | fields |
 * |---|---|
 * | `end` | everything granted was sent |
 * | `failed` | `code`: it cannot be sent to its end; what came before stands |
 *
 * ## Ranges
 *
 * A set of integers is a list of ascending boundaries: members begin at every even one and end
 * before the next odd one; an odd count means that the last run has no end. `ranges` counts chunk
 * groups. A requester that does not know the size asks for the last group by a run without end: a
 * set that reaches past the end always includes the last group (as in iroh's bao-tree), so `[2^34]`
 * asks for the last group of any blob.
 *
 * `groups` of `holdings` may leave out the shortest runs of a blob in very many pieces: asking for
 * them finds them.
 *
 * A provider that holds only a part sends what it holds of the ranges and says in `ranges` what that
 * is; when it holds none of them it answers `not-found`.
 *
 * ## The data of a blob
 *
 * The Bao encoding of the ranges: pre-order, 64-byte parents, groups of 16 KiB, without the 8-byte
 * size that Bao puts in front: `size` of `granted` stands for it. `size` proves nothing. It is proven
 * once the last group verified, hence a first request includes that group; nothing is allocated on a
 * size before. How many bytes must come follows from size and ranges, and one more is a breach.
 *
 * ## The data of a collection
 *
 * The Bao encodings of the wanted children, whole, in ascending order of index, one after another
 * without anything between them. The requester holds the collection itself already and knows every
 * child's hash and size from it. `missing` names children that are not sent; it stands between the
 * children before and after those.
 *
 * ## Fleet
 *
 * A blob may be visible to all, to the fleet, or to its node alone. To who may not see it every
 * answer is the very answer for a blob that is not there: `not-found`, or an empty entry of
 * `holdings`. `visibility: "fleet"` in `granted` asks the requester to keep it so. `certificate` is
 * described in `swarm/fleet.ts`.
 *
 * ## The direct path
 *
 * With `direct: true` a requester says that the bytes may come over plain HTTP. A provider that
 * offers it answers `granted` with `direct` and `end`, without data; one that does not ignores it.
 * `direct` has a port, a session id, a key and a lifetime; `swarm/direct/mod.ts` says how they are
 * used. The address is the one that this stream really leads to.
 *
 * ## Payment
 *
 * A provider that sells answers `payment-required`; the requester sends the same `want` with
 * `payment` (an id of its choosing and a token), and is answered `granted` with the credit left,
 * `pending`, or `denied`. `low` says between data that the credit runs out; `top-up` adds to it. The
 * id makes asking again free: a payment is credited once. A grant is bound to the peer id of the
 * stream, the root, and the ranges: `session` is no bearer of anything. This version of the node
 * understands `payment-required` and asks elsewhere.
 *
 * ## Codes
 *
 * `denied`: `busy` (too much at once, ask again after `retryMs`), `internal`, and those of the
 * operator's gate. `failed`: `gone` (no longer held), `internal`. A code that is not known is a plain
 * refusal.
 *
 * ## Names of the seed
 *
 * The meanings are those of `archy/paid-blobs/1`:
 *
 * | there | here |
 * |---|---|
 * | `PaidRequest.want` | `want.hash` |
 * | `PaidRequest.token` | `want.payment.token`, with an id |
 * | `PaidResponse::Granted` | `granted` |
 * | `PaidResponse::PaymentRequired.price_sats` | `payment-required.priceMsatPerMiB`, for bytes instead of the whole |
 * | `PaidResponse::PaymentRequired.accepted_mints` | `payment-required.mints` |
 * | `PaidResponse::Denied.reason` | `denied.code` |
 *
 * ## What this folder may import
 *
 * `src/core`, `swarm/ports.ts`, `swarm/bao/geometry.ts`, `swarm/fleet.ts` (a limit).
 */
export * from "./framing.ts";
export * from "./limits.ts";
export * from "./message_codec.ts";
export * from "./messages.ts";
