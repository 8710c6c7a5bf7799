/**
 * Adverts, as they travel in Nostr events. Everything here is pure.
 *
 * **Advert of a blob**: kind 30081 (addressable), the seed system's format with members added.
 *
 * | tag | meaning |
 * |---|---|
 * | `d` | BLAKE3 of the blob or collection, 64 lower-case hex digits; required, once |
 * | `x` | SHA-256 by which it may be looked up, 64 lower-case hex digits; for an image one for each index and manifest; up to 128 |
 * | `t` | `seedmint`, so that our adverts can be told from those of other programs that use the kind |
 * | `expiration` | seconds since 1970 (NIP-40); we publish 3 hours and refresh after one |
 *
 * Content, a JSON object; members that are not known are ignored, one that is known and wrong makes
 * the advert unreadable:
 *
 * | member | meaning |
 * |---|---|
 * | `v` | 1; required |
 * | `endpoint_id` | libp2p peer id (Ed25519, base58btc); required |
 * | `proto` | `libp2p`, or left out |
 * | `addrs` | up to 16 multiaddrs, each a hint |
 * | `size` | bytes of the blob |
 * | `price_msat_per_mib` | what a MiB costs; left out or 0: free |
 * | `mints` | up to 16 mint URLs whose ecash is taken |
 * | `p2pk` | compressed key that payments are locked to, 66 hex digits |
 * | `min_top_up_sat` | the least that one payment must be, in sat; up to 100,000,000 |
 * | `locktime_min` | the least minutes until the payer may take an unused payment back; up to 43,200 |
 * | `bind` | `{"sig","exp"}`: the peer's own signature over the Nostr key, see `binding.ts` |
 *
 * **Advert of a node**: kind 13081 (replaceable, one per Nostr key), tags `t` and `expiration`, and
 * the same content without `size`: a peer that can be asked (`Have`) for anything. Its price is what
 * most of its content costs; the price of a blob's own advert comes before it, also when it is none.
 *
 * **Withdrawal**: the advert's address is published once more with empty content and an `expiration`
 * ten seconds on, and a deletion request (kind 5, NIP-09) with the tags `a` and `k` follows, dated the
 * same second. Relays that know neither keep an event that no reader takes for an advert.
 *
 * **Reading**: of one author the newest counts, of one second the one with the lowest id, whatever
 * it contains. An advert is believed until its `expiration`, at most a day; without one, six
 * hours. Dates more than 15 minutes ahead are refused. Nothing in it is more than a hint until the
 * peer was reached and the bytes were verified.
 */
import { type Hash, isHash, isSha256, type Sha256 } from "../../src/core/hash.ts";
import {
  compareEvents,
  type EventTemplate,
  expirationOf,
  type NostrEvent,
  tagValue,
} from "../../src/nostr/nostr.ts";
import { ADVERT_LIMITS } from "./limits.ts";
import { isCount, offerMembers, parseContent, type PeerOffer, readOffer } from "./peer_offer.ts";

/** Kind of a blob's advert: the seed system's, used by unrelated programs, too. */
export const ADVERT_KIND = 30081;

/** Kind of a node's advert: ours; in no NIP, nor in the registry of kinds. */
export const NODE_ADVERT_KIND = 13081;

/** The `t` tag of everything we publish. */
export const TOPIC = "seedmint";

/** Seconds after which the empty event of a withdrawal expires. */
const WITHDRAWN_S = 10;

/** Someone says that a peer has a blob. */
export interface Advert extends PeerOffer {
  readonly hash: Hash;
  readonly sha256s: readonly Sha256[];
  readonly size?: number;
  /** Author, 64 hex digits. */
  readonly nostrKey: string;
  readonly createdAtS: number;
  readonly expiresS: number;
}

/** Someone says that a peer can be asked for anything. */
export interface NodeAdvert extends PeerOffer {
  readonly nostrKey: string;
  readonly createdAtS: number;
  readonly expiresS: number;
}

/** What is to be signed to advertise a blob. */
export function buildAdvert(
  options: {
    readonly offer: PeerOffer;
    readonly hash: Hash;
    readonly size?: number;
    readonly sha256s?: readonly Sha256[];
    readonly createdAtS: number;
    /** @default {ADVERT_LIMITS.lifetimeS} */
    readonly lifetimeS?: number;
  },
): EventTemplate {
  const { offer, hash, size, createdAtS, lifetimeS = ADVERT_LIMITS.lifetimeS } = options;
  const digests = [...new Set(options.sha256s)].slice(0, ADVERT_LIMITS.digestCountMax);
  return {
    kind: ADVERT_KIND,
    created_at: createdAtS,
    tags: [
      ["d", hash],
      ["t", TOPIC],
      ...digests.map((digest) => ["x", digest]),
      ["expiration", String(createdAtS + lifetimeS)],
    ],
    content: JSON.stringify({ ...offerMembers(offer), ...(size === undefined ? {} : { size }) }),
  };
}

