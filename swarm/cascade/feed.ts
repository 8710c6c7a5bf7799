/**
 * One part of an intake: from a member that has it or is receiving it, else from upstream. What came
 * stays when a parent is lost; the next one goes on where it stopped.
 *
 *     search -> hang below a member -> end
 *       ^             | lost, sent elsewhere
 *       '-------------'
 *       | nobody left
 *       v
 *     upstream -> end
 */
import { assert } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Network, Origin, PeerAddress } from "../ports.ts";
import type { GrowingContent } from "./content.ts";
import type { Host } from "./host.ts";
import { PARENTS_MAX, ROUNDS_MAX, SEARCH_MS, SETTLE_MS, SETTLE_PER_STEP_MS } from "./limits.ts";
import type { Members } from "./members.ts";
import type { Order, Part } from "./order.ts";
import { hangBelow, type ParentOutcome } from "./parent_stream.ts";
import { Patience } from "./patience.ts";
import { type Candidate, Search } from "./search.ts";
import { readUpstream } from "./upstream.ts";

/** Options of {@link Feed}. */
export interface FeedOptions {
  readonly host: Host;
  readonly content: GrowingContent;
  readonly part: Part;
  readonly origin: Origin;
  /** Absent: nobody but upstream is asked. */
  readonly swarm?: {
    readonly network: Network;
    readonly members: Members;
    readonly order: Order;
    /** The part that this node is to pass on. */
    readonly home: number;
    /** Members that were heard of, the likeliest first. */
    readonly hints: () => readonly PeerAddress[];
  };
  readonly clock: Clock;
  readonly random: Random;
  /** Called after bytes came, with their count. */
  readonly onBytes: (count: number, from: "upstream" | "member") => void;
}

