/**
 * Leases over HTTP: what is said in messages, for those who speak HTTP. Vocabulary: a requester is who
 * asks, known by a signature, by an access key, or by nothing but its token; the desk is a provider's
 * side, a line a lessee's.
 *
 * May import: `src/core`, `src/nostr`, `provisioning/wire`, `provisioning/provider`,
 * `provisioning/consumer/ports.ts`, `provisioning/ports.ts`, `node:crypto`.
 */
export { HttpDesk, type HttpDeskOptions, type HttpReply, type HttpRequest } from "./desk.ts";
export { HttpFirstLine } from "./http_first_line.ts";
export { HttpLine, type HttpLineOptions } from "./line.ts";
export { HTTP_LIMITS, HTTP_LINE_LIMITS } from "./limits.ts";
export { KIND_HTTP_AUTH, signHttp } from "./nip98.ts";
export { paymentRequest, readPaymentRequest } from "./payment_request.ts";
export { ROUTES } from "./schema.ts";
