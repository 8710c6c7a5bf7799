/**
 * Asking providers by private messages, and which answer belongs to which request.
 *
 * May import: `src/core`, `src/nostr`, `provisioning/wire`, and of `provisioning/consumer` book, ports
 * and limits.
 */
export { fits, isPassing } from "./expectation.ts";
export { MessageLine, type MessageLineOptions } from "./message_line.ts";
