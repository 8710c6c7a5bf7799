/** The search of one part for a parent: whom to ask next. Pure; what was answered goes in. */
import type { PeerAddress } from "../ports.ts";
import { ASKS_MAX } from "./limits.ts";

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

/** See the head of this file. */
export class Search {
  readonly #asked = new Set<string>();
  readonly #hints: PeerAddress[];
  readonly #ancestors: PeerAddress[];
  readonly #backups: PeerAddress[];
  /** Whether nobody above the last one that answered is left. */
  #hasMetTop: boolean;
  #current: "hint" | "ancestor" | "backup" = "hint";
  #askCount = 0;

  constructor(options: SearchOptions) {
    for (const peerId of options.avoid) this.#asked.add(peerId);
    this.#hints = [...options.hints];
    this.#ancestors = [...options.ancestors];
    this.#backups = [...options.backups];
    this.#hasMetTop = options.ancestors.length === 0;
  }

  /** Whom to ask now; undefined when it is this node's turn to read upstream. */
  next(): PeerAddress | undefined {
    if (this.#askCount >= ASKS_MAX) return undefined;
    const found = this.#take("hint", this.#hints) ?? this.#take("ancestor", this.#ancestors) ??
      (this.#hasMetTop ? undefined : this.#take("backup", this.#backups));
    if (found !== undefined) this.#askCount++;
    return found;
  }

  /**
   * The one asked last answered, and takes nobody.
   *
   * @param peers Whom it names instead; asked next.
   */
  answered(peers: readonly PeerAddress[]): void {
    const isTop = this.#current === "backup" ||
      (this.#current === "ancestor" && this.#ancestors.length === 0);
    if (isTop) this.#hasMetTop = true;
    this.#hints.unshift(...peers.filter((peer) => !this.#asked.has(peer.peerId)));
  }

  #take(kind: "hint" | "ancestor" | "backup", from: PeerAddress[]): PeerAddress | undefined {
    for (let peer = from.shift(); peer !== undefined; peer = from.shift()) {
      if (this.#asked.has(peer.peerId)) continue;
      this.#asked.add(peer.peerId);
      this.#current = kind;
      return peer;
    }
    return undefined;
  }
}
