/**
 * Published ports: connections to a port of this host are passed on to a container, since Proxmox has
 * nothing that does. Sessions end with this process; the next one listens again.
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { BUFFER_BYTES, CONNECT_MS_MAX, CONNECTIONS_MAX } from "./limits.ts";

/** Where connections go. */
export interface Forward {
  readonly hostPort: number;
  readonly address: string;
  readonly port: number;
}

/** The forwards of all leases. */
export class Forwarder implements Disposable {
  readonly #hostname: string;
  readonly #clock: Clock;
  readonly #open = new Map<
    number,
    { readonly forward: Forward; readonly listener: Deno.TcpListener }
  >();

  constructor(hostname: string, clock: Clock) {
    this.#hostname = hostname;
    this.#clock = clock;
  }

  /** Listens; fine when it does. @throws {SeedmintError} `conflict` if something else does. */
  add(forward: Forward): void {
    const there = this.#open.get(forward.hostPort)?.forward;
    if (there?.address === forward.address && there.port === forward.port) return;
    if (there !== undefined) this.remove(forward.hostPort);
    try {
      const listener = Deno.listen({ hostname: this.#hostname, port: forward.hostPort });
      this.#open.set(forward.hostPort, { forward, listener });
      void this.#accept(listener, forward);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      throw new SeedmintError(
        "conflict",
        `Cannot publish port ${forward.hostPort}: something listens there; choose another range of ports`,
      );
    }
  }

  /** Listens no more; connections that are open go on until their container ends. */
  remove(hostPort: number): void {
    this.#open.get(hostPort)?.listener.close();
    this.#open.delete(hostPort);
  }

  [Symbol.dispose](): void {
    for (const hostPort of [...this.#open.keys()]) this.remove(hostPort);
  }

  async #accept(listener: Deno.TcpListener, forward: Forward): Promise<void> {
    let count = 0;
    for (;;) {
      let incoming: Deno.TcpConn;
      try {
        incoming = await listener.accept();
      } catch (error) {
        // Closed by remove().
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        continue;
      }
      if (count >= CONNECTIONS_MAX) {
        incoming.close();
        continue;
      }
      count++;
      void this.#pass(incoming, forward).finally(() => count--);
    }
  }

  async #pass(incoming: Deno.TcpConn, forward: Forward): Promise<void> {
    const over = new AbortController();
    const stop = this.#clock.timer(CONNECT_MS_MAX, () => over.abort());
    let outgoing: Deno.TcpConn | undefined;
    try {
      outgoing = await Deno.connect({
        hostname: forward.address,
        port: forward.port,
        signal: over.signal,
      });
      stop();
      await Promise.all([relay(incoming, outgoing), relay(outgoing, incoming)]);
    } catch {
      // Either end broke, or the container does not answer: both are closed.
    } finally {
      stop();
      close(incoming);
      if (outgoing !== undefined) close(outgoing);
    }
  }
}

/** One direction; its end is passed on, too, and the other direction goes on. */
async function relay(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  // Not by their streams, which close both directions at the end of one.
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (;;) {
    const count = await from.read(buffer);
    if (count === null) break;
    let written = 0;
    while (written < count) written += await to.write(buffer.subarray(written, count));
  }
  await to.closeWrite();
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
