/**
 * As much of serving HTTP/1.1 (RFC 9110, RFC 9112) as the node's listeners share, on raw
 * connections: `Deno.serve` limits neither connections nor how long a head may take, and costs half
 * of the rate. TLS is a proxy's work.
 *
 * Vocabulary: a *head* is a request without its body; an *exchange* is one request and its answer; a
 * *refusal* is an answer that says no; a *guest* is one connection as the server that admitted it sees
 * it, the *crowd* all of them; a *piece* is as much content as is read and sent at once.
 *
 * May import: `src/core`, `src/nostr/relay/hosts.ts`, and of the swarm the port of the store and
 * `provider/deadline.ts`.
 */
export { isMultiRange, type Wanted, wantedOf } from "./conditions.ts";
export { Crowd, type CrowdLimits } from "./crowd.ts";
export { closeQuietly, HttpExchange, type HttpExchangeParts } from "./exchange.ts";
export {
  type Guest,
  type GuestRequest,
  HttpListener,
  type ListenerOptions,
  urlOfListener,
} from "./listener.ts";
export {
  headerValue,
  parseHead,
  type RawConnection,
  replyHead,
  type ReplyHeaders,
  type RequestHead,
  RequestReader,
} from "./message.ts";
export { busy, Refusal } from "./refusal.ts";
export { sendSpan, type Span } from "./sending.ts";
