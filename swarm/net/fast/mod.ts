/**
 * libp2p's TCP, Noise and Yamux at less cost per byte, wire compatible with the standard ones.
 *
 * Vocabulary: a *block* is what one socket write takes; a *message* is one encrypted Noise frame;
 * a *frame* is one Yamux header with its payload; a *window* is what a stream's receiver allows.
 *
 * May import: `src/core` and libp2p through `swarm/libp2p.ts`.
 */
export { denoTcp, type DenoTcpOptions } from "./deno_tcp.ts";
export { fastNoise } from "./noise.ts";
export { returnMemory } from "./plaintext_memory.ts";
export { fastYamux, type FastYamuxOptions } from "./yamux.ts";
export { FastYamuxStream } from "./yamux_stream.ts";
