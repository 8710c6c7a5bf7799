/**
 * A libp2p transport for TCP on `Deno.connect` and `Deno.listen`: the same multiaddrs and bytes on
 * the wire as `@libp2p/tcp`, at less cost per byte than `node:net`.
 */
import {
  AbortError,
  type ComponentLogger,
  type Connection,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type Logger,
  type Multiaddr,
  serviceCapabilities,
  type Transport,
  transportSymbol,
} from "../../libp2p.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { INACTIVITY_MS, LISTENER_CONNECTION_COUNT_MAX } from "./limits.ts";
import { hostAndPort, isTcpAddress } from "./tcp_address.ts";
import { DenoTcpConnection } from "./tcp_connection.ts";
import { DenoTcpListener } from "./tcp_listener.ts";

/** Options of {@link denoTcp}. */
export interface DenoTcpOptions {
  readonly clock: Clock;
  /** A connection without a byte in either direction for this long is aborted. */
  readonly inactivityMs?: number;
  /** Connections that one listener holds at the same time. */
  readonly connectionCountMax?: number;
}

/** What libp2p gives to a transport. */
export interface DenoTcpComponents {
  readonly logger: ComponentLogger;
}

/** Makes the transport, for the `transports` of `createLibp2p`. */
export function denoTcp(options: DenoTcpOptions): (components: DenoTcpComponents) => Transport {
  return (components) => new DenoTcp(components, options);
}

class DenoTcp implements Transport {
  readonly [transportSymbol] = true as const;
  readonly [Symbol.toStringTag] = "seedmint/deno-tcp";
  readonly [serviceCapabilities]: string[] = ["@libp2p/transport"];
  readonly #log: Logger;
  readonly #options: Required<DenoTcpOptions>;

  constructor(components: DenoTcpComponents, options: DenoTcpOptions) {
    this.#log = components.logger.forComponent("libp2p:tcp");
    this.#options = {
      clock: options.clock,
      inactivityMs: options.inactivityMs ?? INACTIVITY_MS,
      connectionCountMax: options.connectionCountMax ?? LISTENER_CONNECTION_COUNT_MAX,
    };
  }

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const socket = await this.#connect(address, options.signal);
    const connection = new DenoTcpConnection({
      socket,
      clock: this.#options.clock,
      inactivityMs: this.#options.inactivityMs,
      remoteAddr: address,
      direction: "outbound",
      log: this.#log.newScope("connection"),
    });
    try {
      return await options.upgrader.upgradeOutbound(connection, options);
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  createListener(options: CreateListenerOptions): Listener {
    return new DenoTcpListener({
      upgrader: options.upgrader,
      log: this.#log.newScope("listener"),
      clock: this.#options.clock,
      inactivityMs: this.#options.inactivityMs,
      connectionCountMax: this.#options.connectionCountMax,
    });
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter(isTcpAddress);
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter(isTcpAddress);
  }

  async #connect(address: Multiaddr, signal: AbortSignal): Promise<Deno.TcpConn> {
    signal.throwIfAborted();
    const { hostname, port } = hostAndPort(address);
    let socket: Deno.TcpConn;
    try {
      socket = await Deno.connect({ hostname, port, transport: "tcp", signal });
    } catch (error) {
      if (signal.aborted) throw new AbortError(`Dialling ${address} was aborted`);
      throw error;
    }
    if (signal.aborted) {
      socket.close();
      throw new AbortError(`Dialling ${address} was aborted`);
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    return socket;
  }
}
