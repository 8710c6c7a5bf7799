/**
 * When a node of a fleet fetches what is new: a few at once, and the others when these can give it to
 * them, so that the origin sends it about once.
 */
import { createHash } from "node:crypto";
import type { Random } from "../../src/core/ports.ts";
import { WAVE_MS, WAVES } from "./limits.ts";

/**
 * How long to wait, in milliseconds, before fetching. Each content has its own order of nodes, so that
 * no node is always the first; `random` spreads those of one wave.
 */
export function waveDelayMs(
  who: { readonly node: string; readonly content: string },
  random: Random,
): number {
  return waveOf(who) * WAVE_MS + random.float() * WAVE_MS / 2;
}

/** The wave of a node, from 0: a sixteenth of all nodes, as many again, then twice as many each. */
export function waveOf({ node, content }: {
  readonly node: string;
  readonly content: string;
}): number {
  const digest = createHash("sha256").update(`seedmint/wave/v1\0${node}\0${content}`).digest();
  const position = digest.readUInt32BE(0) / 2 ** 32;
  for (let wave = 0; wave < WAVES - 1; wave++) {
    if (position < 2 ** (wave + 1 - WAVES)) return wave;
  }
  return WAVES - 1;
}
