/** Two libp2p nodes of any mixture of our layers and the stock ones, and what tests do with them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ComponentLogger, Logger, Stream } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2p } from "libp2p";
import { systemClock } from "../../../../src/host/system.ts";
import { denoTcp, fastNoise, fastYamux } from "../../../../swarm/net/fast/mod.ts";

export const PROTOCOL = "/seedmint/test/1";

/** Which layers are ours. */
export interface Layers {
  readonly tcp: boolean;
  readonly noise: boolean;
  readonly yamux: boolean;
}

export const FAST: Layers = { tcp: true, noise: true, yamux: true };
export const STOCK: Layers = { tcp: false, noise: false, yamux: false };

export function layersName(layers: Layers): string {
  const ours = Object.entries(layers).filter(([, own]) => own).map(([name]) => name);
  return ours.length === 0 ? "stock" : ours.length === 3 ? "fast" : `fast ${ours.join("+")}`;
}

export function startNode(layers: Layers, listen = true): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: listen ? ["/ip4/127.0.0.1/tcp/0"] : [] },
    transports: [layers.tcp ? denoTcp({ clock: systemClock }) : tcp()],
    connectionEncrypters: [layers.noise ? fastNoise() : noise()],
    streamMuxers: [layers.yamux ? fastYamux({ clock: systemClock }) : yamux()],
    connectionMonitor: { enabled: false },
  });
}

/** Runs `test` with a listening and a dialling node and stops both. */
export async function withNodes(
  layers: { readonly dialer: Layers; readonly listener: Layers },
  test: (dialer: Libp2p, listener: Libp2p) => Promise<void>,
): Promise<void> {
  const listener = await startNode(layers.listener);
  const dialer = await startNode(layers.dialer, false);
  try {
    await test(dialer, listener);
  } finally {
    await Promise.all([dialer.stop(), listener.stop()]);
  }
}

/** Resolves after `event` was dispatched. */
export function once(target: EventTarget, event: string): Promise<unknown> {
  return new Promise((resolve) => {
    target.addEventListener(event, (found) => resolve(found), { once: true });
  });
}

/** Says nothing. */
export const silentLogger: ComponentLogger = { forComponent: () => silentLog() };

function silentLog(): Logger {
  const log = () => {};
  return Object.assign(log, {
    enabled: false,
    trace: log,
    error: log,
    newScope: () => silentLog(),
  });
}

/** Resolves once `condition` holds. */
export async function until(condition: () => boolean, what: string, ms = 30_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    assert.ok(performance.now() < end, `Waited ${ms} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Sends with back-pressure. */
export async function sendAll(stream: Stream, pieces: Iterable<Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (!stream.send(piece)) await once(stream, "drain");
  }
}

/** SHA-256 and size of everything the other side sends until it ends. */
export async function digestOf(stream: Stream): Promise<{ sha256: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  const ended = Promise.withResolvers<void>();
  stream.addEventListener("message", (event) => {
    const parts = event.data instanceof Uint8Array ? [event.data] : [...event.data];
    for (const part of parts) {
      hash.update(part);
      size += part.length;
    }
  });
  stream.addEventListener("end", () => ended.resolve());
  stream.addEventListener("close", (event) => {
    if (event.error !== undefined) ended.reject(event.error);
  });
  if (stream.readableEnded) ended.resolve();
  await ended.promise;
  return { sha256: hash.digest("hex"), size };
}

/** A small generator of numbers below 2^32 that repeats for a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** `sizeBytes` of repeatable noise in pieces of 1 to `pieceMax` bytes, and their digest. */
export function randomPieces(
  seed: number,
  sizeBytes: number,
  pieceMax: number,
): { pieces: Uint8Array[]; sha256: string } {
  const next = seeded(seed);
  const hash = createHash("sha256");
  const pieces: Uint8Array[] = [];
  const words = Uint32Array.from({ length: 1 << 18 }, next);
  const noise = new Uint8Array(words.buffer);
  for (let done = 0; done < sizeBytes;) {
    const length = Math.min(sizeBytes - done, 1 + next() % pieceMax);
    const start = next() % (noise.length - pieceMax);
    const piece = noise.subarray(start, start + length);
    hash.update(piece);
    pieces.push(piece);
    done += length;
  }
  return { pieces, sha256: hash.digest("hex") };
}
