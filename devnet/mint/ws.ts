/** NUT-17: subscriptions over a WebSocket. The present state first, then each change. */
import type { MintContext } from "./context.ts";
import { FILTERS_MAX, SUBSCRIPTIONS_MAX, WS_MESSAGE_CHARS_MAX } from "./limits.ts";
import type { Melts } from "./melts.ts";
import { mintQuoteOnDisk } from "./mint_quotes.ts";
import { stateOf } from "./proofs.ts";
import type { JsonObject } from "./requests.ts";
import type { WatchedKind } from "./updates.ts";

const KINDS: readonly string[] = ["bolt11_mint_quote", "bolt11_melt_quote", "proof_state"];

interface Command {
  readonly id: number | string | null;
  readonly method: string;
  readonly subId: string;
  readonly kind: string;
  readonly filters: readonly string[];
}

/** The sockets that are open. */
export class Sockets {
  readonly #context: MintContext;
  readonly #melts: Melts;
  readonly #open = new Set<WebSocket>();

  constructor(context: MintContext, melts: Melts) {
    this.#context = context;
    this.#melts = melts;
  }

  /** Answers a request for a WebSocket. */
  accept(request: Request): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return Response.json({ detail: "A WebSocket is wanted here" }, { status: 426 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const end = serveSocket(this.#context, this.#melts, socket);
    this.#open.add(socket);
    socket.onclose = () => {
      this.#open.delete(socket);
      end();
    };
    return response;
  }

  /** Closes all. */
  closeAll(): void {
    for (const socket of this.#open) {
      if (socket.readyState === WebSocket.OPEN) socket.close(1001);
    }
  }
}

/** Serves one connection; the returned function ends its subscriptions. */
function serveSocket(context: MintContext, melts: Melts, socket: WebSocket): () => void {
  const subscriptions = new Map<string, () => void>();
  const send = (message: JsonObject) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
  };
  socket.onmessage = ({ data }) => {
    const command = readCommand(data);
    if (typeof command === "string") {
      return send({ error: { code: -32600, message: command }, id: null });
    }
    const problem = run(command);
    if (problem === undefined) return;
    send({ error: { code: -32602, message: problem }, id: command.id });
  };
  const run = (command: Command): string | undefined => {
    const { id, method, subId } = command;
    const ok = { result: { status: "OK", subId }, id };
    if (method === "unsubscribe") {
      subscriptions.get(subId)?.();
      if (!subscriptions.delete(subId)) return "No such subscription";
      send(ok);
      return undefined;
    }
    if (method !== "subscribe") return "Unknown method";
    if (!KINDS.includes(command.kind)) return "Unknown kind";
    if (subscriptions.has(subId)) return "The subscription exists already";
    if (subscriptions.size >= SUBSCRIPTIONS_MAX) return "Too many subscriptions";
    send(ok);
    subscriptions.set(subId, subscribe(context, melts, { command, send }));
    return undefined;
  };
  return () => {
    for (const end of subscriptions.values()) end();
    subscriptions.clear();
  };
}

function subscribe(
  context: MintContext,
  melts: Melts,
  { command, send }: {
    readonly command: Command;
    readonly send: (message: JsonObject) => void;
  },
): () => void {
  const kind = command.kind as WatchedKind;
  const ends = command.filters.map((filter) => {
    let last = "";
    const notify = () => {
      const payload = presentState(context, melts, { kind, filter });
      const text = JSON.stringify(payload);
      if (payload === undefined || text === last) return;
      last = text;
      send({ method: "subscribe", params: { subId: command.subId, payload } });
    };
    notify();
    return context.updates.watch(kind, filter, notify);
  });
  return () => ends.forEach((end) => end());
}

function presentState(
  context: MintContext,
  melts: Melts,
  { kind, filter }: { readonly kind: WatchedKind; readonly filter: string },
): unknown {
  if (kind === "bolt11_mint_quote") return mintQuoteOnDisk(context, filter);
  if (kind === "bolt11_melt_quote") return melts.onDisk(filter);
  return stateOf(context, filter);
}

/** The command, or what is wrong with it. */
function readCommand(data: unknown): Command | string {
  if (typeof data !== "string" || data.length > WS_MESSAGE_CHARS_MAX) return "Too large";
  try {
    const { id, method, params } = JSON.parse(data);
    const { subId, kind = "", filters = [] } = typeof params === "string"
      ? JSON.parse(params)
      : params;
    const areTexts = Array.isArray(filters) && filters.length <= FILTERS_MAX &&
      filters.every((filter) => typeof filter === "string" && filter.length <= 128);
    if (typeof subId !== "string" || subId.length > 128 || !areTexts) return "Malformed parameters";
    return { id: id ?? null, method: String(method), subId, kind: String(kind), filters };
  } catch {
    return "Malformed request";
  }
}
