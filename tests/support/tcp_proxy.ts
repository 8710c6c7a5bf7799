/** A TCP proxy on loopback that a test can cut in several ways. */

/** Forwards to one port until it is cut. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>[] = [];
  #isFrozen = false;

  constructor(targetPort: number) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#work.push(this.#accept(targetPort));
  }

  /** Closes every connection in good order, as a middlebox or a dying host does. */
  close(): void {
    for (const socket of this.#sockets) {
      try {
        socket.close();
      } catch {
        // It was closed by its other end.
      }
    }
    this.#sockets.clear();
  }

  /** Lets nothing through any more, and tells nobody. */
  freeze(): void {
    this.#isFrozen = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#isFrozen = false;
    this.close();
    await Promise.all(this.#work);
  }

  async #accept(targetPort: number): Promise<void> {
    try {
      for await (const near of this.#listener) {
        const far = await Deno.connect({ hostname: "127.0.0.1", port: targetPort });
        this.#sockets.add(near).add(far);
        this.#work.push(this.#pump(near, far), this.#pump(far, near));
      }
    } catch {
      // The listener was closed.
    }
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        if (this.#isFrozen) continue;
        for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
      }
      await to.closeWrite();
    } catch {
      // One of the two was cut.
    }
  }
}
