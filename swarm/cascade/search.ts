/** The search of one part for a parent: whom to ask next. Pure; what was answered goes in. */
import type { PeerAddress } from "../ports.ts";
import { ASKS_MAX, CHOOSY_ASKS_MAX } from "./limits.ts";

/** Options of {@link Search}. */
export interface SearchOptions {
  /** Tried first: known to be at it. */
  readonly hints: readonly PeerAddress[];
  /** Those above in the order, the nearest first. */
  readonly ancestors: readonly PeerAddress[];
  /** In place of the last ancestor, when that one does not answer. */
  readonly backups: readonly PeerAddress[];
  /** Never asked: this node, and who just failed. */
  readonly avoid: ReadonlySet<string>;
}

/** Somebody to be asked. */
export interface Candidate {
  readonly peer: PeerAddress;
  /** Whether it is the nearest one above in the order. */
  readonly isNear: boolean;
  /** Whether everybody was asked in vain before: then any seat will do. */
  readonly isUrgent: boolean;
}

/** See the head of this file. */
export class Search {
  readonly #asked = new Set<string>();
  readonly #hints: PeerAddress[];
  readonly #ancestors: PeerAddress[];
  readonly #backups: PeerAddress[];
  readonly #nearest: string | undefined;
  /** Those that are at it and full, the first that was asked first. */
  readonly #full: PeerAddress[] = [];
  /** Whether nobody above the last one that answered is left. */
  #hasMetTop: boolean;
  #isUrgent = false;
  #current:
    | { readonly kind: "hint" | "ancestor" | "backup"; readonly peer: PeerAddress }
    | undefined;
  #askCount = 0;

  constructor(options: SearchOptions) {
    for (const peerId of options.avoid) this.#asked.add(peerId);
    this.#hints = [...options.hints];
    this.#ancestors = [...options.ancestors];
    this.#backups = [...options.backups];
    this.#nearest = options.ancestors[0]?.peerId;
    this.#hasMetTop = options.ancestors.length === 0;
  }

  /** Whom to ask now; undefined when it is this node's turn to read upstream. */
  next(): Candidate | undefined {
    if (this.#askCount >= ASKS_MAX) return undefined;
    if (this.#askCount >= CHOOSY_ASKS_MAX && this.#full.length > 0) this.#beginUrgent();
    const peer = this.#nextOfAll() ?? this.#nextUrgent();
    if (peer === undefined) return undefined;
    this.#askCount++;
    return { peer, isNear: peer.peerId === this.#nearest, isUrgent: this.#isUrgent };
  }

  /**
   * The one asked last answered, and takes nobody.
   *
   * @param peers Whom it names instead; asked next.
   * @param isFull Whether it only lacks a seat.
   */
  answered(peers: readonly PeerAddress[], isFull: boolean): void {
    const { kind, peer } = this.#current!;
    const isTop = kind === "backup" || (kind === "ancestor" && this.#ancestors.length === 0);
    if (isTop) this.#hasMetTop = true;
    if (isFull && !this.#isUrgent) this.#full.push(peer);
    this.#hints.unshift(...peers.filter(({ peerId }) => !this.#asked.has(peerId)));
  }

  #take(
    kind: "hint" | "ancestor" | "backup",
    from: PeerAddress[],
  ): PeerAddress | undefined {
    for (let peer = from.shift(); peer !== undefined; peer = from.shift()) {
      if (this.#asked.has(peer.peerId)) continue;
      this.#asked.add(peer.peerId);
      this.#current = { kind, peer };
      return peer;
    }
    return undefined;
  }

  #nextOfAll(): PeerAddress | undefined {
    return this.#take("hint", this.#hints) ?? this.#take("ancestor", this.#ancestors) ??
      (this.#hasMetTop ? undefined : this.#take("backup", this.#backups));
  }

  #nextUrgent(): PeerAddress | undefined {
    this.#beginUrgent();
    return this.#take("hint", this.#hints);
  }

  /** Those that were full once more, as they were met: the nearest to upstream first. */
  #beginUrgent(): void {
    if (this.#isUrgent) return;
    this.#isUrgent = true;
    for (const { peerId } of this.#full) this.#asked.delete(peerId);
    this.#hints.unshift(...this.#full);
  }
}
