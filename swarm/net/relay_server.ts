/**
 * Bounds what a circuit relay holds. libp2p joins the two streams of a circuit with a queue that has
 * no end, so a fast sender in front of a slow receiver would fill the relay's memory. Here the
 * sending side is paused while too much of what it sent has not left on the other side.
 */
import { assert } from "../../src/core/assert.ts";
import type { Stream, StreamMessageEvent } from "../libp2p.ts";
import { CIRCUIT_QUEUE_BYTES, STREAM_READ_BUFFER_BYTES } from "./limits.ts";

/** The two methods of libp2p's relay server that see both streams of a circuit. */
interface RelayServer {
  handleConnect(request: HopRequest, options: unknown): Promise<void>;
  stopHop(request: unknown, options: unknown): Promise<Stream | undefined>;
}

interface HopRequest {
  readonly stream: { unwrap(): Stream };
}

/** Makes every circuit of `server` bounded, and returns it. */
export function boundCircuits<T>(server: T): T {
  const relay = server as RelayServer;
  assert(
    typeof relay.handleConnect === "function" && typeof relay.stopHop === "function",
    "the relay server of libp2p still joins its streams in these methods",
  );
  const { handleConnect } = relay;
  const stopHop = relay.stopHop.bind(relay);
  relay.handleConnect = async (request, options) => {
    const source = request.stream.unwrap.bind(request.stream);
    let destination: Stream | undefined;
    // Each request gets a view of the server, so that circuits made at once do not mix.
    const view: RelayServer = Object.create(relay, {
      stopHop: {
        value: async (...args: Parameters<RelayServer["stopHop"]>) => {
          destination = await stopHop(...args);
          return destination;
        },
      },
    });
    request.stream.unwrap = () => {
      const stream = source();
      if (destination !== undefined) {
        boundOneWay(stream, destination);
        boundOneWay(destination, stream);
      }
      return stream;
    };
    await handleConnect.call(view, request, options);
  };
  return server;
}

/** Pauses `from` while more than a fixed number of its bytes have not left through `to`. */
export function boundOneWay(from: Stream, to: Stream): void {
  let queuedBytes = 0;
  let isPaused = false;
  let isResuming = false;
  from.maxReadBufferLength = Math.max(from.maxReadBufferLength, STREAM_READ_BUFFER_BYTES);
  const send = to.send.bind(to);
  to.send = (data) => {
    queuedBytes -= data.byteLength;
    const canSendMore = send(data);
    check();
    return canSendMore;
  };
  from.addEventListener("message", (event: StreamMessageEvent) => {
    queuedBytes += event.data.byteLength;
    check();
  });
  to.addEventListener("drain", () => queueMicrotask(check));

  function check(): void {
    const heldBytes = queuedBytes + to.writeBufferLength;
    if (isResuming || from.readStatus === "closed" || from.readStatus === "closing") return;
    if (!isPaused && heldBytes > CIRCUIT_QUEUE_BYTES) {
      isPaused = true;
      from.pause();
    } else if (isPaused && heldBytes <= CIRCUIT_QUEUE_BYTES / 2) {
      isPaused = false;
      // A pause from inside resume() would be undone by it: see libp2p_stream.ts.
      isResuming = true;
      try {
        from.resume();
      } catch {
        // Its connection went away; the circuit ends with it.
      }
      isResuming = false;
      check();
    }
  }
}
