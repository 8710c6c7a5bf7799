/**
 * Lets a relayed connection end gently once a direct one took its place. DCUtR closes the relayed
 * connection as soon as a direct one is open, which would cut off every transfer under way on it, and
 * those that the other side is just beginning; here the close waits until it carries nothing, while
 * new streams go direct already.
 */
import type { Clock } from "../../src/core/ports.ts";
import { CIRCUIT_IDLE_MS } from "./limits.ts";

/** What is needed of a connection. */
export interface ClosableConnection {
  readonly status: string;
  readonly streams: readonly { readonly protocol: string }[];
  close(options?: unknown): Promise<void>;
}

/** Streams that libp2p opens by itself and that nobody misses. */
const CLOSABLE_PROTOCOLS = new Set([
  "/ipfs/id/1.0.0",
  "/ipfs/id/push/1.0.0",
  "/ipfs/ping/1.0.0",
  "/libp2p/dcutr",
]);

/**
 * Makes `connection.close()` wait until the connection carried nothing for a moment.
 *
 * @returns What makes a close happen at once from now on.
 */
export function closeWhenIdle(
  connection: ClosableConnection,
  clock: Pick<Clock, "timer">,
): () => void {
  const close = connection.close.bind(connection);
  let isWanted = false;
  let isPatient = true;
  let cancelTimer = () => {};
  connection.close = async (options) => {
    if (!isPatient) return await close(options);
    if (isWanted) return;
    isWanted = true;
    look();
  };
  return () => {
    isPatient = false;
    cancelTimer();
  };

  function look(): void {
    // The first look comes after a pause, too: a stream may be on its way.
    cancelTimer = clock.timer(CIRCUIT_IDLE_MS, () => {
      if (connection.status !== "open") return;
      // A stream without a name is one whose protocol is being agreed on.
      const isBusy = connection.streams.some(({ protocol }) => !CLOSABLE_PROTOCOLS.has(protocol));
      if (isBusy) look();
      else close().catch(() => {});
    });
  }
}
