/** One agent over Nostr, as a transport of the SDK: each answer goes to the event that it answers. */
import type { JSONRPCMessage, Transport, TransportSendOptions } from "../sdk.ts";
import { MCP_LIMITS } from "../limits.ts";

/** Where an answer belongs. */
export interface Route {
  /** Event that asked. */
  readonly eventId: string;
  /** The id that the agent gave its request. */
  readonly requestId: string | number;
  /** Kind of the gift wrap that it came in; undefined for one in the clear. */
  readonly wrapKind: number | undefined;
}

/** Sends a message of a session. */
export type SendOut = (message: JSONRPCMessage, route: Route) => Promise<void>;

/** See the head of this file. */
export class NostrSession implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #send: SendOut;
  /** Requests under way, by the event that asked. */
  readonly #routes = new Map<string, Route>();
  #isClosed = false;

  constructor(send: SendOut) {
    this.#send = send;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    this.#routes.clear();
    this.onclose?.();
    return Promise.resolve();
  }

  /** Takes a message in. Ids of requests are chosen by agents, those of events are nobody's choice. */
  receive(
    message: JSONRPCMessage,
    event: { readonly id: string; readonly wrapKind?: number },
  ): void {
    if ("method" in message && "id" in message) {
      const route: Route = { eventId: event.id, requestId: message.id, wrapKind: event.wrapKind };
      if (this.#routes.size >= 2 * MCP_LIMITS.callsPerAgentMax) {
        const error = { code: -32000, message: "Too many requests are under way" };
        void this.#send({ jsonrpc: "2.0", id: message.id, error }, route).catch(() => {});
        return;
      }
      this.#routes.set(event.id, route);
      this.onmessage?.({ ...message, id: event.id });
    } else if ("method" in message && message.method === "notifications/cancelled") {
      this.#cancel(message);
    } else if ("method" in message) {
      this.onmessage?.(message);
    }
    // Answers are to nothing: this server asks agents for nothing.
  }

  async send(message: JSONRPCMessage, options: TransportSendOptions = {}): Promise<void> {
    if ("method" in message) {
      const route = this.#routes.get(String(options.relatedRequestId));
      if (route !== undefined) await this.#send(message, route);
      return;
    }
    const route = this.#routes.get(String(message.id));
    if (route === undefined) return;
    this.#routes.delete(route.eventId);
    await this.#send({ ...message, id: route.requestId }, route);
  }

  /** An agent cancels by its own id; only its own requests are here. */
  #cancel(message: JSONRPCMessage & { readonly params?: Record<string, unknown> }): void {
    for (const route of this.#routes.values()) {
      if (route.requestId !== message.params?.requestId) continue;
      this.#routes.delete(route.eventId);
      this.onmessage?.({
        jsonrpc: "2.0",
        method: "notifications/cancelled",
        params: { ...message.params, requestId: route.eventId },
      });
    }
  }
}
