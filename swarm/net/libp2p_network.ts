/**
 * The network on libp2p: TCP, WebSockets and circuits, Noise, Yamux, identify, DCUtR and mDNS. Loading
 * this file loads libp2p; `mod.ts` has a function that does it when it is called.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import {
  type Connection,
  type Libp2p,
  multiaddr,
  partsOf,
  peerIdFromString,
  type Stream,
} from "../libp2p.ts";
import type { ByteStream, Network, PeerAddress, PeerConnection } from "../ports.ts";
import {
  type AddressPolicy,
  type DialAddress,
  dialOrder,
  pinHost,
  usableAddresses,
} from "./addresses.ts";
import { closeWhenIdle } from "./circuit_upgrade.ts";
import { keepPeer, keepReservation, parseTarget, type Target } from "./configured_peers.ts";
import { ConnectionMonitor } from "./connection_monitor.ts";
import { Dialer } from "./dialer.ts";
import { guardLibp2pErrors } from "./error_guard.ts";
import { type FoundPeer, FoundPeers } from "./found_peers.ts";
import { addWebSockets, buildNode, type CircuitTransport } from "./libp2p_node.ts";
import { Libp2pByteStream } from "./libp2p_stream.ts";
import {
  HANDLER_LINGER_MS,
  INBOUND_STREAMS_MAX,
  NEGOTIATION_TIMEOUT_MS,
  OUTBOUND_STREAMS_MAX,
  PING_INTERVAL_MS,
  PING_TIMEOUT_MS,
} from "./limits.ts";
import type { Libp2pNetworkOptions } from "./options.ts";
import { isPeerId } from "./peer_id.ts";
import { boundPeerStore } from "./peer_store_bound.ts";
import { pingConnection } from "./ping.ts";

/** What is kept of an open connection. */
interface ConnectionState {
  readonly streams: Set<Libp2pByteStream>;
  /** Present on relayed connections, whose close is patient until this is called. */
  readonly closeAtOnce?: () => void;
}

