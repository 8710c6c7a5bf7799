/**
 * Sources of one blob as the simulator sees them: links with latency and bandwidth, and peers that
 * hang, reset, vanish, return, lie, hold a part, or are slow. Bytes are only counted, never made:
 * what a lie is, and what would verify, the model knows.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../swarm/bao/geometry.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** What a stream lets be under way without an answer. */
const WINDOW_BYTES = 1024 * 1024;

/** Groups of a piece that had left when its request ended. */
const CROSSING_GROUPS = 4;

/** Says how much of a request is paid for, where a simulated source is paid. */
export interface Till {
  /** How many of `count` groups are sent now; less than 1: what {@link more} says. */
  take(count: number): number;
  /** Gives back what was taken and not sent. */
  giveBack(count: number): void;
  /** Calls back once more is paid for, with false if that is not to be expected, or never. */
  more(callback: (isPaid: boolean) => void): void;
  /** The requester verified this many bytes. */
  verified(bytes: number): void;
}

/** How a simulated source behaves. */
export interface SourceModel {
  readonly id: string;
  readonly kind: "peer" | "origin";
  /** One way. */
  readonly latencyMs: number;
  /** Bytes a second of its upload, shared by its requests. */
  readonly bandwidth: number;
  readonly holds: RangeSet;
  readonly tellsHoldings: boolean;
  /** What it asks for a MiB; 0 or absent: nothing. It charges what it sends, wanted or not. */
  readonly priceMsatPerMiB?: number;
  /** Takes payments; without one nothing is looked at but the price. */
  readonly till?: Till;
  /** Groups in a piece, for coarse simulations. @default 16, or less on a slow link. */
  readonly pieceGroups?: number;
  /** Sends a wrong group once it has sent so many. */
  readonly liesAfterGroups?: number;
  /** Claims this size instead of the true one. */
  readonly claimsSize?: number;
  /** Says that it has everything, and answers not-found when asked. */
  readonly boasts?: boolean;
  /** Each group may be the last of its connection, with this probability. */
  readonly resetChance?: number;
  /** Silent from the first to the second time, connections stay open. */
  readonly hangs?: readonly (readonly [number, number])[];
  /** Gone from the first to the second time: connections end, new ones fail. */
  readonly gone?: readonly (readonly [number, number])[];
}

/** What the model tells the driver. */
export interface RequestListener {
  granted(size: number): void;
  verified(start: number, end: number): void;
  received(bytes: number): void;
  finished(): void;
  failed(
    code: "corrupt" | "reset" | "not-found" | "unavailable" | "timeout" | "payment-required",
  ): void;
}

/** A request at work. */
export interface Serving {
  cancel(): void;
  windUp(held: RangeSet): void;
  /** Up to which group plain bytes were sent. */
  cursor: number;
}

/** A source at work. */
export class SimulatedSource {
  readonly model: SourceModel;
  sentGroups = 0;
  readonly #clock: VirtualClock;
  readonly #size: number;
  readonly #random: () => number;
  /** When the link is free again. */
  #freeMs = 0;

  constructor(
    model: SourceModel,
    options: { readonly clock: VirtualClock; readonly size: number; readonly random: () => number },
  ) {
    this.model = model;
    this.#clock = options.clock;
    this.#size = options.size;
    this.#random = options.random;
  }