/** What is to be signed to advertise a node. */
export function buildNodeAdvert(
  options: {
    readonly offer: PeerOffer;
    readonly createdAtS: number;
    readonly lifetimeS?: number;
  },
): EventTemplate {
  const { offer, createdAtS, lifetimeS = ADVERT_LIMITS.lifetimeS } = options;
  return {
    kind: NODE_ADVERT_KIND,
    created_at: createdAtS,
    tags: [["t", TOPIC], ["expiration", String(createdAtS + lifetimeS)]],
    content: JSON.stringify(offerMembers(offer)),
  };
}

/** What is to be signed, in this order, to withdraw what was published at an address. */
export function buildWithdrawal(
  options: {
    readonly kind: typeof ADVERT_KIND | typeof NODE_ADVERT_KIND;
    /** The `d` tag; empty for a node's advert. */
    readonly d: string;
    readonly nostrKey: string;
    readonly createdAtS: number;
  },
): readonly [replacement: EventTemplate, deletion: EventTemplate] {
  const { kind, d, nostrKey, createdAtS } = options;
  const expiration = ["expiration", String(createdAtS + WITHDRAWN_S)];
  return [
    {
      kind,
      created_at: createdAtS,
      tags: kind === ADVERT_KIND ? [["d", d], expiration] : [expiration],
      content: "",
    },
    {
      kind: 5,
      created_at: createdAtS,
      tags: [["a", `${kind}:${nostrKey}:${d}`], ["k", String(kind)]],
      content: "",
    },
  ];
}

/**
 * Reads a blob's advert strictly.
 *
 * @param event Of a checked signature.
 * @returns The advert, or undefined for anything else. Never throws.
 */
export function readAdvert(
  event: NostrEvent,
  options: { readonly nowS: number },
): Advert | undefined {
  if (event.kind !== ADVERT_KIND || event.tags.length > ADVERT_LIMITS.tagCountMax) return undefined;
  const hash = tagValue(event, "d");
  const dated = readDates(event, options.nowS);
  if (!isHash(hash) || dated === undefined) return undefined;
  const sha256s = readDigests(event);
  if (sha256s === undefined) return undefined;
  const members = parseContent(event.content);
  const offer = members === undefined ? undefined : readOffer(members);
  if (offer === undefined) return undefined;
  const { size } = members!;
  if (size !== undefined && !isCount(size)) return undefined;
  return {
    ...offer,
    hash,
    sha256s,
    nostrKey: event.pubkey,
    ...dated,
    ...(size === undefined ? {} : { size }),
  };
}

/**
 * Reads a node's advert strictly.
 *
 * @param event Of a checked signature.
 * @returns The advert, or undefined for anything else. Never throws.
 */
export function readNodeAdvert(
  event: NostrEvent,
  options: { readonly nowS: number },
): NodeAdvert | undefined {
  if (event.kind !== NODE_ADVERT_KIND || event.tags.length > ADVERT_LIMITS.tagCountMax) {
    return undefined;
  }
  const dated = readDates(event, options.nowS);
  if (dated === undefined) return undefined;
  const members = parseContent(event.content);
  const offer = members === undefined ? undefined : readOffer(members);
  return offer === undefined ? undefined : { ...offer, nostrKey: event.pubkey, ...dated };
}

/**
 * The newest event of each author, for at most `authorsMax` authors: the first that came. Takes
 * events one by one, so that hints can be given before the last relay has answered.
 */
export class NewestPerAuthor {
  readonly #authorsMax: number;
  readonly #newest = new Map<string, NostrEvent>();

  constructor(authorsMax: number) {
    this.#authorsMax = authorsMax;
  }

  /** Whether `event` is the newest of its author so far, and is taken. */
  take(event: NostrEvent): boolean {
    const known = this.#newest.get(event.pubkey);
    if (known === undefined && this.#newest.size >= this.#authorsMax) return false;
    if (known !== undefined && compareEvents(known, event) <= 0) return false;
    this.#newest.set(event.pubkey, event);
    return true;
  }
}

function readDates(
  event: NostrEvent,
  nowS: number,
): { readonly createdAtS: number; readonly expiresS: number } | undefined {
  const createdAtS = event.created_at;
  if (createdAtS > nowS + ADVERT_LIMITS.futureS) return undefined;
  const says = tagValue(event, "expiration") !== undefined;
  const expiration = expirationOf(event);
  if (says && expiration === undefined) return undefined;
  const expiresS = Math.min(
    expiration ?? createdAtS + ADVERT_LIMITS.impliedLifetimeS,
    createdAtS + ADVERT_LIMITS.lifetimeMaxS,
  );
  return expiresS > nowS ? { createdAtS, expiresS } : undefined;
}

function readDigests(event: NostrEvent): readonly Sha256[] | undefined {
  const digests: Sha256[] = [];
  for (const [name, value] of event.tags) {
    if (name !== "x") continue;
    if (!isSha256(value) || digests.length >= ADVERT_LIMITS.digestCountMax) return undefined;
    digests.push(value);
  }
  return digests;
}
