/** What the tests of the relay share. */
import { SimplePool } from "nostr-tools/pool";
import { finalizeEvent } from "nostr-tools/pure";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { type NostrEvent, signEvent } from "../../../src/nostr/nostr.ts";
import type { RelayLimits } from "../../../src/nostr/relay/limits.ts";
import { RelayServer, type RelayServerOptions } from "../../../src/nostr/relay/relay_server.ts";

const SECRET = new Uint8Array(32).fill(5);
export const nowS = () => Math.floor(Date.now() / 1000);

type Options = Omit<Partial<RelayServerOptions>, "limits"> & { limits?: Partial<RelayLimits> };

export const listen = (options: Options = {}) =>
  RelayServer.listen({ storage: "memory", clock: systemClock, random: systemRandom, ...options });

export function event(fields: Partial<NostrEvent> = {}, secret: Uint8Array = SECRET): NostrEvent {
  return signEvent({ kind: 1, created_at: nowS(), tags: [], content: "", ...fields }, secret);
}

/** Runs `work` with a pool of nostr-tools that is closed afterwards. */
export async function withPool(
  server: RelayServer,
  work: (pool: SimplePool, urls: string[]) => Promise<void>,
  secret?: Uint8Array,
): Promise<void> {
  const pool = new SimplePool();
  if (secret !== undefined) {
    pool.automaticallyAuth = () => (template) => Promise.resolve(finalizeEvent(template, secret));
  }
  try {
    await work(pool, [server.url]);
  } finally {
    pool.destroy();
    await settled(server);
  }
}

/** Waits until the server has noticed that its clients left. */
export async function settled(server: RelayServer): Promise<void> {
  for (let turn = 0; turn < 300 && server.stats().connectionCount > 0; turn++) await pause(5);
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A client that shows every message as it is. */
export async function rawClient(server: RelayServer) {
  const socket = new WebSocket(server.url);
  const inbox: unknown[][] = [];
  const waiting: ((message: unknown[] | undefined) => void)[] = [];
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    const next = waiting.shift();
    if (next === undefined) inbox.push(message);
    else next(message);
  };
  const closed = Promise.withResolvers<CloseEvent>();
  socket.onclose = (close) => {
    closed.resolve(close);
    for (const next of waiting) next(undefined);
  };
  socket.onerror = () => {};
  await new Promise((resolve) => socket.onopen = resolve);
  const next = () =>
    inbox.length > 0
      ? Promise.resolve(inbox.shift())
      : new Promise<unknown[] | undefined>((resolve) => waiting.push(resolve));
  const [, challenge] = await next() as [string, string];
  return {
    challenge,
    next,
    closed: closed.promise,
    send: (...message: unknown[]) => socket.send(JSON.stringify(message)),
    sendRaw: (text: string) => socket.send(text),
    /** Sends, and gives the answer. */
    ask: async (...message: unknown[]) => {
      socket.send(JSON.stringify(message));
      return await next();
    },
    async [Symbol.asyncDispose]() {
      if (socket.readyState < WebSocket.CLOSING) socket.close();
      await closed.promise;
    },
  };
}