  /** Progress is told about every 50 ms, and at most in pieces of 16 groups. */
  get #pieceGroups(): number {
    return this.model.pieceGroups ??
      Math.min(16, Math.max(1, Math.floor((this.model.bandwidth * 0.05) / GROUP_BYTES)));
  }

  isIn(spans: readonly (readonly [number, number])[] | undefined): boolean {
    const { nowMs } = this.#clock;
    return spans?.some(([from, to]) => from <= nowMs && nowMs < to) ?? false;
  }

  /**
   * Bytes of a cancelled answer that are on their way already, and go on until the word arrives: a
   * round trip's worth, as far as the stream's window lets them.
   */
  abandon(): number {
    const { latencyMs, bandwidth } = this.model;
    const bytes = Math.min(WINDOW_BYTES, (2 * latencyMs * bandwidth) / 1000);
    this.#freeMs = Math.max(this.#freeMs, this.#clock.nowMs) + (bytes * 1000) / bandwidth;
    return Math.floor(bytes);
  }

  /** Serves a request until it is cancelled or told that others bring the rest. */
  serve(groups: RangeSet, listener: RequestListener): Serving {
    let isOver = false;
    const serving: Serving = {
      cancel: () => isOver = true,
      windUp: (held) => {
        const first = groups.first!;
        // As the store does: verified up to a group that is held, of what was sent.
        const until = RangeSet.of(first, serving.cursor + 1).intersect(held).boundaries.at(-2);
        isOver = true;
        if (until !== undefined && until > first) listener.verified(first, until);
        listener.finished();
      },
      cursor: groups.first ?? 0,
    };
    const { model } = this;
    const end = (tell: () => void) => {
      if (isOver) return;
      isOver = true;
      tell();
    };
    if (this.isIn(model.gone)) {
      this.#clock.after(2 * model.latencyMs + 1, () => end(() => listener.failed("unavailable")));
      return serving;
    }
    this.#clock.after(2 * model.latencyMs, () => {
      if (isOver || this.isIn(model.hangs)) return;
      const asked = truncate(groups, groupCountOf(model.claimsSize ?? this.#size));
      // A liar about the size has whatever it claims to have.
      const sent = model.claimsSize === undefined ? asked.intersect(model.holds) : asked;
      if (sent.isEmpty) return end(() => listener.failed("not-found"));
      listener.granted(model.claimsSize ?? this.#size);
      if (model.kind === "origin") {
        this.#sendPlain(sent, { listener, serving, isOver: () => isOver, end });
      } else {
        this.#send(sent, {
          listener,
          isOver: () => isOver,
          end,
          isShort: !sent.equals(asked),
        });
      }
    });
    return serving;
  }

  /** Sends verified groups one after another, in pieces of up to 16. */
  #send(
    left: RangeSet,
    options: {
      readonly listener: RequestListener;
      readonly isOver: () => boolean;
      readonly end: (tell: () => void) => void;
      readonly isShort: boolean;
    },
  ): void {
    const { listener, end, isOver } = options;
    if (left.isEmpty) {
      return end(() => options.isShort ? listener.failed("not-found") : listener.finished());
    }
    const { till } = this.model;
    const wished = left.take(this.#pieceGroups);
    const paidCount = till === undefined ? wished.count : till.take(wished.count);
    if (paidCount < 1) {
      return till!.more((isPaid) => {
        if (isOver()) return;
        if (isPaid) this.#send(left, options);
        else end(() => listener.failed("payment-required"));
      });
    }
    const piece = paidCount === wished.count ? wished : wished.take(paidCount);
    this.#transmit(piece.count, (isLost) => {
      // What was on its way when the request ended is charged; what had not left yet is not.
      if (isOver()) return till?.giveBack(Math.max(0, piece.count - CROSSING_GROUPS));
      if (isLost) return end(() => listener.failed("reset"));
      const { model } = this;
      // A false size changes the shape of the tree: what the two trees share verifies, no more.
      const isBeyond = model.claimsSize !== undefined && model.claimsSize !== this.#size &&
        piece.boundaries.at(-1)! > sharedGroups(this.#size, model.claimsSize);
      if (this.sentGroups >= (model.liesAfterGroups ?? Infinity) || isBeyond) {
        return end(() => listener.failed("corrupt"));
      }
      this.sentGroups += piece.count;
      for (const run of piece) if (!isOver()) listener.verified(run.start, run.end);
      if (!isOver()) this.#send(left.subtract(piece), options);
    });
  }

  /** An origin's bytes are verified when its whole run came. */
  #sendPlain(
    run: RangeSet,
    options: {
      readonly listener: RequestListener;
      readonly serving: Serving;
      readonly isOver: () => boolean;
      readonly end: (tell: () => void) => void;
    },
  ): void {
    const { listener, isOver, end, serving } = options;
    let left = run;
    const next = () => {
      if (left.isEmpty) {
        if (this.model.liesAfterGroups !== undefined) return end(() => listener.failed("corrupt"));
        for (const range of run) if (!isOver()) listener.verified(range.start, range.end);
        return end(() => listener.finished());
      }
      const piece = left.take(this.#pieceGroups);
      this.#transmit(piece.count, (isLost) => {
        if (isOver()) return;
        if (isLost) return end(() => listener.failed("reset"));
        this.sentGroups += piece.count;
        left = left.subtract(piece);
        serving.cursor = piece.boundaries.at(-1)!;
        listener.received(piece.count * GROUP_BYTES);
        next();
      });
    };
    next();
  }

  /** Moves groups over the link; hanging delays, going away or bad luck loses the connection. */
  #transmit(count: number, arrived: (isLost: boolean) => void): void {
    const { model } = this;
    const clock = this.#clock;
    this.#freeMs = Math.max(this.#freeMs, clock.nowMs) +
      (count * GROUP_BYTES * 1000) / model.bandwidth;
    clock.at(this.#freeMs, () => {
      if (this.isIn(model.gone)) return arrived(true);
      if (this.isIn(model.hangs)) {
        const [, until] = model.hangs!.find(([from, to]) =>
          from <= clock.nowMs && clock.nowMs < to
        )!;
        return clock.at(until, () => arrived(this.isIn(model.gone)));
      }
      const lossChance = model.resetChance === undefined ? 0 : 1 - (1 - model.resetChance) ** count;
      arrived(lossChance > 0 && this.#random() < lossChance);
    });
  }
}

/** Groups on the left that blobs of two sizes may have in common. */
function sharedGroups(size: number, claimed: number): number {
  const [few, many] = [groupCountOf(size), groupCountOf(claimed)].sort((a, b) => a - b);
  if (few === 1) return 0;
  const left = 2 ** Math.floor(Math.log2(few! - 1));
  return left === 2 ** Math.floor(Math.log2(many! - 1)) ? Math.min(left, few! - 1) : 0;
}

/** As bao-tree cuts ranges: past the end asks for the last group. */
function truncate(groups: RangeSet, groupCount: number): RangeSet {
  const last = groups.boundaries.at(-1) ?? 0;
  const isPastEnd = groups.boundaries.length % 2 === 1 || last > groupCount;
  const inside = groups.below(groupCount);
  return isPastEnd ? inside.union(RangeSet.of(groupCount - 1, groupCount)) : inside;
}
