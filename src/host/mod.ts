/**
 * The machine under the program: its clock, its timers and its randomness behind the ports of the
 * core. Entry points hand them down; nothing else asks for the time or for chance by itself.
 *
 * May import: `src/core`.
 */
export * from "./system.ts";
