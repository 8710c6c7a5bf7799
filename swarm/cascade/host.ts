/** One content that this node passes on: its seats, and where its bytes come from. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { PeerAddress } from "../ports.ts";
import type { Content } from "./content.ts";
import { PATH_MAX, PEERS_MAX } from "./limits.ts";
import { homeOf, type Part, partsOf } from "./order.ts";
import { seatCount, type Seated, type Seating, Seats } from "./seats.ts";

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
  /** Whether no byte came for so long that there is nothing to pass on. */
  isStarving(): boolean;
}

const COMPLETE: Way = { path: [], isStarving: () => false };

/** What a member that asks is told. */
export type Admission =
  | { readonly kind: "seated" }
  | { readonly kind: "elsewhere"; readonly peers: readonly PeerAddress[] };

/** See the head of this file. */
export class Host {
  readonly sha256: Sha256;
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
      readonly sha256: Sha256;
      readonly size: number;
      readonly content: Content;
    },
  ) {
    const { self, sha256, size } = options;
    this.sha256 = sha256;
    this.size = size;
    this.content = options.content;
    this.parts = partsOf(size);
    const partCount = this.parts.length;
    const home = homeOf(sha256, self, partCount);
    this.#seats = this.parts.map(({ index }) =>
      new Seats({ seatCount: seatCount({ isHome: index === home, partCount }) })
    );
    this.#ways = this.parts.map(() => COMPLETE);
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

  /** Gives `child` a seat, if there is one for it, and takes it from another if need be. */
  admit(part: Part, child: Child, canStay: boolean): Admission {
    const way = this.wayOf(part);
    const isLoop = way.path.includes(child.peerId);
    const isDeep = way.path.length + 1 >= PATH_MAX;
    if (this.#isClosed || isLoop || isDeep || way.isStarving() || !canStay) {
      return { kind: "elsewhere", peers: [] };
    }
    const seats = this.#seats[part.index]!;
    // Who asks again has lost its stream, whatever this side of it still thinks.
    for (const old of seats.children.filter((one) => one.peerId === child.peerId)) {
      old.drop(new Error("it asked again"));
      this.remove(part, old);
    }
    const seating: Seating<Child> = seats.seatingOf(child);
    if (seating.kind === "full") {
      return { kind: "elsewhere", peers: addressesOf(seating.children) };
    }
    if (seating.kind === "instead") {
      this.remove(part, seating.child);
      seating.child.leave([{ peerId: child.peerId, addrs: child.addrs }]);
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
  return children.slice(0, PEERS_MAX).map(({ peerId, addrs }) => ({ peerId, addrs }));
}
