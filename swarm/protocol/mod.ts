/**
 * # `/seedmint/blobs/1`
 *
 * The protocol by which one node fetches blobs from another. This comment is its specification; the
 * files of this folder are its codec and hold no policy.
 *
 * ## Participants
 *
 * The *requester* opens a stream and asks; the *provider* answers. Every node is both. The stream
 * is encrypted and both peer ids are proven by it. A *blob* is bytes named by their BLAKE3; a
 * *chunk group* is 16 KiB of it; a *collection* is a blob that lists children
 * (`swarm/collection.ts`).
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
 * A stream carries requests one after another: the provider answers them in order, so a requester
 * may send several ahead. While it answers, a provider reads on: `top-up` is dealt with at once, up
 * to 8 other requests or 16 KiB of them wait, and then it reads no more until one of them is taken.
 * A requester that gives up an answer aborts the stream. A provider closes streams that stay idle
 * (30 s).
 *
 * | requester sends | fields |
 * |---|---|
 * | `want` | `hash` or `sha256` (32 bytes), `format` (`blob`, `collection`), `ranges`?, `children`?, `payment`?, `priceMsatPerMiB`?, `certificate`?, `direct`? |
 * | `have` | `blobs`: up to 1,024 of `{hash}` or `{sha256}`, `certificate`? |
 * | `top-up` | `payment` |
 * | `receipt-ask` | `root`, `nostrKey`, `commitment` (32 bytes each) |
 * | `receipt` | `receipt`: JSON |
 * | `refund-ask` | |
 *
 * | provider answers | fields |
 * |---|---|
 * | `granted` | `size`, `hash`?, `ranges`?, `visibility`?, `priceMsatPerMiB`?, `creditMsat`?, `channelSat`?, `direct`? |
 * | `payment-required` | `priceMsatPerMiB`, `minTopUpSat`, `mints`, `p2pk`, `locktimeMin`, `channelSat`? |
 * | `pending` | `paymentId`, `retryMs` |
 * | `denied` | `code`, `retryMs`? |
 * | `not-found` | |
 * | `holdings` | `blobs`: in the order of `have`: `{}`, or `{size, hash?}`, or `{size, hash?, groups}` |
 * | `receipt` | `receipt`: JSON |
 * | `refund` | `token`, `amountSat` |
 *
 * After `granted` come data frames, `low` and `missing` where they apply, and then one of
 *
 * | provider ends with | fields |
 * |---|---|
 * | `end` | everything granted was sent |
 * | `failed` | `code`: it cannot be sent to its end; what came before stands |
 *
 * To each `top-up` comes one of these, whenever it is known: before, between or after the frames of
 * answers to other requests, and in any order. `paymentId` says which payment is meant.
 *
 * | provider says | fields |
 * |---|---|
 * | `credited` | `paymentId`, `creditMsat` |
 * | `pending` | `paymentId`, `retryMs` |
 * | `refused` | `paymentId`, `code`, `retryMs`? |
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
 * A provider that holds only a part sends what it holds of the ranges and says in `ranges` what
 * that is; when it holds none of them it answers `not-found`.
 *
 * ## The data of a blob
 *
 * The Bao encoding of the ranges: pre-order, 64-byte parents, groups of 16 KiB, without the 8-byte
 * size that Bao puts in front: `size` of `granted` stands for it. `size` proves nothing. It is
 * proven once the last group verified, hence a first request includes that group; nothing is
 * allocated on a size before. How many bytes must come follows from size and ranges, and one more
 * is a breach.
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
 * Credit is what a requester has prepaid at a provider, in msat. It belongs to the pair of them,
 * the provider and the peer id of the stream, not to a stream, a root or a message: whatever one
 * stream pays all streams of that peer may use, also after reconnecting, and nothing on the wire is
 * a bearer of it.
 *
 * A provider that sells answers a `want` with `payment-required` as long as the peer has no credit.
 * `payment` is an `id` of the requester's choosing and a `token`: ecash locked to `p2pk` that can
 * be taken back `locktimeMin` minutes later at the earliest, worth `minTopUpSat` or more, of one of
 * `mints`; or text that begins with `channel1:`, where `channelSat` says what the payer's channel may
 * hold. The id makes asking again free: the same id is
 * credited once, and with the id alone a requester asks what became of the payment. It goes
 *
 * - with the first `want`, when the price is known: no round trip is added. The answer is `granted`
 *   with the credit when the payment counts; `pending`; `denied` with the code of its refusal, also
 *   when there is credit of earlier payments; or `payment-required`, when the terms were stale and
 *   it was not taken. It is looked at only if what is asked costs something: after `not-found`,
 *   `granted` without a price, and other refusals the provider has not taken it;
 * - in a `top-up`, on any stream of the peer at any time, while an answer is under way or alone.
 *   Since a `top-up` may wait behind other requests of its stream, a requester that streams keeps a
 *   stream for paying.
 *
 * `priceMsatPerMiB` in a `want` is the most that the requester agreed to, 0 before it agreed to
 * anything: what costs more is answered `payment-required`, and neither the payment that came with
 * it nor earlier credit is touched. Without it the requester pays what it costs. `granted` says the
 * price of its bytes.
 *
 * What is charged is the content of chunk groups, each whole and before its first byte is sent: `n`
 * bytes cost `n * priceMsatPerMiB / 2^20` msat, and nothing is rounded but what messages say of
 * credit. The hash tree is free, a child of a collection counts like a blob at the price of the
 * collection, and the data path makes no difference. A child that costs more by itself is `missing`.
 * What was charged and not begun to be sent when an answer ended is given back.
 *
 * A group is sent as long as any credit is left, so that a requester may come to owe a part of one
 * group. `low` says once, until the credit has grown, that it runs out: less than half of
 * `minTopUpSat` is left; and again when nothing is left. Then the provider stops at the end of a
 * group and waits 20 s for credit, before it ends with `failed` `unpaid`. What came stands, and
 * asking for the rest later goes on. A requester that will pay no more need not wait for that.
 *
 * A provider bounds what payments cost it: 4 of a stream and 8 of a peer are checked at one time. A
 * stream is read no further above that, a peer is told `busy`, and one whose payments are refused
 * waits before the next is looked at.
 *
 * ## Refunds
 *
 * `refund-ask` asks for the credit of the peer of the stream back. The answer is `refund` with ecash
 * that is locked to the key which the peer's own payments named for a refund, the same token each
 * time it is asked for until that is redeemed; or `denied`: `busy` with `retryMs` while it is being
 * made, or the code of a refusal, after which the credit stays. Only whole sats are paid back.
 *
 * ## Receipts
 *
 * `receipt-ask` asks for the provider's signed word on what it delivered for `root` and was paid,
 * to `nostrKey`; `commitment` stands in it for the root (`trust/receipt.ts`). The answer is
 * `receipt`, or `not-found` when there is nothing to confirm. The requester may send it back in
 * `receipt`, signed by both; the provider answers `end` when it keeps it, and `denied` with code
 * `refused` when it is none.
 *
 * ## Codes
 *
 * A code that is not known is a plain refusal.
 *
 * | in | code | |
 * |---|---|---|
 * | `denied` | `busy` | too much at once, ask again after `retryMs` |
 * | | `internal` | the provider failed |
 * | | `refused` | what was asked for is not done |
 * | | those of `refused` | the payment that came with the `want` |
 * | | `dust`, `no-key`, `in-use`, `unavailable` | no refund: too little is left, no payment named a key, an answer is under way, not now |
 * | | any other | of the operator's gate |
 * | `failed` | `gone` | no longer held |
 * | | `internal` | the provider failed |
 * | | `unpaid` | the credit ended and none came in time |
 * | `refused` | `malformed` | it is no payment |
 * | | `mint`, `unit` | not of a mint, or not in a unit, that is taken |
 * | | `locked` | not locked as the terms say |
 * | | `worthless` | worth too little, after fees |
 * | | `price` | less than the terms ask for by now |
 * | | `spent` | the mint, or an earlier payment, has it already |
 * | | `own` | the provider's own ecash |
 * | | `conflict` | another payment had this id |
 * | | `exposure` | the provider holds as much unredeemed ecash as it wants for now |
 * | | `busy` | too many at once, or too many refused ones: the same again after `retryMs` |
 * | | `unavailable` | no payments are taken, the mint does not answer, or nothing is known of an id that came alone |
 * | | `internal` | the provider failed: the same again after `retryMs` finds out what became of it |
 *
 * ## Names of the seed
 *
 * The meanings are those of `archy/paid-blobs/1`:
 *
 * | there | here |
 * |---|---|
 * | `PaidRequest.want` | `want.hash` |
 * | `PaidRequest.token` | `want.payment.token`, with an id |
 * | `PaidResponse::Granted` | `granted`, without a session id: the peer id is it |
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
