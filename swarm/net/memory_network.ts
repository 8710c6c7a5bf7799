/**
 * The memory twin of the network: peers of one process, joined by a hub instead of sockets. It keeps
 * the promises of {@link Network} in full (windows, half closing, aborts, stream limits, addresses
 * that must be known to dial), so whatever runs on it runs on libp2p.
 *
 * @example
 * const hub = new MemoryHub({ clock: systemClock });
 * const alice = hub.join(aliceId);
 * const bob = hub.join(bobId);
 * await bob.handle("/echo/1", async (stream) => { ... });
 * const stream = await alice.openStream({ peerId: bobId, addrs: bob.addresses() }, "/echo/1");
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream, Network, PeerAddress, PeerConnection } from "../ports.ts";
import {
  HANDLER_LINGER_MS,
  INBOUND_STREAMS_MAX,
  MEMORY_WINDOW_BYTES,
  REMEMBERED_PEERS_MAX,
} from "./limits.ts";
import { type MemoryStream, memoryStreamPair } from "./memory_stream.ts";
import { isPeerId } from "./peer_id.ts";

/** Options of {@link MemoryHub}. */
export interface MemoryHubOptions {
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs" | "timer" | "sleep">;
  /** One-way delay in milliseconds between two peers, asked per write. @default {() => 0} */
  readonly latencyMs?: (from: string, to: string) => number;
  /** Bytes of one direction of a stream before its writer must wait. @default {256 KiB} */
  readonly windowBytes?: number;
}

/** Options of {@link MemoryHub.join}. */
export interface MemoryJoinOptions {
  /** Whether members that also have it are found as if on one local network. @default {false} */
  readonly mdns?: boolean;
}

/** What {@link MemoryNetwork.onPeer} tells. */
type FoundPeer = PeerAddress & { readonly via: "mdns" | "connection" };

/** The wire between memory networks. Tests cut it, slow it and heal it. */
export class MemoryHub {
  readonly clock: MemoryHubOptions["clock"];
  readonly windowBytes: number;
  readonly #latencyMs: (from: string, to: string) => number;
  readonly #members = new Map<string, MemoryNetwork>();
  readonly #cuts = new Set<string>();

  constructor(options: MemoryHubOptions) {
    this.clock = options.clock;
    this.windowBytes = options.windowBytes ?? MEMORY_WINDOW_BYTES;
    this.#latencyMs = options.latencyMs ?? (() => 0);
  }

