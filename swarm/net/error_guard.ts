/**
 * Keeps mistakes inside libp2p from ending the process. Its packages start work that nobody awaits
 * (drain events on closing streams, pings on dead connections), and an error thrown there would be
 * uncaught. The filter is narrow: an error passes for libp2p's own only when the innermost frame of
 * its stack lies in one of its packages and no code of ours awaited it, or when it has no stack frames
 * and one of libp2p's names. Everything else stays as fatal as it was.
 */

/** What is told of a swallowed error. */
export type GuardLog = (message: string, error: unknown) => void;

const PACKAGES =
  /[\\/](?:@libp2p|libp2p|@chainsafe|@multiformats|multicast-dns|it-[a-z-]+|race-signal|race-event|p-event)[\\/]/;

/** Errors of `@libp2p/interface` and `@libp2p/utils` that streams and connections end with. */
const NAMES = new Set([
  "ConnectionClosedError",
  "ConnectionClosingError",
  "ConnectionFailedError",
  "MuxerClosedError",
  "StreamAbortedError",
  "StreamBufferError",
  "StreamClosedError",
  "StreamResetError",
  "StreamStateError",
  "UnexpectedEOFError",
  "UnrequestedPingError",
]);

let guardCount = 0;
const logs = new Set<GuardLog>();

/** Whether `error` comes from inside libp2p. */
export function isLibp2pInternal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Frames of the runtime itself say nothing about whose mistake it is.
  const frames = (error.stack ?? "").split("\n").filter((line) =>
    /^\s+at /.test(line) && !/\(?(?:ext|node):/.test(line) && !/<anonymous>/.test(line)
  );
  const [innermost] = frames;
  if (innermost === undefined) return NAMES.has(error.name);
  // An `async` frame is one that awaits: somebody outside of libp2p left this rejection unhandled.
  const isAwaitedOutside = frames.some((line) => /at async /.test(line) && !PACKAGES.test(line));
  return PACKAGES.test(innermost) && !isAwaitedOutside;
}

/**
 * Installs the guard, one for the whole process however often it is called.
 *
 * @returns What removes it again.
 */
export function guardLibp2pErrors(log: GuardLog): () => void {
  logs.add(log);
  if (guardCount++ === 0) {
    globalThis.addEventListener("unhandledrejection", onRejection);
    globalThis.addEventListener("error", onError);
  }
  let isInstalled = true;
  return () => {
    if (!isInstalled) return;
    isInstalled = false;
    logs.delete(log);
    if (--guardCount > 0) return;
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  };
}

function onRejection(event: PromiseRejectionEvent): void {
  if (!isLibp2pInternal(event.reason)) return;
  event.preventDefault();
  for (const log of logs) log("libp2p left a rejection unhandled", event.reason);
}

function onError(event: ErrorEvent): void {
  if (!isLibp2pInternal(event.error)) return;
  event.preventDefault();
  for (const log of logs) log("libp2p threw outside of any call", event.error);
}
