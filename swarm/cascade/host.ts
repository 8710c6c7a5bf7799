/** One content that this node passes on: its seats, and where its bytes come from. */
import type { PeerAddress } from "../ports.ts";
import type { Content } from "./content.ts";
import { PATH_MAX, PEERS_MAX } from "./limits.ts";
import { type Part, partsOf } from "./order.ts";
import { type Seated, type Seating, Seats } from "./seats.ts";
import type { ContentDigest } from "./names.ts";

/** A member that is being fed. */
export interface Child extends Seated {
  readonly addrs: readonly string[];
  /** Ends it, naming those that it is to ask now. */
  leave(peers: readonly PeerAddress[]): void;
  /** Tells it of a new path. */
  pathChanged(): void;
  /** Ends it at once. */
  drop(reason: Error): void;
}

/** Where the bytes of one part come from. */
export interface Way {
  /** The parent, its parent, and so on up to whoever reads upstream; empty where that is this node. */
  readonly path: readonly string[];
  /** Who reads upstream, or has everything; undefined while nobody is known that does. */
  readonly top: string | undefined;
  /** Whether no byte came for so long that there is nothing to pass on. */
  isStarving(): boolean;
}

/** What a member that asks is told. */
export type Admission =
  | { readonly kind: "seated" }
  | {
    readonly kind: "elsewhere";
    readonly peers: readonly PeerAddress[];
    /** Whether there is a seat for who has none at all. */
    readonly isFull: boolean;
  };

/** See the head of this file. */
export class Host {
  readonly digest: ContentDigest;
  readonly size: number;
  readonly content: Content;
  readonly parts: readonly Part[];
  readonly #seats: readonly Seats<Child>[];
  readonly #ways: Way[];
  #childCount = 0;
  #isClosed = false;
  /** Called when the last child went. */
  onEmpty: () => void = () => {};

  constructor(
    options: {
      readonly self: string;
      /** The part that this node is to pass on. */
      readonly home: number;
      readonly digest: ContentDigest;
      readonly size: number;
      readonly content: Content;
    },
  ) {
    const { home, digest, size } = options;
    this.digest = digest;
    this.size = size;
    this.content = options.content;
    this.parts = partsOf(size);
    const partCount = this.parts.length;
    this.#seats = this.parts.map(({ index }) => new Seats({ isHome: index === home, partCount }));
    const complete = { path: [], top: options.self, isStarving: () => false };
    this.#ways = this.parts.map(() => complete);
  }

  get childCount(): number {
    return this.#childCount;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  wayOf(part: Part): Way {
    return this.#ways[part.index]!;
  }

  /** Says where a part comes from now; those below are told. */
  setWay(part: Part, way: Way): void {
    this.#ways[part.index] = way;
    for (const child of this.#seats[part.index]!.children) child.pathChanged();
  }

  /**
   * Gives `child` a seat, if there is one for it, and takes it from another if need be.
   *
   * @param options `isUrgent`: it found no seat anywhere; `hasRoom`: whether this node takes anybody.
   */
  admit(
    part: Part,
    child: Child,
    options: { readonly isUrgent: boolean; readonly hasRoom: boolean },
  ): Admission {
    const way = this.wayOf(part);
    const isLoop = way.path.includes(child.peerId);
    const isDeep = way.path.length + 1 >= PATH_MAX;
    if (this.#isClosed || isLoop || isDeep || way.isStarving() || !options.hasRoom) {
      return { kind: "elsewhere", peers: [], isFull: false };
    }
    const seats = this.#seats[part.index]!;
    // Who asks again has lost its stream, whatever this side of it still thinks.
    for (const old of seats.children.filter((one) => one.peerId === child.peerId)) {
      old.drop(new Error("it asked again"));
      this.remove(part, old);
    }
    const seating: Seating<Child> = seats.seatingOf({
      newcomer: child,
      isTop: way.path.length === 0,
      childCount: this.#childCount,
      isUrgent: options.isUrgent,
    });
    if (seating.kind === "full") {
      // Above are those that can pass the part on, if none of them is below.
      const above = way.path.slice(0, 1).map((peerId) => ({ peerId, addrs: [] }));
      const peers = [...addressesOf(seating.children), ...above];
      return { kind: "elsewhere", peers, isFull: true };
    }
    if (seating.kind === "instead") {
      this.remove(part, seating.child);
      const able = seats.children.filter((one) => one.isHome);
      seating.child.leave(addressesOf(child.isHome ? [child, ...able] : able));
    }
    seats.add(child);
    this.#childCount++;
    return { kind: "seated" };
  }

  /** Takes a child's seat back; once is enough. */
  remove(part: Part, child: Child): void {
    const seats = this.#seats[part.index]!;
    if (!seats.children.includes(child)) return;
    seats.remove(child);
    this.#childCount--;
    if (this.#childCount === 0) this.onEmpty();
  }

  /** Ends all children. */
  async close(reason: Error): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const part of this.parts) {
      for (const child of [...this.#seats[part.index]!.children]) {
        child.drop(reason);
        this.remove(part, child);
      }
    }
    await this.content.close();
  }
}

function addressesOf(children: readonly Child[]): readonly PeerAddress[] {
  return children.slice(0, PEERS_MAX - 1).map(({ peerId, addrs }) => ({ peerId, addrs }));
}
