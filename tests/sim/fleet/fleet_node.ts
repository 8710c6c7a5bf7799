/** One member of a simulated fleet: the cascade's decisions, with streams that are numbers. */
import type { PeerAddress } from "../../../swarm/ports.ts";
import type { Content } from "../../../swarm/cascade/content.ts";
import { type Child, Host } from "../../../swarm/cascade/host.ts";
import {
  ANSWER_MS,
  SEARCH_MS,
  SETTLE_MS,
  SETTLE_PER_STEP_MS,
  WATCH_MS,
} from "../../../swarm/cascade/limits.ts";
import { type Part, partsOf } from "../../../swarm/cascade/order.ts";
import { Patience } from "../../../swarm/cascade/patience.ts";
import { Roster } from "../../../swarm/cascade/roster.ts";
import { type Candidate, Search } from "../../../swarm/cascade/search.ts";
import type { FleetSim } from "./fleet_sim.ts";

/** One part as this node receives it. */
class SimFeed {
  readonly part: Part;
  tip: number;
  /** The tip when the step began: what others can be sent in it. */
  seen: number;
  parent: SimChild | undefined;
  path: readonly string[] = [];
  patience: Patience;
  search: Search | undefined;
  searchStartMs = 0;
  readonly lost = new Set<string>();
  hasMoved = false;
  lastTop: string | undefined;
  isNear = false;
  readonly startMs: number;
  reading: { readonly node: FleetNode; readonly part: number } | undefined;

  constructor(part: Part, nowMs: number) {
    this.part = part;
    this.tip = part.start;
    this.seen = part.start;
    this.startMs = nowMs;
    this.patience = new Patience(nowMs);
  }

  get isDone(): boolean {
    return this.tip >= this.part.end;
  }
}

/** The seat of a child, as its parent has it. */
class SimChild implements Child {
  readonly addrs: readonly string[] = [];
  isOver = false;

  readonly peerId: string;
  readonly isHome: boolean;
  readonly isNear: boolean;
  readonly parent: FleetNode;
  readonly child: FleetNode;
  readonly feed: SimFeed;

  constructor(
    options: {
      readonly isHome: boolean;
      readonly isNear: boolean;
      readonly parent: FleetNode;
      readonly child: FleetNode;
      readonly feed: SimFeed;
    },
  ) {
    this.peerId = options.child.id;
    this.isHome = options.isHome;
    this.isNear = options.isNear;
    this.parent = options.parent;
    this.child = options.child;
    this.feed = options.feed;
  }

  leave(peers: readonly PeerAddress[]): void {
    this.#end((child) => child.parentGone(this, peers));
  }

  pathChanged(): void {
    const { path, top } = this.parent.host!.wayOf(this.feed.part);
    this.parent.sim.clock.after(this.parent.sim.latencyMs, () => {
      if (!this.isOver) this.child.pathTold(this, path, top);
    });
  }

  drop(): void {
    this.#end((child) => child.parentGone(this, []));
  }

  #end(tell: (child: FleetNode) => void): void {
    if (this.isOver) return;
    this.isOver = true;
    const { sim } = this.parent;
    sim.clock.after(sim.latencyMs, () => tell(this.child));
  }
}

/** See the head of this file. */
export class FleetNode {
  readonly id: string;
  readonly sim: FleetSim;
  host: Host | undefined;
  doneMs: number | undefined;
  answeredCount = 0;
  sentBytes = 0;
  isDead = false;
  #feeds: readonly SimFeed[] = [];
  readonly #roster = new Roster();
  readonly #avoided = new Set<string>();
  #children: SimChild[] = [];
  #downLeft = 0;

  constructor(id: string, sim: FleetSim) {
    this.id = id;
    this.sim = sim;
  }

  get isOver(): boolean {
    return this.isDead || this.doneMs !== undefined;
  }

