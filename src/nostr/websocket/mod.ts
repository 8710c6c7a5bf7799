/**
 * WebSockets with limits. Vocabulary: a frame is what travels, a message one or more frames, a head
 * the HTTP part of a handshake, a socket one open connection.
 *
 * May import: `src/core`, the limits of `src/nostr`, `node:crypto`.
 */
export { acceptKey, type ConnectOptions, connectSocket } from "./connect.ts";
export { CLOSE_CODE, encodeFrame, FrameError, FrameReader, OPCODE } from "./frames.ts";
export { hasToken, type HttpHead, readHttpHead } from "./http_head.ts";
export { Socket, type SocketEnd, type SocketOptions } from "./socket.ts";