  /**
   * Adds a peer.
   *
   * @throws {TypeError} If `peerId` is none, or is a member already.
   */
  join(peerId: string, options: MemoryJoinOptions = {}): MemoryNetwork {
    if (!isPeerId(peerId)) throw new TypeError(`Cannot join: ${peerId} is not a peer id`);
    if (this.#members.has(peerId)) throw new TypeError(`Cannot join: ${peerId} is a member`);
    const network = new MemoryNetwork(this, peerId, options);
    const neighbours = [...this.#members.values()].filter((other) => other.mdns && network.mdns);
    this.#members.set(peerId, network);
    for (const other of neighbours) {
      queueMicrotask(() => {
        other.found({ peerId, addrs: network.addresses(), via: "mdns" });
        network.found({ peerId: other.peerId, addrs: other.addresses(), via: "mdns" });
      });
    }
    return network;
  }

  /** Drops the connection of two peers: their streams are reset, dialling again works. */
  disconnect(a: string, b: string): void {
    const reason = new Error("the connection was lost");
    this.#members.get(a)?.dropConnection(b, reason);
    this.#members.get(b)?.dropConnection(a, reason);
  }

  /** Drops the connection of two peers and lets no new one through until {@link heal}. */
  cut(a: string, b: string): void {
    this.#cuts.add(pairKey(a, b));
    this.disconnect(a, b);
  }

  /** Undoes {@link cut}. */
  heal(a: string, b: string): void {
    this.#cuts.delete(pairKey(a, b));
  }

  /** The member that may be dialled from `from`; for {@link MemoryNetwork} only. */
  reach(from: string, to: string): MemoryNetwork | undefined {
    return this.#cuts.has(pairKey(from, to)) ? undefined : this.#members.get(to);
  }

  /** Delay of one way; for {@link MemoryNetwork} only. */
  latencyMs(from: string, to: string): number {
    return this.#latencyMs(from, to);
  }

  /** Forgets a member; for {@link MemoryNetwork} only. */
  leave(peerId: string): void {
    this.#members.delete(peerId);
  }
}

/** A connection as one of its two ends sees it. */
interface Connection extends PeerConnection {
  readonly streams: Set<MemoryStream>;
  readonly inboundCounts: Map<string, number>;
}

interface Handler {
  readonly serve: (stream: ByteStream) => Promise<void>;
  readonly inboundStreamsMax: number;
}

/** One peer of a {@link MemoryHub}. Create it with {@link MemoryHub.join}. */
export class MemoryNetwork implements Network {
  readonly peerId: string;
  readonly mdns: boolean;
  readonly #hub: MemoryHub;
  readonly #handlers = new Map<string, Handler>();
  readonly #connections = new Map<string, Connection>();
  readonly #knownPeers = new Set<string>();
  readonly #listeners = new Set<(peer: FoundPeer) => void>();
  #isClosed = false;

  constructor(hub: MemoryHub, peerId: string, options: MemoryJoinOptions) {
    this.#hub = hub;
    this.peerId = peerId;
    this.mdns = options.mdns ?? false;
  }

  addresses(): readonly string[] {
    return this.#isClosed ? [] : [memoryAddress(this.peerId)];
  }

  connections(): readonly PeerConnection[] {
    return [...this.#connections.values()].map((connection) => ({
      peerId: connection.peerId,
      remoteAddr: connection.remoteAddr,
      relayed: connection.relayed,
      direction: connection.direction,
      openedMs: connection.openedMs,
    }));
  }

