/** A listening TCP socket of Deno as a libp2p `Listener`. */
import {
  type AbortOptions,
  getThinWaistAddresses,
  ipPortToMultiaddr,
  type Listener,
  type ListenerEvents,
  type Logger,
  type Multiaddr,
  TypedEventEmitter,
  type Upgrader,
} from "../../libp2p.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { ACCEPT_RETRY_MS } from "./limits.ts";
import { hostAndPort } from "./tcp_address.ts";
import { DenoTcpConnection } from "./tcp_connection.ts";

/** What a {@link DenoTcpListener} needs. */
export interface DenoTcpListenerInit {
  readonly upgrader: Upgrader;
  readonly log: Logger;
  readonly clock: Clock;
  readonly inactivityMs: number;
  readonly connectionCountMax: number;
}

/** Accepts connections and has each upgraded. */
export class DenoTcpListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #init: DenoTcpListenerInit;
  readonly #shutdown = new AbortController();
  readonly #connections = new Set<DenoTcpConnection>();
  #listener: Deno.TcpListener | undefined;
  #address: Multiaddr | undefined;

  constructor(init: DenoTcpListenerInit) {
    super();
    this.#init = init;
  }

  /** Connections accepted and still open. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  listen(address: Multiaddr): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#listener !== undefined) {
        reject(new Error(`Already listening on ${this.#address}`));
        return;
      }
      try {
        this.#listener = Deno.listen({ ...hostAndPort(address), transport: "tcp" });
        this.#address = address;
      } catch (error) {
        reject(error);
        return;
      }
      this.#accept(this.#listener);
      this.safeDispatchEvent("listening");
      resolve();
    });
  }

  getAddrs(): Multiaddr[] {
    if (this.#listener === undefined || this.#address === undefined) return [];
    return getThinWaistAddresses(this.#address, this.#listener.addr.port);
  }

  updateAnnounceAddrs(): void {
    // Which addresses are announced makes no difference to a listening TCP socket.
  }

  async close(_options?: AbortOptions): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    listener.close();
    this.#shutdown.abort(new Error("The listener was closed"));
    const open = [...this.#connections];
    for (const connection of open) connection.abort(new Error("The listener was closed"));
    await Promise.all(open.map((connection) => connection.socketClosed));
    this.safeDispatchEvent("close");
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    while (this.#listener === listener) {
      let socket: Deno.TcpConn;
      try {
        socket = await listener.accept();
      } catch (error) {
        if (this.#listener !== listener) return;
        // Out of descriptors, or the other side was gone already: both pass.
        this.#init.log.error("accept failed - %e", error);
        await this.#init.clock.sleep(ACCEPT_RETRY_MS);
        continue;
      }
      if (this.#connections.size >= this.#init.connectionCountMax) socket.close();
      else this.#onSocket(socket);
    }
  }

  #onSocket(socket: Deno.TcpConn): void {
    let connection: DenoTcpConnection;
    try {
      socket.setNoDelay(true);
      socket.setKeepAlive(true);
      const { hostname, port } = socket.remoteAddr;
      connection = new DenoTcpConnection({
        socket,
        clock: this.#init.clock,
        inactivityMs: this.#init.inactivityMs,
        remoteAddr: ipPortToMultiaddr(hostname.replace(/%.*$/, ""), port),
        direction: "inbound",
        log: this.#init.log.newScope("connection"),
      });
    } catch (error) {
      this.#init.log.error("inbound connection failed - %e", error);
      socket.close();
      return;
    }
    this.#connections.add(connection);
    connection.socketClosed.then(() => this.#connections.delete(connection));
    this.#init.upgrader.upgradeInbound(connection, { signal: this.#shutdown.signal })
      .catch((error) => {
        this.#init.log("inbound connection upgrade failed - %e", error);
        connection.abort(error);
      });
  }
}
