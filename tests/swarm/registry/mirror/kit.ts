/** A mirror between fakes: registries, peers and an intake that behave as a test wants. */
import { utf8 } from "../../../../src/core/bytes.ts";
import type { Clock } from "../../../../src/core/ports.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import {
  Mirror,
  type MirrorEvent,
  type MirrorLimits,
  type MirrorOptions,
  type MirrorPolicy,
} from "../../../../swarm/registry/mirror/mod.ts";
import {
  type Digest,
  formatRepository,
  type RepositoryName,
  sha256Of,
} from "../../../../swarm/registry/names.ts";
import type { BlobDelivery } from "../../../../swarm/registry/ports.ts";
import type { Visibility } from "../../../../swarm/store/blob_store.ts";
import { MemoryBlobStore } from "../../../../swarm/store/memory_store.ts";
import { FakeIntake, FakeSwarm } from "./fake_swarm.ts";
import { FakeUpstream } from "./fake_upstream.ts";

export { digestBytes, imageOf, indexOf, LINUX, sha256Bytes, type TestImage } from "./images.ts";

export const NGINX: RepositoryName = { registry: "docker.io", repository: "library/nginx" };
export const SECRET: RepositoryName = { registry: "ghcr.io", repository: "acme/secret" };

/** Limits short enough for tests that wait for them. */
export const QUICK: Partial<MirrorLimits> = {
  staleAfterMs: 150,
  upstreamMs: 1500,
  swarmFirstMs: 100,
  lookMs: 300,
  askMs: 200,
  lookAgainMs: 0,
  lookFirstMs: 100,
  confirmFirstMs: 20,
  confirmMs: 800,
  hintSilenceMs: 300,
  hintGraceMs: 400,
  hintLeftMs: 2000,
  streamStallMs: 1500,
  stallMs: 2000,
  headMs: 300,
  lingerMs: 100,
};

/** Real time that a test may move on. */
export class ShiftClock implements Clock {
  #shiftMs = 0;

  shift(ms: number): void {
    this.#shiftMs += ms;
  }

  nowMs(): number {
    return systemClock.nowMs() + this.#shiftMs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#shiftMs;
  }

  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void> {
    return systemClock.sleep(ms, options);
  }

  timer(ms: number, callback: () => void): () => void {
    return systemClock.timer(ms, callback);
  }
}

/** A mirror and all around it. */
export interface World extends AsyncDisposable {
  readonly mirror: Mirror;
  readonly store: MemoryBlobStore;
  readonly index: RegistryIndex;
  readonly clock: ShiftClock;
  readonly hub: FakeUpstream;
  readonly ghcr: FakeUpstream;
  readonly swarm: FakeSwarm;
  readonly intake: FakeIntake;
  readonly events: MirrorEvent[];
  readonly kept: {
    readonly name: string;
    readonly digest: Digest;
    readonly visibility: Visibility;
  }[];
}

/** Makes a mirror of docker.io and ghcr.io. Nothing is fetched ahead unless the policy says so. */
export function world(
  options: {
    readonly policy?: MirrorPolicy;
    readonly limits?: Partial<MirrorLimits>;
    readonly pins?: MirrorOptions["pins"];
    readonly quotaBytes?: number;
  } = {},
): World {
  const clock = new ShiftClock();
  const { quotaBytes, pins } = options;
  const store = new MemoryBlobStore({ clock, ...(quotaBytes === undefined ? {} : { quotaBytes }) });
  const index = RegistryIndex.open({ path: ":memory:", clock });
  const hub = new FakeUpstream("docker.io");
  const ghcr = new FakeUpstream("ghcr.io");
  const swarm = new FakeSwarm(store, clock);
  const intake = new FakeIntake(store);
  const events: MirrorEvent[] = [];
  const kept: World["kept"] = [];
  const mirror = new Mirror({
    store,
    index,
    images: {
      collect: async (name, digest, { visibility }) => {
        kept.push({ name: formatRepository(name), digest, visibility });
        return (await store.importBytes(utf8(`collection of ${digest}`))).hash;
      },
    },
    upstreamOf: (registry) => [hub, ghcr].find((one) => one.registry === registry),
    swarm,
    intake,
    clock,
    ...(pins === undefined ? {} : { pins }),
    policy: { prefetches: false, ...options.policy },
    limits: { ...QUICK, ...options.limits },
    onEvent: (event) => events.push(event),
  });
  return {
    mirror,
    store,
    index,
    clock,
    hub,
    ghcr,
    swarm,
    intake,
    events,
    kept,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]();
      index[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** A request's signal that nobody aborts. */
export const PATIENT: AbortSignal = new AbortController().signal;

/** Options of a GET and of a HEAD. */
export const GET = { signal: PATIENT, accept: [], isHead: false } as const;
export const HEAD = { signal: PATIENT, accept: [], isHead: true } as const;

/** All bytes of a delivery, or a part of them; the delivery is over then. */
export async function readAll(
  delivery: BlobDelivery | undefined,
  range?: { readonly start: number; readonly end: number },
): Promise<Uint8Array> {
  if (delivery === undefined) throw new Error("there is no such blob");
  await using held = delivery;
  const pieces: Uint8Array[] = [];
  for await (const piece of held.read(range ?? { start: 0, end: held.size }, PATIENT)) {
    pieces.push(piece.slice());
  }
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Waits until something is so. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  for (; !isSo(); await systemClock.sleep(5)) {
    if (performance.now() > endMs) throw new Error(`Not within 20 s: ${what}`);
  }
}

export { sha256Of };
