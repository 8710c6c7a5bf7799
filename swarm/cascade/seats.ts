/** Who may hang below this node in one part. Pure. */
import { AWAY_SEATS, HOME_SEATS, PEERS_MAX, WHOLE_SEATS } from "./limits.ts";

/** A member that hangs below this node. */
export interface Seated {
  readonly peerId: string;
  /** Whether the part is its own to pass on, so that others can hang below it. */
  readonly isHome: boolean;
}

/** What becomes of a member that asks for a seat. */
export type Seating<T extends Seated> =
  | { readonly kind: "seated" }
  /** `child` gives its seat up, and is to ask the newcomer. */
  | { readonly kind: "instead"; readonly child: T }
  /** These have seats perhaps, those with many first. */
  | { readonly kind: "full"; readonly children: readonly T[] };

/** How many a member takes in a part. */
export function seatCount(
  options: { readonly isHome: boolean; readonly partCount: number },
): number {
  if (options.partCount === 1) return WHOLE_SEATS;
  return options.isHome ? HOME_SEATS : AWAY_SEATS;
}

/** The seats of one part. */
export class Seats<T extends Seated> {
  readonly #seatCount: number;
  readonly #children: T[] = [];
  #turn = 0;

  constructor(options: { readonly seatCount: number }) {
    this.#seatCount = options.seatCount;
  }

  get children(): readonly T[] {
    return this.#children;
  }

  /**
   * Whether `peerId` may have a seat, without giving it. Who cannot pass the part on makes room for
   * one that can, and hangs below it then.
   */
  seatingOf(newcomer: Seated): Seating<T> {
    if (this.#children.length < this.#seatCount) return { kind: "seated" };
    if (newcomer.isHome) {
      const child = this.#children.find((one) => !one.isHome);
      if (child !== undefined) return { kind: "instead", child };
    }
    const able = this.#children.filter((child) => child.isHome);
    const others = this.#children.filter((child) => !child.isHome);
    // Each newcomer begins at another one, so that the tree grows evenly.
    const turn = this.#turn++;
    const children = [...turned(able, turn), ...turned(others, turn)].slice(0, PEERS_MAX);
    return { kind: "full", children };
  }

  add(child: T): void {
    this.#children.push(child);
  }

  remove(child: T): void {
    const index = this.#children.indexOf(child);
    if (index >= 0) this.#children.splice(index, 1);
  }
}

function turned<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
