/**
 * What is known of which blob has a SHA-256, and how far it is believed.
 *
 * A mapping is *trusted* when this node computed it, a key that we follow signed it, or a member of the
 * fleet says so: then its bytes may be handed on group by group. What a stranger says is a *claim*: it
 * costs time to find out that it is false, and its author the right to be heard.
 */
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { ProviderHint } from "../../ports.ts";
import type { RegistryIndex } from "../index/mod.ts";
import type { DigestMapping, SignedPins, SwarmFetch } from "../ports.ts";
import { BANNED_MAX, CLAIMED_DIGESTS_MAX, CLAIMS_PER_DIGEST_MAX } from "./limits.ts";

/** A mapping with the peers that have its blob, as they say. */
export interface Candidate {
  readonly mapping: DigestMapping;
  readonly isTrusted: boolean;
  readonly hints: readonly ProviderHint[];
}

interface Claim {
  readonly hint: ProviderHint;
  readonly mapping: DigestMapping;
}

/** See the head of this file. */
export class Claims {
  readonly #options: {
    readonly index: Pick<RegistryIndex, "mappings">;
    readonly pins: SignedPins | undefined;
    readonly swarm: SwarmFetch;
    readonly clock: Clock;
    readonly banMs: number;
    readonly onBan: (hint: ProviderHint, reason: string) => void;
    /** What peers said of this digest does not count any more. */
    readonly onGone: (sha256: Sha256) => void;
  };
  /** Claims by digest and peer; the digest used last at the end. */
  readonly #claims = new Map<Sha256, Map<string, Claim>>();
  /** Until when an author is not believed, by peer id or Nostr key, on the monotonic clock. */
  readonly #banned = new Map<string, number>();
  /** Mappings that were trusted and proved false. */
  readonly #refuted = new Map<Sha256, string>();

  constructor(
    options: {
      readonly index: Pick<RegistryIndex, "mappings">;
      readonly pins: SignedPins | undefined;
      readonly swarm: SwarmFetch;
      readonly clock: Clock;
      readonly banMs: number;
      readonly onBan: (hint: ProviderHint, reason: string) => void;
      /** What peers said of this digest does not count any more. */
      readonly onGone: (sha256: Sha256) => void;
    },
  ) {
    this.#options = options;
  }

  /** Remembers what a peer said. */
  note(hint: ProviderHint, mapping: DigestMapping): void {
    if (this.isBanned(hint)) return;
    const { sha256 } = mapping;
    const claims = this.#claims.get(sha256) ?? new Map<string, Claim>();
    this.#claims.delete(sha256);
    this.#claims.set(sha256, claims);
    const { swarm } = this.#options;
    const isRoom = claims.has(hint.peerId) || claims.size < CLAIMS_PER_DIGEST_MAX;
    // However many strangers say something, a member is heard.
    const crowding = isRoom || !swarm.isTrusted(hint)
      ? undefined
      : claims.values().find((claim) => !swarm.isTrusted(claim.hint));
    if (crowding !== undefined) claims.delete(crowding.hint.peerId);
    if (isRoom || crowding !== undefined) claims.set(hint.peerId, { hint, mapping });
    if (this.#claims.size > CLAIMED_DIGESTS_MAX) {
      this.#claims.delete(this.#claims.keys().next().value!);
    }
  }

  /** Remembers what this node computed from the bytes: whoever said something else lied. */
  learned(mapping: DigestMapping): void {
    this.#options.index.mappings.put(mapping);
    const said = this.#claims.get(mapping.sha256)?.values() ?? [];
    const lies = new Map(
      [...said].filter((claim) => wordOf(claim.mapping) !== wordOf(mapping))
        .map((claim) => [wordOf(claim.mapping), claim.mapping]),
    );
    for (const lie of lies.values()) this.#banAuthors(lie);
  }

  /** The mapping that is believed, if there is one. */
  trusted(sha256: Sha256): Candidate | undefined {
    const { index, pins, swarm } = this.#options;
    const believed = this.#unrefuted(index.mappings.get(sha256)) ??
      this.#unrefuted(pins?.mappingOf(sha256)) ??
      this.#live(sha256).find(({ hint }) => swarm.isTrusted(hint))?.mapping;
    if (believed === undefined) return undefined;
    return { mapping: believed, isTrusted: true, hints: this.#holders(believed) };
  }

  /** What is said of a digest, what is believed first, then what most peers say. */
  candidates(sha256: Sha256): readonly Candidate[] {
    const trusted = this.trusted(sha256);
    const mappings = new Map<string, DigestMapping>();
    for (const { mapping } of this.#live(sha256)) mappings.set(wordOf(mapping), mapping);
    const claimed = [...mappings.values()]
      .filter(({ hash }) => hash !== trusted?.mapping.hash)
      .map((mapping) => ({ mapping, isTrusted: false, hints: this.#holders(mapping) }))
      .sort((a, b) => b.hints.length - a.hints.length);
    return trusted === undefined ? claimed : [trusted, ...claimed];
  }

  /** That content proved false: whoever said so, with this size, is banned. */
  refute(refuted: DigestMapping): void {
    const { sha256 } = refuted;
    this.#banAuthors(refuted);
    this.#options.onGone(sha256);
    this.#refuted.set(sha256, wordOf(refuted));
    if (this.#refuted.size > BANNED_MAX) this.#refuted.delete(this.#refuted.keys().next().value!);
  }

  #banAuthors(refuted: DigestMapping): void {
    const { sha256, hash } = refuted;
    const claims = this.#claims.get(sha256);
    const reason = `it said that sha256:${sha256} is blob ${hash}, which has another SHA-256`;
    for (const [peerId, { hint, mapping }] of claims ?? []) {
      if (wordOf(mapping) !== wordOf(refuted)) continue;
      claims!.delete(peerId);
      this.#ban(hint, reason);
    }
  }

  /** A peer does not have what it said; that is no lie, blobs go. */
  forget(sha256: Sha256, hash: Hash): void {
    const claims = this.#claims.get(sha256);
    for (const [peerId, { mapping }] of claims ?? []) {
      if (mapping.hash === hash) claims!.delete(peerId);
    }
    this.#options.onGone(sha256);
  }

  isBanned(hint: ProviderHint): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    return authorsOf(hint).some((author) => (this.#banned.get(author) ?? -Infinity) > nowMs);
  }

  #ban(hint: ProviderHint, reason: string): void {
    const untilMs = this.#options.clock.monotonicMs() + this.#options.banMs;
    for (const author of authorsOf(hint)) {
      this.#banned.delete(author);
      this.#banned.set(author, untilMs);
      if (this.#banned.size > BANNED_MAX) this.#banned.delete(this.#banned.keys().next().value!);
    }
    this.#options.swarm.ban(hint, reason);
    this.#options.onBan(hint, reason);
  }

  #live(sha256: Sha256): readonly Claim[] {
    return [...this.#claims.get(sha256)?.values() ?? []]
      .filter(({ hint, mapping }) => !this.isBanned(hint) && this.#unrefuted(mapping));
  }

  #unrefuted(mapping: DigestMapping | undefined): DigestMapping | undefined {
    if (mapping === undefined || this.#refuted.get(mapping.sha256) === wordOf(mapping)) {
      return undefined;
    }
    return mapping;
  }

  #holders(word: DigestMapping): readonly ProviderHint[] {
    return this.#live(word.sha256).filter(({ mapping }) => wordOf(mapping) === wordOf(word))
      .map(({ hint }) => hint);
  }
}

/**
 * Who answers for what a peer says: the peer, and the Nostr key that it is bound to. An advert that the
 * peer did not sign says nothing of it.
 */
function authorsOf({ peerId, bound, nostrKey }: ProviderHint): readonly string[] {
  return bound && nostrKey !== undefined ? [`peer ${peerId}`, `key ${nostrKey}`] : [
    `peer ${peerId}`,
  ];
}

/** What exactly is said: who tells the right hash with a wrong size speaks for nobody else. */
function wordOf({ hash, size }: DigestMapping): string {
  return `${hash} ${size}`;
}
