/** What the relay says over plain HTTP: the upgrade to WebSocket, NIP-11, and a line for people. */
import type { HttpHead } from "../websocket/http_head.ts";
import { hasToken } from "../websocket/http_head.ts";
import { acceptKey } from "../websocket/connect.ts";
import type { RelayLimits } from "./limits.ts";

/** How a request is answered. */
export type HttpAnswer =
  | { readonly upgrade: true; readonly head: string }
  | { readonly upgrade: false; readonly head: string };

/** The relay's self-description (NIP-11). */
export function informationDocument(
  options: {
    readonly name: string;
    readonly description: string;
    readonly limits: RelayLimits;
    readonly writersOnly: boolean;
    readonly readersOnly: boolean;
  },
): string {
  const { limits } = options;
  return JSON.stringify({
    name: options.name,
    description: options.description,
    supported_nips: [1, 9, 11, 40, 42],
    software: "seedmint",
    limitation: {
      max_message_length: limits.socket.messageBytesMax,
      max_subscriptions: limits.subscriptionsMax,
      max_filters: limits.filtersMax,
      max_limit: limits.limitMax,
      default_limit: limits.limitMax,
      max_subid_length: 64,
      max_event_tags: limits.event.tagCountMax,
      max_content_length: limits.event.contentCharsMax,
      min_pow_difficulty: 0,
      auth_required: options.readersOnly,
      payment_required: false,
      restricted_writes: options.writersOnly,
      created_at_upper_limit: limits.futureS,
    },
  });
}

/** Decides the answer to a request whose host was accepted. */
export function answerRequest(head: HttpHead, information: string): HttpAnswer {
  const { headers } = head;
  const method = head.startLine.split(" ")[0];
  if (method === "OPTIONS") return plain("204 No Content", "");
  if (method !== "GET") return plain("405 Method Not Allowed", "GET only\n");
  if (hasToken(headers.get("upgrade"), "websocket")) return upgrade(headers);
  if ((headers.get("accept") ?? "").includes("application/nostr+json")) {
    return plain("200 OK", information, "application/nostr+json");
  }
  return plain("200 OK", "This is a Nostr relay; use a Nostr client to connect.\n");
}

/** A whole answer after which the connection is closed. */
export function plain(status: string, body: string, type = "text/plain"): HttpAnswer {
  const length = new TextEncoder().encode(body).length;
  const lines = [
    `HTTP/1.1 ${status}`,
    `Content-Type: ${type}; charset=utf-8`,
    `Content-Length: ${length}`,
    "Access-Control-Allow-Origin: *",
    "Access-Control-Allow-Headers: *",
    "Access-Control-Allow-Methods: GET, OPTIONS",
    "Connection: close",
    "",
    body,
  ];
  return { upgrade: false, head: lines.join("\r\n") };
}

function upgrade(headers: ReadonlyMap<string, string>): HttpAnswer {
  const key = headers.get("sec-websocket-key");
  if (
    !hasToken(headers.get("connection"), "upgrade") || key === undefined ||
    !/^[A-Za-z0-9+/]{22}==$/.test(key)
  ) return plain("400 Bad Request", "not a WebSocket handshake\n");
  if (headers.get("sec-websocket-version") !== "13") {
    return plain("426 Upgrade Required", "WebSocket version 13 wanted\n");
  }
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptKey(key)}`,
    "",
    "",
  ];
  return { upgrade: true, head: lines.join("\r\n") };
}
