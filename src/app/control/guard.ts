/**
 * Who may talk to a listener on this machine. A web page that the user visits can send requests to
 * loopback, so every listener checks `Host` (which defeats DNS rebinding), and control refuses every
 * request with an `Origin` header, which browsers add and programs do not.
 */
import { timingSafeEqual } from "node:crypto";

/** How a listener is reached. */
export type ListenerKind =
  | { readonly via: "socket" }
  | { readonly via: "loopback"; readonly port: number };

/** Host names that the client of the socket may use. */
const SOCKET_HOSTS = ["seedmint", "localhost"];

/** A refusal, or undefined when the request may go on. */
export function checkHost(request: Request, listener: ListenerKind): Response | undefined {
  const host = request.headers.get("host")?.toLowerCase() ?? "";
  const allowed = listener.via === "socket"
    ? SOCKET_HOSTS
    : ["127.0.0.1", "localhost", "[::1]"].map((name) => `${name}:${listener.port}`);
  if (allowed.includes(host)) return undefined;
  return refusal(421, "denied", "This Host is not served here");
}

/** A refusal of what a browser or a stranger may have sent; undefined for a program of the user. */
export function checkControl(
  request: Request,
  listener: ListenerKind,
  token: string | undefined,
): Response | undefined {
  const byHost = checkHost(request, listener);
  if (byHost !== undefined) return byHost;
  if (request.headers.has("origin")) {
    return refusal(403, "denied", "Requests with an Origin header never reach control");
  }
  if (listener.via === "socket") return undefined;
  const given = /^Bearer ([\w-]{1,256})$/.exec(request.headers.get("authorization") ?? "")?.[1];
  if (token !== undefined && given !== undefined && isSame(given, token)) return undefined;
  return refusal(401, "denied", "A bearer token is needed: the text of control.token");
}

/** An answer with one error line. */
export function refusal(status: number, code: string, message: string): Response {
  return new Response(`${JSON.stringify({ event: "error", code, message })}\n`, {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

/** Compares in a time that tells nothing about where the texts differ. */
function isSame(a: string, b: string): boolean {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
