/** Who may hang below this node in one part. Pure. */
import { AWAY_SEATS, PEERS_MAX, SEATS, URGENT_SEATS, WHOLE_SEATS } from "./limits.ts";

/** A member that hangs below this node. */
export interface Seated {
  readonly peerId: string;
  /** Whether the part is its own to pass on, so that others can hang below it. */
  readonly isHome: boolean;
  /** Whether this node is the one that it asks first. */
  readonly isNear: boolean;
}

/** What becomes of a member that asks for a seat. */
export type Seating<T extends Seated> =
  | { readonly kind: "seated" }
  /** `child` gives its seat up, and is to ask the newcomer. */
  | { readonly kind: "instead"; readonly child: T }
  /** These have seats perhaps. */
  | { readonly kind: "full"; readonly children: readonly T[] };

/** How somebody asks for a seat. */
export interface SeatRequest {
  readonly newcomer: Seated;
  /** Whether this node has no parent in the part. */
  readonly isTop: boolean;
  /** Children of this node in all parts. */
  readonly childCount: number;
  /** Whether the newcomer found no seat anywhere. */
  readonly isUrgent: boolean;
}

/** The seats of one part. */
export class Seats<T extends Seated> {
  readonly #isHome: boolean;
  readonly #partCount: number;
  readonly #children: T[] = [];
  #turn = 0;

  /** @param options `isHome`: whether the part is this node's own to pass on. */
  constructor(options: { readonly isHome: boolean; readonly partCount: number }) {
    this.#isHome = options.isHome;
    this.#partCount = options.partCount;
  }

  get children(): readonly T[] {
    return this.#children;
  }

  /**
   * Whether the newcomer may have a seat, without giving it. Whoever asks this node first has a right
   * to one; and who cannot pass the part on makes room for one that can.
   */
  seatingOf(request: SeatRequest): Seating<T> {
    const { newcomer, isUrgent } = request;
    if (this.#hasSeat(request)) return { kind: "seated" };
    const strangers = this.#children.filter((child) => !child.isNear);
    const child = strangers.find((one) => !one.isHome) ??
      (newcomer.isNear ? strangers[0] : undefined);
    if (child !== undefined && (newcomer.isNear || newcomer.isHome)) {
      return { kind: "instead", child };
    }
    const able = this.#children.filter((child) => child.isHome);
    const others = this.#children.filter((child) => !child.isHome);
    // Each newcomer begins at another one, so that the tree grows evenly.
    const turn = this.#turn++;
    const children = [...turned(able, turn), ...(isUrgent ? turned(others, turn) : [])];
    return { kind: "full", children: children.slice(0, PEERS_MAX) };
  }

  add(child: T): void {
    this.#children.push(child);
  }

  remove(child: T): void {
    const index = this.#children.indexOf(child);
    if (index >= 0) this.#children.splice(index, 1);
  }

  #hasSeat({ isTop, isUrgent, childCount }: SeatRequest): boolean {
    const more = isUrgent ? URGENT_SEATS : 0;
    const ownCount = this.#children.length;
    if (this.#partCount === 1) return ownCount < WHOLE_SEATS + more;
    // A part that begins here must go on somewhere, whatever the others take.
    if (isTop && ownCount < AWAY_SEATS) return true;
    return (this.#isHome || isUrgent) && childCount < SEATS + more;
  }
}

function turned<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
