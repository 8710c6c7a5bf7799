/**
 * Hints that an invoice of a mint was paid (NUT-17): one WebSocket for each mint, open for as long as
 * somebody waits there. What arrives is never believed, it only says that asking now is worth it; and
 * when there is no socket, or it breaks, the mint is asked every now and then as ever.
 */
import type { Clock, Random } from "../../src/core/ports.ts";
import { connectSocket } from "../../src/nostr/websocket/mod.ts";
import type { MintUrl } from "../types.ts";
import { reachOfAddress, reachOfHost } from "../../src/core/addresses.ts";
import {
  HINT_CONNECT_MS_MAX,
  HINT_FAILURE_COUNT_MAX,
  HINT_MESSAGE_COUNT_MAX,
  HINT_RETRY_MS_MIN,
  HINT_SOCKET_LIMITS,
  HINT_WATCH_COUNT_MAX,
  HINTS_PER_QUOTE_MAX,
} from "./limits.ts";
import { resolveHost, unlessAborted } from "./transport.ts";

/** An open WebSocket, as far as hints need one. */
export interface HintSocket {
  /** Resolves once it is gone. */
  readonly ended: Promise<unknown>;
  /** The next message, or undefined once it is gone. */
  receive(): Promise<string | undefined>;
  send(text: string): void;
  close(): void;
}

/** Opens one, within a deadline; rejects if it cannot. */
export type OpenHintSocket = (
  url: string,
  options: { readonly clock: Clock; readonly random: Random; readonly signal: AbortSignal },
) => Promise<HintSocket>;

/**
 * Opens a real one. Deno's own `WebSocket` joins fragments without limit, so that one mint could fill
 * the memory of the process: ours counts them.
 */
export const openHintSocket: OpenHintSocket = (url, options) =>
  connectSocket(url, {
    ...options,
    limits: HINT_SOCKET_LIMITS,
    connectMs: HINT_CONNECT_MS_MAX,
  });

/** Options of {@link QuoteHints}. */
export interface QuoteHintsOptions {
  readonly url: MintUrl;
  readonly clock: Clock;
  readonly random: Random;
  readonly open: OpenHintSocket;
  /** @default {false} */
  readonly allowPrivate?: boolean;
  /** Addresses of a host. @default {the system's resolver} */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

interface Watch {
  readonly quoteId: string;
  readonly onHint: () => void;
  hintCount: number;
}

/** The hints of one mint. */
export class QuoteHints implements AsyncDisposable {
  readonly #options: QuoteHintsOptions;
  /** By the id of the subscription. */
  readonly #watches = new Map<string, Watch>();
  #stop = new AbortController();
  #socket: HintSocket | undefined;
  #running: Promise<void> | undefined;
  #requestCount = 0;
  #isDisposed = false;

  constructor(options: QuoteHintsOptions) {
    this.#options = options;
  }

  /**
   * Calls `onHint` a few times at most when the mint says that the quote was paid, until the returned
   * function is called. Does nothing when too many are watched already.
   */
  watch(quoteId: string, onHint: () => void): () => void {
    if (this.#isDisposed || this.#watches.size >= HINT_WATCH_COUNT_MAX) return () => {};
    const subId = this.#options.random.bytes(16).toHex();
    this.#watches.set(subId, { quoteId, onHint, hintCount: 0 });
    if (this.#socket !== undefined) this.#subscribe(this.#socket, subId, quoteId);
    this.#start();
    return () => {
      if (!this.#watches.delete(subId)) return;
      if (this.#watches.size === 0) this.#stop.abort();
      else if (this.#socket !== undefined) this.#send(this.#socket, "unsubscribe", { subId });
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#watches.clear();
    this.#stop.abort();
    await this.#running;
  }

  #start(): void {
    if (this.#running !== undefined || this.#watches.size === 0) return;
    const stop = this.#stop = new AbortController();
    this.#running = this.#run(stop.signal).finally(() => {
      this.#running = undefined;
      // Somebody may have come while the last socket was being closed.
      if (stop.signal.aborted) this.#start();
    });
  }

  /** Sockets one after the other, until nobody waits or too many in a row were of no use. */
  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let failureCount = 0; failureCount < HINT_FAILURE_COUNT_MAX;) {
      let wasUseful = false;
      try {
        wasUseful = await this.#listen(signal);
      } catch {
        // Hints are a courtesy: the mint is asked without them, too.
      }
      failureCount = wasUseful ? 0 : failureCount + 1;
      try {
        await clock.sleep(HINT_RETRY_MS_MIN * 2 ** failureCount, { signal });
      } catch {
        return;
      }
    }
  }

  /** One socket from its opening to its end. Returns whether anything that was asked for came. */
  async #listen(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (!await this.#isAllowed(signal)) return false;
    const { url, clock, random, open } = this.#options;
    const address = `${url.replace(/^http/, "ws")}/v1/ws`;
    const socket = await open(address, { clock, random, signal });
    const close = () => socket.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      if (signal.aborted) return false;
      this.#socket = socket;
      for (const [subId, { quoteId }] of this.#watches) this.#subscribe(socket, subId, quoteId);
      let wasUseful = false;
      for (let count = 0; count < HINT_MESSAGE_COUNT_MAX; count++) {
        const text = await socket.receive();
        if (text === undefined) return wasUseful;
        if (this.#take(text)) wasUseful = true;
      }
      return false;
    } finally {
      this.#socket = undefined;
      signal.removeEventListener("abort", close);
      socket.close();
      await socket.ended;
    }
  }

  /** A notification. Returns whether it is about something that is watched. */
  #take(text: string): boolean {
    const { subId, payload } = paramsOf(text);
    const watch = typeof subId === "string" ? this.#watches.get(subId) : undefined;
    const { quote, state } = recordOf(payload);
    if (watch === undefined || quote !== watch.quoteId) return false;
    // The state at first is told, too: only of a payment is it worth asking.
    const isNews = state === "PAID" || state === "ISSUED";
    if (isNews && ++watch.hintCount <= HINTS_PER_QUOTE_MAX) watch.onHint();
    return true;
  }

  #subscribe(socket: HintSocket, subId: string, quoteId: string): void {
    this.#send(socket, "subscribe", { kind: "bolt11_mint_quote", subId, filters: [quoteId] });
  }

  #send(socket: HintSocket, method: string, params: Readonly<Record<string, unknown>>): void {
    socket.send(JSON.stringify({ jsonrpc: "2.0", method, params, id: this.#requestCount++ }));
  }

  /** As for requests: a public name must not lead to this machine or a private network. */
  async #isAllowed(signal: AbortSignal): Promise<boolean> {
    const { url, allowPrivate = false, resolve = resolveHost } = this.#options;
    const { hostname } = new URL(url);
    if (allowPrivate || reachOfHost(hostname) !== "named") return true;
    const addresses = await unlessAborted(resolve(hostname), signal);
    return addresses.every((address) => reachOfAddress(address) === "public");
  }
}

function paramsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(recordOf(JSON.parse(text)).params);
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
