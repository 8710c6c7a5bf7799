/**
 * Finds connections that died without a word. libp2p's own monitor aborts a connection on one late
 * ping, and a ping behind megabytes of queued data is late on every busy connection: this one pings
 * only what moved no byte for an interval, and gives up after several lost pings in a row with still
 * no byte moved.
 */
import type { Clock } from "../../src/core/ports.ts";
import { PING_FAILURES_MAX, PING_INTERVAL_MS } from "./limits.ts";

/** What the monitor needs of a connection. */
export interface MonitoredConnection {
  abort(reason: Error): void;
}

/** Options of {@link ConnectionMonitor}. */
export interface ConnectionMonitorOptions<T extends MonitoredConnection> {
  readonly clock: Pick<Clock, "monotonicMs" | "timer">;
  readonly connections: () => readonly T[];
  /** Resolves when the other side answered; rejects when it did not in time. */
  readonly ping: (connection: T) => Promise<void>;
  readonly intervalMs?: number;
  readonly onDead?: (connection: T) => void;
}

interface Health {
  activeMs: number;
  failureCount: number;
  isPinging: boolean;
}

/** Watches the connections until it is stopped. */
export class ConnectionMonitor<T extends MonitoredConnection> {
  readonly #options: ConnectionMonitorOptions<T>;
  readonly #intervalMs: number;
  readonly #health = new WeakMap<T, Health>();
  #cancelTimer: () => void;

  constructor(options: ConnectionMonitorOptions<T>) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? PING_INTERVAL_MS;
    this.#cancelTimer = options.clock.timer(this.#intervalMs, () => this.#tick());
  }

  /** Says that bytes moved, which is as good as an answered ping. */
  touch(connection: T): void {
    const health = this.#healthOf(connection);
    health.activeMs = this.#options.clock.monotonicMs();
    health.failureCount = 0;
  }

  /** Ends the watch. */
  stop(): void {
    this.#cancelTimer();
  }

  #tick(): void {
    this.#cancelTimer = this.#options.clock.timer(this.#intervalMs, () => this.#tick());
    const nowMs = this.#options.clock.monotonicMs();
    for (const connection of this.#options.connections()) {
      const health = this.#healthOf(connection);
      const isIdle = nowMs - health.activeMs >= this.#intervalMs;
      if (isIdle && !health.isPinging) void this.#check(connection, health);
    }
  }

  async #check(connection: T, health: Health): Promise<void> {
    const beganMs = this.#options.clock.monotonicMs();
    health.isPinging = true;
    try {
      await this.#options.ping(connection);
      this.touch(connection);
    } catch {
      if (health.activeMs > beganMs) return;
      health.failureCount++;
      if (health.failureCount < PING_FAILURES_MAX) return;
      this.#options.onDead?.(connection);
      connection.abort(new Error(`${health.failureCount} pings in a row were not answered`));
    } finally {
      health.isPinging = false;
    }
  }

  #healthOf(connection: T): Health {
    let health = this.#health.get(connection);
    if (health === undefined) {
      health = {
        activeMs: this.#options.clock.monotonicMs(),
        failureCount: 0,
        isPinging: false,
      };
      this.#health.set(connection, health);
    }
    return health;
  }
}
