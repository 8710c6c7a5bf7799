/**
 * A relay that does what a test tells it, right or wrong. It stands on `Deno.serve` and Deno's own
 * WebSocket, so that our client also meets an implementation that is not ours.
 */

/** One client's connection, as a script sees it. */
export interface ScriptedClient {
  /** Counts connections from 1. */
  readonly number: number;
  send(message: unknown): void;
  /** Sends text as it is. */
  sendRaw(text: string): void;
  close(): void;
}

/** What a relay does with one message. */
export type Script = (message: unknown[], client: ScriptedClient) => void;

/** A running scripted relay. */
export interface ScriptedRelay extends AsyncDisposable {
  readonly url: string;
  /** Every message received, in order. */
  readonly received: unknown[][];
  readonly connectionCount: number;
  /** Ends all connections; new ones are accepted. */
  disconnectAll(): void;
}

/** Starts one on a free port of loopback. */
export function startScriptedRelay(
  script: Script,
  options: {
    readonly information?: unknown;
    readonly onConnect?: (client: ScriptedClient) => void;
  } = {},
): ScriptedRelay {
  const received: unknown[][] = [];
  const sockets = new Set<WebSocket>();
  let connectionCount = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") {
      return options.information === undefined
        ? new Response(null, { status: 404 })
        : Response.json(options.information);
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const client: ScriptedClient = {
      number: ++connectionCount,
      send: (message) => client.sendRaw(JSON.stringify(message)),
      sendRaw: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => socket.close(),
    };
    socket.onopen = () => {
      sockets.add(socket);
      options.onConnect?.(client);
    };
    socket.onclose = () => sockets.delete(socket);
    socket.onerror = () => sockets.delete(socket);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      received.push(message);
      script(message, client);
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}`,
    received,
    get connectionCount() {
      return connectionCount;
    },
    disconnectAll() {
      for (const socket of sockets) socket.close();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.close();
      await server.shutdown();
    },
  };
}