/** See the head of this file. Runs once. */
export class Feed {
  readonly #options: FeedOptions;
  /** Members that were lost as parents: not tried again for this part. */
  readonly #lost = new Set<string>();
  #startMs = 0;
  #hasMoved = false;
  /** Whoever read upstream the last time that anybody was known to. */
  #lastTop: string | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /**
   * Brings the part to its end.
   *
   * @throws {SeedmintError} What upstream throws when no member brings it either.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, swarm } = this.#options;
    this.#startMs = clock.monotonicMs();
    await this.#bring(signal);
    // Whoever is below depends on nobody above this node any more.
    this.#setWay([], new Patience(clock.monotonicMs()), swarm?.network.peerId);
  }

  async #bring(signal: AbortSignal): Promise<void> {
    for (let round = 1;; round++) {
      await this.#fromMembers(signal);
      if (this.#isDone) return;
      try {
        return await this.#fromUpstream(signal);
      } catch (error) {
        signal.throwIfAborted();
        // Another member may be let in where this node is not.
        if (this.#options.swarm === undefined || round >= ROUNDS_MAX || isOurs(error)) throw error;
      }
    }
  }

  get #isDone(): boolean {
    const { content, part } = this.#options;
    return content.tipOf(part) >= part.end;
  }

  /** Once, when most is still to come and whoever is above in the order had time to begin. */
  #mayMove(): boolean {
    const { content, part, clock, swarm } = this.#options;
    if (this.#hasMoved) return false;
    const { ancestors } = swarm!.order.above(swarm!.network.peerId, part.index);
    const settledMs = this.#startMs + SETTLE_MS + ancestors.length * SETTLE_PER_STEP_MS;
    if (clock.monotonicMs() < settledMs) return false;
    this.#hasMoved = true;
    const isEarly = content.tipOf(part) - part.start < (part.end - part.start) / 2;
    return isEarly && ancestors.length > 0;
  }

  async #fromMembers(signal: AbortSignal): Promise<void> {
    const { clock, swarm } = this.#options;
    if (swarm === undefined) return;
    let search = this.#search([], false);
    let startMs = clock.monotonicMs();
    let parentCount = 0;
    this.#setWay([], new Patience(startMs));
    while (!this.#isDone && clock.monotonicMs() - startMs < SEARCH_MS) {
      const candidate = search.next();
      if (candidate === undefined) return;
      const { peer } = candidate;
      const outcome = await this.#hangBelow(candidate, signal);
      const path = "path" in outcome ? outcome.path : undefined;
      if (path === undefined) {
        if (outcome.kind === "elsewhere") search.answered(outcome.peers, outcome.isFull);
        continue;
      }
      if (++parentCount > PARENTS_MAX) return;
      this.#setWay([], new Patience(clock.monotonicMs()));
      if (outcome.kind === "lost") this.#lost.add(peer.peerId);
      // Those on the way up are never below this node, and one of them reads upstream.
      const named = outcome.kind === "elsewhere" ? outcome.peers : [];
      search = this.#search(
        [...named, ...path.map((peerId) => swarm.members.addressOf(peerId))],
        outcome.kind !== "lost",
      );
      startMs = clock.monotonicMs();
    }
  }

  /** @param isNearestFirst Whether the one above in the order may have begun meanwhile. */
  #search(first: readonly PeerAddress[], isNearestFirst: boolean): Search {
    const { swarm, part } = this.#options;
    const { members, order, network, hints } = swarm!;
    const { ancestors, backups } = order.above(network.peerId, part.index);
    const addressed = (ids: readonly string[]) => ids.map((peerId) => members.addressOf(peerId));
    return new Search({
      hints: [
        ...(isNearestFirst ? addressed(ancestors.slice(0, 1)) : []),
        ...first,
        ...addressed(this.#lastTop === undefined ? [] : [this.#lastTop]),
        ...hints(),
      ],
      ancestors: addressed(ancestors),
      backups: addressed(backups),
      avoid: new Set([network.peerId, ...this.#lost, ...members.avoided()]),
    });
  }

  async #hangBelow(
    { peer, isNear, isUrgent }: Candidate,
    signal: AbortSignal,
  ): Promise<ParentOutcome> {
    const { host, content, part, clock, swarm } = this.#options;
    const { network, members, home } = swarm!;
    const outcome = await hangBelow({
      network,
      peer,
      digest: host.digest,
      size: host.size,
      part: part.index,
      offset: content.tipOf(part),
      position: () => content.tipOf(part),
      home,
      isNear,
      isUrgent,
      mayMove: () => !isNear && this.#mayMove(),
      certificate: members.certificate,
      isMember: (peerId, certificate) => members.isMember(peerId, certificate),
      clock,
      onPath: (path, top, patience) => this.#setWay(path, patience, top),
      onBytes: (bytes) => {
        // More than the part has is noise; what is missing shows below.
        const wanted = bytes.subarray(0, part.end - content.tipOf(part));
        if (wanted.length === 0) return;
        this.#append(wanted, "member");
      },
      signal,
    });
    if (outcome.kind === "unreached") members.avoid(peer.peerId);
    if (outcome.kind !== "end" || this.#isDone) return outcome;
    return { kind: "lost", reason: "it ended too early", path: [peer.peerId] };
  }

  async #fromUpstream(signal: AbortSignal): Promise<void> {
    const { origin, host, content, part, clock, random } = this.#options;
    const patience = new Patience(clock.monotonicMs());
    this.#setWay([], patience, this.#options.swarm?.network.peerId);
    await readUpstream({
      origin,
      size: host.size,
      position: () => content.tipOf(part),
      end: part.end,
      append: (bytes) => {
        patience.gained(clock.monotonicMs());
        this.#append(bytes, "upstream");
      },
      clock,
      random,
      signal,
    });
    assert(this.#isDone, "upstream was read to the end of the part");
  }

  #append(bytes: Uint8Array, from: "upstream" | "member"): void {
    const { content, part, onBytes } = this.#options;
    content.append(part, bytes);
    onBytes(bytes.length, from);
  }

  #setWay(path: readonly string[], patience: Patience, top?: string): void {
    if (top !== undefined) this.#lastTop = top;
    const { host, part, clock } = this.#options;
    host.setWay(part, {
      path,
      top,
      isStarving: () => !this.#isDone && patience.isStarving(clock.monotonicMs()),
    });
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof SeedmintError &&
    (error.code === "storage" || error.code === "no-space" || error.code === "corrupt");
}