/** Streams to peers over libp2p. */
export class Libp2pNetwork implements Network {
  readonly peerId: string;
  readonly #node: Libp2p;
  readonly #clock: Clock;
  readonly #options: Libp2pNetworkOptions;
  readonly #policy: AddressPolicy;
  readonly #dialer: Dialer<Connection>;
  readonly #monitor: ConnectionMonitor<Connection>;
  readonly #states = new WeakMap<Connection, ConnectionState>();
  readonly #found: FoundPeers;
  readonly #stop = new AbortController();
  readonly #unguard: () => void;
  #webSockets: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(node: Libp2p, options: Libp2pNetworkOptions) {
    this.#node = node;
    this.#options = options;
    this.#clock = options.clock;
    this.#policy = options.addressPolicy ?? {};
    this.peerId = node.peerId.toString();
    this.#found = new FoundPeers({ ownPeerId: this.peerId, policy: this.#policy });
    this.#unguard = guardLibp2pErrors((message, error) => this.#log("warning", message, error));
    const pingIntervalMs = options.pingIntervalMs ?? PING_INTERVAL_MS;
    const pingTimeoutMs = Math.min(PING_TIMEOUT_MS, pingIntervalMs);
    this.#dialer = new Dialer({
      clock: options.clock,
      dial: (peerId, address, signal) => this.#dialAddress(peerId, address, signal),
    });
    this.#monitor = new ConnectionMonitor<Connection>({
      clock: options.clock,
      connections: () => node.getConnections(),
      ping: (connection) => pingConnection(connection, pingTimeoutMs),
      intervalMs: pingIntervalMs,
      onDead: (connection) =>
        this.#log("info", `Lost ${connection.remotePeer}: no answer to pings`),
    });
    node.addEventListener("connection:open", (event) => this.#onConnection(event.detail));
    node.addEventListener("peer:identify", (event) => this.#found.onIdentified(event.detail));
    if (options.listen.some((address) => /\/wss?(\/|$)/.test(address))) {
      this.#webSockets = Promise.resolve();
    }
  }

  /**
   * Starts a node and listens. Relays and static peers are reached in the background.
   *
   * @throws {SeedmintError} `usage` if an address cannot be understood or listened on.
   */
  static async start(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
    const peers = (options.peers ?? []).map(parseTarget);
    const relays = (options.relays ?? []).map(parseTarget);
    let network: Libp2pNetwork | undefined;
    let circuitTransport: CircuitTransport;
    try {
      // libp2p would find out in a timer, where nobody can catch it.
      if (needsInterfaces(options)) Deno.networkInterfaces();
      const built = await buildNode(options, (peer) => {
        if (network !== undefined) network.#found.onLocalPeer(peer);
      });
      circuitTransport = built.circuitTransport;
      network = new Libp2pNetwork(built.node, options);
      await built.node.start();
    } catch (error) {
      await network?.[Symbol.asyncDispose]();
      throw new SeedmintError(
        "usage",
        `Cannot start the network on ${options.listen.join(", ") || "no address"}: ${
          messageOf(error).trim().replaceAll(/\s+/g, " ")
        }`,
        { cause: error },
      );
    }
    network.#confirmListenAddresses();
    network.#boundPeerStore();
    network.#keepConfigured(peers, relays, circuitTransport);
    return network;
  }

  addresses(): readonly string[] {
    return this.#closing === undefined ? this.#node.getMultiaddrs().map(String) : [];
  }

  connections(): readonly PeerConnection[] {
    return this.#node.getConnections().filter((connection) => connection.status === "open").map(
      (connection) => ({
        peerId: connection.remotePeer.toString(),
        remoteAddr: connection.remoteAddr.toString(),
        relayed: !connection.direct,
        direction: connection.direction,
        openedMs: connection.timeline.open,
      }),
    );
  }

  async openStream(
    peer: PeerAddress,
    protocol: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ByteStream> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.#throwIfClosed();
    for (let isRetry = false;; isRetry = true) {
      const connection = this.#bestConnection(peer.peerId) ?? await this.#connect(peer, signal);
      try {
        const stream = await connection.newStream(protocol, {
          maxOutboundStreams: OUTBOUND_STREAMS_MAX,
          runOnLimitedConnection: true,
          signal: anySignal(AbortSignal.timeout(NEGOTIATION_TIMEOUT_MS), signal),
        });
        return this.#adopt(stream, connection);
      } catch (error) {
        signal?.throwIfAborted();
        // A connection that was just closing looks open until its event comes.
        if (connection.status !== "open" && !isRetry) continue;
        throw new SeedmintError(
          "unavailable",
          `Cannot open a ${protocol} stream to ${peer.peerId}: ${messageOf(error)}`,
          { cause: error, retryable: true },
        );
      }
    }
  }

  async handle(
    protocol: string,
    handler: (stream: ByteStream) => Promise<void>,
    options: { readonly inboundStreamsMax?: number } = {},
  ): Promise<void> {
    if (this.#node.getProtocols().includes(protocol)) {
      throw new TypeError(`Cannot handle ${protocol}: it has a handler`);
    }
    await this.#node.handle(
      protocol,
      (stream, connection) => void this.#serve(this.#adopt(stream, connection), handler),
      {
        maxInboundStreams: options.inboundStreamsMax ?? INBOUND_STREAMS_MAX,
        maxOutboundStreams: OUTBOUND_STREAMS_MAX,
        runOnLimitedConnection: true,
      },
    );
  }

  onPeer(listener: (peer: FoundPeer) => void): () => void {
    return this.#found.listen(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const reason = new Error("the network was closed");
    this.#stop.abort(reason);
    this.#dialer.stop();
    this.#monitor.stop();
    for (const connection of this.#node.getConnections()) {
      const state = this.#states.get(connection);
      for (const stream of state?.streams ?? []) stream.abort(reason);
      state?.closeAtOnce?.();
    }
    this.#found.close();
    await this.#node.stop();
    this.#unguard();
  }

  async #connect(peer: PeerAddress, signal: AbortSignal | undefined): Promise<Connection> {
    const what = `Cannot reach ${peer.peerId}`;
    if (!isPeerId(peer.peerId)) {
      throw new SeedmintError(
        "unavailable",
        `Cannot reach a peer: its id is not an Ed25519 peer id`,
      );
    }
    if (peer.peerId === this.peerId) {
      throw new SeedmintError("unavailable", `${what}: that is this node itself`);
    }
    const known = await this.#knownAddresses(peer.peerId);
    const addresses = dialOrder(
      usableAddresses(peer.peerId, known, this.#policy),
      usableAddresses(peer.peerId, peer.addrs, this.#policy),
    );
    if (addresses.length === 0) {
      throw new SeedmintError(
        "unavailable",
        `${what}: none of ${peer.addrs.length} given and ${known.length} known addresses can be dialled`,
      );
    }
    try {
      return await this.#dialer.dial(peer.peerId, addresses, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (isSeedmintError(error)) throw error;
      throw new SeedmintError("unavailable", `${what}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #knownAddresses(peerId: string): Promise<readonly string[]> {
    const local = this.#found.localAddresses(peerId);
    try {
      const peer = await this.#node.peerStore.get(peerIdFromString(peerId));
      return [...local, ...peer.addresses.map((address) => address.multiaddr.toString())];
    } catch {
      return local; // libp2p throws for a peer that it never met
    }
  }

  async #dialAddress(
    peerId: string,
    address: DialAddress,
    signal: AbortSignal,
  ): Promise<Connection> {
    if (address.transport === "ws") {
      this.#webSockets ??= addWebSockets(this.#node);
      await this.#webSockets;
    }
    const text = await pinHost(address, this.#policy, async (hostname) => {
      const { lookup } = await import("node:dns/promises");
      return (await lookup(hostname, { all: true })).map((found) => found.address);
    });
    return await partsOf(this.#node).transportManager.dial(
      multiaddr(`${text}/p2p/${peerId}`),
      { signal },
    );
  }

  /** Direct before relayed, and no circuit whose budget is used up. */
  #bestConnection(peerId: string): Connection | undefined {
    let relayed: Connection | undefined;
    if (!isPeerId(peerId)) return undefined;
    for (const connection of this.#node.getConnections(peerIdFromString(peerId))) {
      if (connection.status !== "open") continue;
      if (connection.direct) return connection;
      const { bytes, seconds } = connection.limits ?? {};
      const isUsedUp = (bytes !== undefined && bytes <= 0n) ||
        (seconds !== undefined && seconds <= 0);
      if (!isUsedUp) relayed = connection;
    }
    return relayed;
  }

  #adopt(stream: Stream, connection: Connection): Libp2pByteStream {
    const state = this.#stateOf(connection);
    const adopted = new Libp2pByteStream(stream, {
      peerId: connection.remotePeer.toString(),
      remoteAddr: connection.remoteAddr.toString(),
      relayed: !connection.direct,
      onActivity: () => this.#monitor.touch(connection),
    });
    state.streams.add(adopted);
    adopted.finished.then(() => state.streams.delete(adopted));
    return adopted;
  }

  async #serve(
    stream: Libp2pByteStream,
    handler: (stream: ByteStream) => Promise<void>,
  ): Promise<void> {
    try {
      await handler(stream);
      await stream.closeWrite();
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      if (!isSeedmintError(error)) this.#log("warning", "A handler failed", error);
      return;
    }
    const cancelLinger = this.#clock.timer(
      HANDLER_LINGER_MS,
      () => stream.abort(new Error("the handler returned and the other side did not finish")),
    );
    stream.finished.then(cancelLinger);
  }

  #stateOf(connection: Connection): ConnectionState {
    let state = this.#states.get(connection);
    if (state === undefined) {
      const streams = new Set<Libp2pByteStream>();
      state = connection.direct ? { streams } : {
        streams,
        closeAtOnce: closeWhenIdle(connection, this.#clock),
      };
      this.#states.set(connection, state);
    }
    return state;
  }

  #onConnection(connection: Connection): void {
    this.#stateOf(connection);
    this.#monitor.touch(connection);
  }

  /** libp2p announces a public address only once a stranger confirmed it; ours are the operator's word. */
  #confirmListenAddresses(): void {
    const { transportManager, addressManager } = partsOf(this.#node);
    for (const address of transportManager.getAddrs()) {
      addressManager.confirmObservedAddr(address, { type: "transport" });
    }
  }

  #boundPeerStore(): void {
    void boundPeerStore({
      peerStore: this.#node.peerStore,
      clock: this.#clock,
      isNeeded: (id) => id.equals(this.#node.peerId) || this.#node.getConnections(id).length > 0,
      onError: (error) => this.#log("debug", "Cannot bound the peer store", error),
      signal: this.#stop.signal,
    });
  }

  #keepConfigured(
    peers: readonly Target[],
    relays: readonly Target[],
    circuitTransport: CircuitTransport,
  ): void {
    const options = {
      node: this.#node,
      circuitTransport,
      clock: this.#clock,
      connectionTo: (peerId: string) => this.#bestConnection(peerId),
      dial: (target: Target, signal: AbortSignal) =>
        this.#dialer.dial(target.peerId, target.addresses, signal),
      log: (message: string, error?: unknown) => this.#log("info", message, error),
      signal: this.#stop.signal,
    };
    for (const peer of peers) keepPeer(peer, options);
    for (const relay of relays) keepReservation(relay, options);
  }

  #throwIfClosed(): void {
    if (this.#closing !== undefined) throw new SeedmintError("aborted", "The network was closed");
  }

  #log(level: "debug" | "info" | "warning", message: string, error?: unknown): void {
    this.#options.log?.(level, message, error);
  }
}

/** Whether the addresses of this machine must be read. */
function needsInterfaces(options: Libp2pNetworkOptions): boolean {
  return options.mdns || options.listen.some((text) => /^\/ip[46]\/(?:0\.0\.0\.0|::)\//.test(text));
}

function anySignal(first: AbortSignal, second: AbortSignal | undefined): AbortSignal {
  return second === undefined ? first : AbortSignal.any([first, second]);
}