  begin(): void {
    if (this.isDead) return;
    const { sim } = this;
    const { size } = sim.scene;
    const nowMs = sim.clock.nowMs;
    this.#feeds = partsOf(size).map((part) => new SimFeed(part, nowMs));
    const content: Content = {
      tipOf: (part) => this.#feeds[part.index]!.tip,
      read: () => Promise.resolve(0),
      onGrow: () => () => {},
      close: () => Promise.resolve(),
    };
    this.host = new Host({
      self: this.id,
      home: sim.order.homeOf(this.id),
      digest: sim.sha256,
      size,
      content,
    });
    for (const feed of this.#feeds) this.#seek(feed, [], false);
    this.#watch();
  }

  die(): void {
    if (this.doneMs !== undefined) return;
    this.isDead = true;
    for (const feed of this.#feeds) this.#stopReading(feed);
  }

  /** Answers a question for a part; undefined from who is dead. */
  answer(
    asker: FleetNode,
    feed: SimFeed,
    { isNear, isUrgent }: Candidate,
  ): SimChild | { readonly peers: readonly PeerAddress[]; readonly isFull: boolean } | undefined {
    if (this.isDead) return undefined;
    this.answeredCount++;
    const { sim } = this;
    if (this.host === undefined) {
      const peer = { peerId: asker.id, addrs: [] };
      return { peers: this.#roster.met(sim.sha256, peer, sim.clock.nowMs), isFull: false };
    }
    const isHome = sim.order.homeOf(asker.id) === feed.part.index;
    const child = new SimChild({ isHome, isNear, parent: this, child: asker, feed });
    const admission = this.host.admit(feed.part, child, { isUrgent, hasRoom: true });
    if (admission.kind === "elsewhere") return admission;
    this.#children.push(child);
    return child;
  }

  /** The parent gave the seat up, or went. */
  parentGone(seat: SimChild, peers: readonly PeerAddress[]): void {
    const { feed } = seat;
    if (this.isDead || feed.parent !== seat) return;
    feed.parent = undefined;
    if (!feed.isDone) this.#seek(feed, [...peers, ...addressed(feed.path)], true);
  }

  pathTold(seat: SimChild, above: readonly string[], top: string | undefined): void {
    const { feed } = seat;
    if (this.isDead || feed.parent !== seat) return;
    const path = [seat.parent.id, ...above];
    const loopEnd = path.indexOf(this.id);
    if (loopEnd >= 0 && path.slice(0, loopEnd).every((peerId) => this.id < peerId)) {
      return this.#leave(feed);
    }
    this.#setWay(feed, path, feed.patience, top);
  }

  beginStep(downBytes: number): void {
    this.#downLeft = downBytes;
    for (const feed of this.#feeds) feed.seen = feed.tip;
  }

  /** Sends a step's worth to those below. */
  send(upBytes: number): void {
    if (this.isDead || this.#children.length === 0) return;
    this.#children = this.#children.filter((child) => !child.isOver);
    let left = upBytes;
    // Twice, so that what one cannot take goes to the others.
    for (let pass = 0; pass < 2 && left > 1; pass++) {
      let waiting = this.#children.length;
      for (const seat of this.#children) {
        const own = this.#feeds[seat.feed.part.index]!;
        const can = Math.min(left / waiting--, own.seen - seat.feed.tip);
        if (can <= 0) continue;
        const taken = seat.child.take(seat.feed.part.index, can, "member");
        left -= taken;
        this.sentBytes += taken;
      }
    }
  }

  /** Takes up to `bytes` of a part; returns how many. */
  take(part: number, bytes: number, from: "upstream" | "member"): number {
    const feed = this.#feeds[part]!;
    const isWanted = !this.isDead && (from === "upstream") === (feed.reading !== undefined);
    const taken = isWanted
      ? Math.max(0, Math.min(bytes, this.#downLeft, feed.part.end - feed.tip))
      : 0;
    if (taken === 0) return 0;
    this.#downLeft -= taken;
    feed.tip += taken;
    if (feed.part.end - feed.tip < 0.5) feed.tip = feed.part.end;
    feed.patience.gained(this.sim.clock.nowMs);
    return taken;
  }

  endStep(nowMs: number): void {
    if (this.isOver || this.#feeds.length === 0) return;
    for (const feed of this.#feeds) {
      if (!feed.isDone) continue;
      this.#stopReading(feed);
      if (feed.parent !== undefined && !feed.parent.isOver) {
        feed.parent.isOver = true;
        feed.parent.parent.host!.remove(feed.part, feed.parent);
      }
    }
    if (this.#feeds.every((feed) => feed.isDone)) this.doneMs = nowMs;
  }

  #seek(feed: SimFeed, first: readonly PeerAddress[], isNearestFirst: boolean): void {
    const { sim } = this;
    const { ancestors, backups } = sim.order.above(this.id, feed.part.index);
    const nowMs = sim.clock.nowMs;
    feed.searchStartMs = nowMs;
    feed.search = new Search({
      hints: [
        ...(isNearestFirst ? addressed(ancestors.slice(0, 1)) : []),
        ...first,
        ...addressed(feed.lastTop === undefined ? [] : [feed.lastTop]),
        ...this.#roster.peersOf(sim.sha256, nowMs),
      ],
      ancestors: addressed(ancestors),
      backups: addressed(backups),
      avoid: new Set([this.id, ...feed.lost, ...this.#avoided]),
    });
    this.#setWay(feed, [], new Patience(nowMs));
    this.#next(feed);
  }

  #next(feed: SimFeed): void {
    const { sim } = this;
    if (this.isDead || feed.isDone) return;
    const isLate = sim.clock.nowMs - feed.searchStartMs >= SEARCH_MS;
    const candidate = isLate ? undefined : feed.search!.next();
    if (candidate === undefined) return this.#readUpstream(feed);
    sim.askCount++;
    const { search } = feed;
    const { peer } = candidate;
    sim.clock.after(sim.latencyMs, () => {
      const answer = sim.nodes.get(peer.peerId)!.answer(this, feed, candidate);
      if (answer === undefined) {
        this.#avoided.add(peer.peerId);
        return sim.clock.after(ANSWER_MS, () => this.#next(feed));
      }
      sim.clock.after(sim.latencyMs, () => {
        if (this.isDead || feed.search !== search) return;
        feed.isNear = candidate.isNear;
        if (answer instanceof SimChild) return this.#seated(feed, answer);
        feed.search!.answered(answer.peers, answer.isFull);
        this.#next(feed);
      });
    });
  }

  #seated(feed: SimFeed, seat: SimChild): void {
    feed.parent = seat;
    feed.search = undefined;
    feed.patience = new Patience(this.sim.clock.nowMs);
    const { path, top } = seat.parent.host!.wayOf(feed.part);
    this.pathTold(seat, path, top);
    if (seat.isOver) this.parentGone(seat, []);
  }

  #readUpstream(feed: SimFeed): void {
    const { sim } = this;
    feed.search = undefined;
    sim.clock.after(sim.scene.upstreamFirstMs ?? 50, () => {
      if (this.isDead || feed.isDone) return;
      feed.reading = { node: this, part: feed.part.index };
      sim.readers.add(feed.reading);
    });
    this.#setWay(feed, [], new Patience(sim.clock.nowMs), this.id);
  }

  #stopReading(feed: SimFeed): void {
    if (feed.reading !== undefined) this.sim.readers.delete(feed.reading);
    feed.reading = undefined;
  }

  #setWay(feed: SimFeed, path: readonly string[], patience: Patience, top?: string): void {
    if (top !== undefined) feed.lastTop = top;
    feed.path = path;
    feed.patience = patience;
    this.sim.depthMax = Math.max(this.sim.depthMax, path.length);
    this.host!.setWay(feed.part, {
      path,
      top,
      isStarving: () => !feed.isDone && patience.isStarving(this.sim.clock.nowMs),
    });
  }

  #watch(): void {
    if (this.isOver) return;
    const nowMs = this.sim.clock.nowMs;
    for (const feed of this.#feeds) {
      if (feed.parent === undefined || feed.isDone) continue;
      // A parent that lives ticks.
      if (!feed.parent.parent.isDead) feed.patience.heard(nowMs);
      if (feed.patience.reasonToLeave(nowMs, feed.path.length) !== undefined) this.#leave(feed);
      else if (!feed.isNear && this.#mayMove(feed, nowMs)) this.#move(feed);
    }
    this.sim.clock.after(WATCH_MS, () => this.#watch());
  }

  /** As `Feed` has it. */
  #mayMove(feed: SimFeed, nowMs: number): boolean {
    const { part, tip } = feed;
    if (feed.hasMoved) return false;
    const { ancestors } = this.sim.order.above(this.id, part.index);
    if (nowMs < feed.startMs + SETTLE_MS + ancestors.length * SETTLE_PER_STEP_MS) return false;
    feed.hasMoved = true;
    const isEarly = tip - part.start < (part.end - part.start) / 2;
    return isEarly && ancestors.length > 0;
  }

  #move(feed: SimFeed): void {
    const seat = feed.parent!;
    feed.parent = undefined;
    seat.isOver = true;
    seat.parent.host!.remove(feed.part, seat);
    this.#seek(feed, addressed(feed.path), true);
  }

  #leave(feed: SimFeed): void {
    const seat = feed.parent!;
    feed.lost.add(seat.parent.id);
    feed.parent = undefined;
    seat.isOver = true;
    seat.parent.host!.remove(feed.part, seat);
    this.#seek(feed, addressed(feed.path), false);
  }
}

function addressed(ids: readonly string[]): readonly PeerAddress[] {
  return ids.map((peerId) => ({ peerId, addrs: [] }));
}
