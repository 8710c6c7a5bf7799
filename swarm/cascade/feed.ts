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
import { ASKS_MAX, ROUNDS_MAX, SEARCH_MS } from "./limits.ts";
import type { Members } from "./members.ts";
import type { Order, Part } from "./order.ts";
import { hangBelow, type ParentOutcome } from "./parent_stream.ts";
import { Patience } from "./patience.ts";
import { Search } from "./search.ts";
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

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /**
   * Brings the part to its end.
   *
   * @throws {SeedmintError} What upstream throws when no member brings it either.
   */
  async run(signal: AbortSignal): Promise<void> {
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

  async #fromMembers(signal: AbortSignal): Promise<void> {
    const { clock, swarm } = this.#options;
    if (swarm === undefined) return;
    let search = this.#search([]);
    let startMs = clock.monotonicMs();
    let parentCount = 0;
    this.#setWay([], new Patience(startMs));
    while (!this.#isDone && clock.monotonicMs() - startMs < SEARCH_MS) {
      const peer = search.next();
      if (peer === undefined) return;
      const outcome = await this.#hangBelow(peer, signal);
      const isParentGone = outcome.kind === "lost" ||
        (outcome.kind === "elsewhere" && outcome.wasFed);
      if (!isParentGone) {
        if (outcome.kind === "elsewhere") search.answered(outcome.peers);
        continue;
      }
      if (++parentCount > ASKS_MAX) return;
      this.#setWay([], new Patience(clock.monotonicMs()));
      if (outcome.kind === "lost") this.#lost.add(peer.peerId);
      // The parent's own parents have a free seat now, and are near upstream.
      search = this.#search(
        outcome.kind === "lost"
          ? outcome.path.slice(1).map((peerId) => swarm.members.addressOf(peerId))
          : outcome.peers,
      );
      startMs = clock.monotonicMs();
    }
  }

  #search(first: readonly PeerAddress[]): Search {
    const { swarm, part } = this.#options;
    const { members, order, network, hints } = swarm!;
    const { ancestors, backups } = order.above(network.peerId, part.index);
    const addressed = (ids: readonly string[]) => ids.map((peerId) => members.addressOf(peerId));
    return new Search({
      hints: [...first, ...hints()],
      ancestors: addressed(ancestors),
      backups: addressed(backups),
      avoid: new Set([network.peerId, ...this.#lost, ...members.avoided()]),
    });
  }

  async #hangBelow(peer: PeerAddress, signal: AbortSignal): Promise<ParentOutcome> {
    const { host, content, part, clock, swarm } = this.#options;
    const { network, members } = swarm!;
    const outcome = await hangBelow({
      network,
      peer,
      sha256: host.sha256,
      size: host.size,
      part: part.index,
      offset: content.tipOf(part),
      certificate: members.certificate,
      isMember: (peerId, certificate) => members.isMember(peerId, certificate),
      clock,
      onPath: (path, patience) => this.#setWay(path, patience),
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
    this.#setWay([], patience);
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

  #setWay(path: readonly string[], patience: Patience): void {
    const { host, part, clock } = this.#options;
    host.setWay(part, {
      path,
      isStarving: () => !this.#isDone && patience.isStarving(clock.monotonicMs()),
    });
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof SeedmintError &&
    (error.code === "storage" || error.code === "no-space" || error.code === "corrupt");
}