  async openStream(
    peer: PeerAddress,
    protocol: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ByteStream> {
    options.signal?.throwIfAborted();
    this.#throwIfClosed();
    const roundTripMs = this.#hub.latencyMs(this.peerId, peer.peerId) +
      this.#hub.latencyMs(peer.peerId, this.peerId);
    if (roundTripMs > 0) await this.#hub.clock.sleep(roundTripMs, options);
    else await Promise.resolve();
    options.signal?.throwIfAborted();
    this.#throwIfClosed();
    const other = this.#connect(peer);
    return this.#join(other, protocol);
  }

  handle(
    protocol: string,
    handler: (stream: ByteStream) => Promise<void>,
    options: { readonly inboundStreamsMax?: number } = {},
  ): Promise<void> {
    if (this.#handlers.has(protocol)) {
      return Promise.reject(new TypeError(`Cannot handle ${protocol}: it has a handler`));
    }
    this.#handlers.set(protocol, {
      serve: handler,
      inboundStreamsMax: options.inboundStreamsMax ?? INBOUND_STREAMS_MAX,
    });
    return Promise.resolve();
  }

  onPeer(listener: (peer: FoundPeer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    this.#hub.leave(this.peerId);
    for (const peerId of [...this.#connections.keys()]) this.#hub.disconnect(this.peerId, peerId);
    const reason = new Error("the network was closed");
    for (const peerId of [...this.#connections.keys()]) this.dropConnection(peerId, reason);
    this.#handlers.clear();
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** Tells the listeners of a peer and remembers it; for the hub only. */
  found(peer: FoundPeer): void {
    if (this.#isClosed) return;
    if (this.#knownPeers.size < REMEMBERED_PEERS_MAX) this.#knownPeers.add(peer.peerId);
    for (const listener of [...this.#listeners]) listener(peer);
  }

  /** Ends this side's view of a connection; for the hub only. */
  dropConnection(peerId: string, reason: Error): void {
    const connection = this.#connections.get(peerId);
    if (connection === undefined) return;
    this.#connections.delete(peerId);
    for (const stream of [...connection.streams]) stream.abort(reason);
  }

  #connect(peer: PeerAddress): MemoryNetwork {
    const what = `Cannot open a stream to ${peer.peerId}`;
    if (peer.peerId === this.peerId) {
      throw new SeedmintError("unavailable", `${what}: that is this node itself`);
    }
    const other = this.#hub.reach(this.peerId, peer.peerId);
    if (other === undefined) {
      throw new SeedmintError("unavailable", `${what}: it does not answer`, { retryable: true });
    }
    if (this.#connections.has(peer.peerId)) return other;
    const isAddressKnown = this.#knownPeers.has(peer.peerId) ||
      peer.addrs.includes(memoryAddress(peer.peerId));
    if (!isAddressKnown) {
      throw new SeedmintError(
        "unavailable",
        `${what}: no connection is open and none of ${peer.addrs.length} addresses is one of a memory network`,
      );
    }
    this.#adopt(other.peerId, "outbound");
    other.#adopt(this.peerId, "inbound");
    return other;
  }

  #adopt(peerId: string, direction: "inbound" | "outbound"): void {
    this.#connections.set(peerId, {
      peerId,
      remoteAddr: memoryAddress(peerId),
      relayed: false,
      direction,
      openedMs: this.#hub.clock.nowMs(),
      streams: new Set(),
      inboundCounts: new Map(),
    });
    queueMicrotask(() => this.found({ peerId, addrs: [memoryAddress(peerId)], via: "connection" }));
  }

  #join(other: MemoryNetwork, protocol: string): ByteStream {
    const handler = other.#handlers.get(protocol);
    if (handler === undefined) {
      throw new SeedmintError(
        "unavailable",
        `Cannot open a stream to ${other.peerId}: it does not speak ${protocol}`,
      );
    }
    const ours = this.#connections.get(other.peerId)!;
    const theirs = other.#connections.get(this.peerId)!;
    const inboundCount = theirs.inboundCounts.get(protocol) ?? 0;
    theirs.inboundCounts.set(protocol, inboundCount + 1);
    const [near, far] = memoryStreamPair({
      opener: { peerId: other.peerId, remoteAddr: ours.remoteAddr, relayed: false },
      acceptor: { peerId: this.peerId, remoteAddr: theirs.remoteAddr, relayed: false },
      windowBytes: this.#hub.windowBytes,
      clock: this.#hub.clock,
      latencyMs: () => this.#hub.latencyMs(this.peerId, other.peerId),
    });
    ours.streams.add(near);
    theirs.streams.add(far);
    near.onEnd(() => {
      ours.streams.delete(near);
      theirs.streams.delete(far);
      theirs.inboundCounts.set(protocol, theirs.inboundCounts.get(protocol)! - 1);
    });
    if (inboundCount >= handler.inboundStreamsMax) {
      far.abort(new Error(`more than ${handler.inboundStreamsMax} streams of ${protocol}`));
    } else {
      queueMicrotask(() => serveStream(far, handler.serve, this.#hub.clock));
    }
    return near;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new SeedmintError("aborted", "The network was closed");
  }
}

/** Runs a handler; what it leaves half open is ended, what it throws ends only its own stream. */
async function serveStream(
  stream: MemoryStream,
  serve: (stream: ByteStream) => Promise<void>,
  clock: Pick<Clock, "timer">,
): Promise<void> {
  try {
    await serve(stream);
    await stream.closeWrite();
  } catch (error) {
    stream.abort(isSeedmintError(error) ? error : new Error(messageOf(error)));
    return;
  }
  const cancelLinger = clock.timer(
    HANDLER_LINGER_MS,
    () => stream.abort(new Error("the handler returned and the other side did not finish")),
  );
  stream.onEnd(cancelLinger);
}

function memoryAddress(peerId: string): string {
  return `/memory/${peerId}/p2p/${peerId}`;
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
