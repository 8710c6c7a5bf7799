/** One ping on one connection: https://github.com/libp2p/specs/blob/master/ping/ping.md */
import type { Connection, Stream, StreamMessageEvent } from "../libp2p.ts";

const PROTOCOL = "/ipfs/ping/1.0.0";
const SIZE = 32;

/**
 * Resolves once the other side echoed, or said that it has no ping, which proves as much.
 *
 * @throws {Error} If it did not in time.
 */
export async function pingConnection(connection: Connection, timeoutMs: number): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  let stream: Stream;
  try {
    stream = await connection.newStream(PROTOCOL, { signal, runOnLimitedConnection: true });
  } catch (error) {
    if (error instanceof Error && error.name === "UnsupportedProtocolError") return;
    throw error;
  }
  try {
    await echo(stream, signal);
    await stream.close({ signal });
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function echo(stream: Stream, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let receivedBytes = 0;
  stream.addEventListener("message", (event: StreamMessageEvent) => {
    receivedBytes += event.data.byteLength;
    if (receivedBytes >= SIZE) resolve();
  });
  stream.addEventListener("close", () => reject(new Error("the ping stream was closed")));
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  stream.send(crypto.getRandomValues(new Uint8Array(SIZE)));
  return promise;
}
