/** A mirror between fakes: registries, peers and an intake that behave as a test wants. */
import { createHash } from "node:crypto";
import { type Bytes, utf8 } from "../../../../src/core/bytes.ts";
import { SeedmintError } from "../../../../src/core/errors.ts";
import { type Hash, type Sha256, sha256FromBytes } from "../../../../src/core/hash.ts";
import type { Clock } from "../../../../src/core/ports.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { fetchBlob, type FetchReport } from "../../../../swarm/fetch/mod.ts";
import type { Origin, ProviderHint } from "../../../../swarm/ports.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { MEDIA_TYPES, type Platform } from "../../../../swarm/registry/manifest/mod.ts";
import {
  Mirror,
  type MirrorEvent,
  type MirrorLimits,
  type MirrorOptions,
  type MirrorPolicy,
} from "../../../../swarm/registry/mirror/mod.ts";
import {
  type Digest,
  digestOf,
  formatRepository,
  type RepositoryName,
  sha256Of,
} from "../../../../swarm/registry/names.ts";
import type {
  BlobDelivery,
  Descriptor,
  DigestIntake,
  DigestMapping,
  Page,
  SwarmFetch,
  Upstream,
  UpstreamManifest,
} from "../../../../swarm/registry/ports.ts";
import type { BlobRecord, Visibility } from "../../../../swarm/store/blob_store.ts";
import { MemoryBlobStore } from "../../../../swarm/store/memory_store.ts";
import { FakePeer } from "../../fetch/fakes.ts";

export const NGINX: RepositoryName = { registry: "docker.io", repository: "library/nginx" };
export const SECRET: RepositoryName = { registry: "ghcr.io", repository: "acme/secret" };
export const LINUX: Platform = { os: "linux", architecture: "amd64" };

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

export function sha256Bytes(bytes: Uint8Array): Sha256 {
  return sha256FromBytes(createHash("sha256").update(bytes).digest());
}

export function digestBytes(bytes: Uint8Array): Digest {
  return digestOf(sha256Bytes(bytes));
}

/** An image: its manifest and its blobs by digest. */
export interface TestImage {
  readonly manifest: Bytes;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly blobs: ReadonlyMap<Digest, Bytes>;
  readonly layers: readonly Digest[];
}

/** An image of these layers. */
export function imageOf(...layers: readonly Bytes[]): TestImage {
  const config = utf8(JSON.stringify({ ...LINUX, layers: layers.length, first: layers[0]?.[0] }));
  const describe = (bytes: Bytes, mediaType: string) => ({
    mediaType,
    digest: digestBytes(bytes),
    size: bytes.length,
  });
  const manifest = utf8(JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: describe(config, MEDIA_TYPES.ociConfig),
    layers: layers.map((bytes) => describe(bytes, "application/vnd.oci.image.layer.v1.tar+gzip")),
  }));
  return {
    manifest,
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestBytes(manifest),
    blobs: new Map([config, ...layers].map((bytes) => [digestBytes(bytes), bytes])),
    layers: layers.map(digestBytes),
  };
}

/** An index of images, each for a platform of its own. */
export function indexOf(images: readonly (readonly [Platform, TestImage])[]): TestImage {
  const manifest = utf8(JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: images.map(([platform, { mediaType, digest, manifest: { length: size } }]) => ({
      mediaType,
      digest,
      size,
      platform,
    })),
  }));
  return {
    manifest,
    mediaType: MEDIA_TYPES.ociIndex,
    digest: digestBytes(manifest),
    blobs: new Map(),
    layers: [],
  };
}

/** What one repository of a registry has. */
interface Repository {
  readonly manifests: Map<Digest, TestImage>;
  readonly tags: Map<string, Digest>;
  readonly blobs: Map<Digest, Bytes>;
}

/** How a registry behaves at the moment. */
export interface Weather {
  /** Nothing can be reached. */
  isDown?: boolean;
  /** It takes requests and never answers. */
  hangs?: boolean;
  /** It refuses us. */
  denies?: boolean;
  /** It has had too many requests. */
  limits?: boolean;
  /** Bytes a second of blobs. */
  throughput?: number;
  /** Bodies break off after so many bytes. */
  cutsAfter?: number;
  /** Bodies have one wrong byte. */
  corrupts?: boolean;
}

/** A registry elsewhere. */
export class FakeUpstream implements Upstream {
  readonly registry: string;
  readonly weather: Weather = {};
  /** Repositories that need our credential. */
  readonly withCredential = new Set<string>();
  /** What was asked, in order: `GET blob sha256:…`. */
  readonly asked: string[] = [];
  readonly sentBytes = new Map<Digest, number>();
  readonly #repositories = new Map<string, Repository>();

  constructor(registry: string) {
    this.registry = registry;
  }

  put(repository: string, image: TestImage, tag?: string): void {
    const { manifests, tags, blobs } = this.#of(repository);
    manifests.set(image.digest, image);
    if (tag !== undefined) tags.set(tag, image.digest);
    for (const [digest, bytes] of image.blobs) blobs.set(digest, bytes);
  }

  remove(repository: string, digest: Digest): void {
    const { manifests, blobs } = this.#of(repository);
    manifests.delete(digest);
    blobs.delete(digest);
  }

  untag(repository: string, tag: string): void {
    this.#of(repository).tags.delete(tag);
  }

  count(part: string): number {
    return this.asked.filter((one) => one.includes(part)).length;
  }

  hasCredential(repository: string): boolean {
    return this.withCredential.has(repository);
  }

  async manifest(
    repository: string,
    reference: { readonly tag?: string; readonly digest?: Digest },
    options: { readonly signal: AbortSignal; readonly etag?: string; readonly isHead?: boolean },
  ): Promise<UpstreamManifest> {
    const method = options.isHead === true ? "HEAD" : "GET";
    const trouble = await this.#ask(
      `${method} manifest ${reference.tag ?? reference.digest}`,
      options.signal,
    );
    if (trouble === "limited") return { status: "limited", retryMs: 60_000 };
    if (trouble === "denied") return { status: "denied" };
    const { manifests, tags } = this.#of(repository);
    const digest = reference.digest ?? tags.get(reference.tag!);
    const image = digest && manifests.get(digest);
    if (image === undefined) return { status: "missing" };
    const etag = `"${digest}"`;
    if (options.etag === etag) return { status: "unchanged" };
    const { mediaType, manifest } = image;
    const bytes = options.isHead === true ? new Uint8Array() : manifest;
    return { status: "found", digest: image.digest, mediaType, bytes, etag };
  }

  async blobSize(
    repository: string,
    digest: Digest,
    options: { readonly signal: AbortSignal },
  ): Promise<Awaited<ReturnType<Upstream["blobSize"]>>> {
    const trouble = await this.#ask(`HEAD blob ${digest}`, options.signal);
    if (trouble !== undefined) return { status: trouble };
    const bytes = this.#of(repository).blobs.get(digest);
    return bytes === undefined ? { status: "missing" } : { status: "found", size: bytes.length };
  }

  blobOrigin(repository: string, digest: Digest): Origin {
    const open: Origin["open"] = async (options) => {
      const trouble = await this.#ask(`GET blob ${digest}`, options.signal);
      const bytes = this.#of(repository).blobs.get(digest);
      if (trouble !== undefined || bytes === undefined) {
        throw new SeedmintError("not-found", `The registry has no blob ${digest}`);
      }
      const body = this.#body(digest, bytes, options);
      return { body, offset: options.offset, size: bytes.length };
    };
    return { id: `https://${this.registry}/v2/${repository}/blobs/${digest}`, open };
  }

  async tags(
    repository: string,
    page: { readonly count: number; readonly last?: string },
    options: { readonly signal: AbortSignal },
  ): Promise<Page | undefined> {
    if (await this.#ask("GET tags", options.signal) !== undefined) return undefined;
    const items = [...this.#of(repository).tags.keys()].sort()
      .filter((tag) => tag > (page.last ?? ""));
    return { items: items.slice(0, page.count), hasMore: items.length > page.count };
  }

  async referrers(
    repository: string,
    digest: Digest,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly Descriptor[] | undefined> {
    if (await this.#ask(`GET referrers ${digest}`, options.signal) !== undefined) return undefined;
    return this.referring.get(`${repository}@${digest}`);
  }

  readonly referring = new Map<string, readonly Descriptor[]>();

  async #ask(what: string, signal: AbortSignal): Promise<"denied" | "limited" | undefined> {
    this.asked.push(what);
    signal.throwIfAborted();
    const { isDown, hangs, denies, limits } = this.weather;
    if (hangs === true) await systemClock.sleep(3_600_000, { signal });
    if (isDown === true) throw new SeedmintError("unavailable", "The registry cannot be reached");
    return limits === true ? "limited" : denies === true ? "denied" : undefined;
  }

  #body(
    digest: Digest,
    bytes: Bytes,
    { offset, end, signal }: { offset: number; end?: number; signal: AbortSignal },
  ): ReadableStream<Uint8Array> {
    let at = offset;
    const stop = Math.min(end ?? Infinity, bytes.length);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { throughput, cutsAfter = Infinity, corrupts, isDown } = this.weather;
        if (isDown === true || at - offset >= cutsAfter) {
          return controller.error(new SeedmintError("reset", "The registry's connection broke"));
        }
        const piece = bytes.slice(at, Math.min(stop, at + 65_536));
        if (piece.length === 0) return controller.close();
        if (throughput !== undefined) {
          await systemClock.sleep((piece.length * 1000) / throughput, { signal });
        }
        if (corrupts === true && at === offset) piece[0]! ^= 1;
        at += piece.length;
        this.sentBytes.set(digest, (this.sentBytes.get(digest) ?? 0) + piece.length);
        controller.enqueue(piece);
      },
    }, { highWaterMark: 0 });
  }

  #of(repository: string): Repository {
    return this.#repositories.getOrInsertComputed(repository, () => ({
      manifests: new Map(),
      tags: new Map(),
      blobs: new Map(),
    }));
  }
}

/** A peer of the swarm. */
export interface FakeNode {
  readonly id: string;
  readonly store: MemoryBlobStore;
  /** What it says of digests. */
  readonly says: Map<Sha256, DigestMapping>;
  readonly isTrusted: boolean;
  readonly behaviour: Omit<ConstructorParameters<typeof FakePeer>[1], "from" | "to">;
}

/** The swarm: peers that tests add, and the real scheduler between them. */
export class FakeSwarm implements SwarmFetch {
  readonly nodes: FakeNode[] = [];
  readonly banned: string[] = [];
  readonly found: Sha256[] = [];
  readonly fetched: Hash[] = [];
  /** Ranges that peers were asked for, by peer. */
  readonly peers = new Map<string, FakePeer>();
  readonly #store: MemoryBlobStore;
  readonly #clock: Clock;

  constructor(store: MemoryBlobStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Adds a peer that has, and tells of, these blobs. */
  async add(
    id: string,
    blobs: Iterable<Bytes>,
    options: { readonly isTrusted?: boolean } & FakeNode["behaviour"] = {},
  ): Promise<FakeNode> {
    const { isTrusted = false, ...behaviour } = options;
    const store = new MemoryBlobStore({ clock: systemClock });
    const says = new Map<Sha256, DigestMapping>();
    for (const bytes of blobs) {
      const { hash } = await store.importBytes(bytes);
      const sha256 = sha256Bytes(bytes);
      says.set(sha256, { sha256, hash, size: bytes.length });
    }
    const node = { id, store, says, isTrusted, behaviour };
    this.nodes.push(node);
    return node;
  }

  async *find(sha256: Sha256): AsyncGenerator<ProviderHint> {
    this.found.push(sha256);
    await Promise.resolve();
    for (const { id, says } of this.nodes) {
      const mapping = says.get(sha256);
      yield {
        peerId: id,
        addrs: [],
        via: "advert",
        bound: true,
        ...(mapping === undefined ? {} : { hash: mapping.hash, size: mapping.size }),
      };
    }
  }

  ask(
    { peerId }: ProviderHint,
    sha256s: readonly Sha256[],
  ): Promise<readonly (DigestMapping | undefined)[]> {
    const { says } = this.#node(peerId);
    return Promise.resolve(sha256s.map((sha256) => says.get(sha256)));
  }

  isTrusted({ peerId }: ProviderHint): boolean {
    return this.#node(peerId).isTrusted;
  }

  ban({ peerId }: ProviderHint): void {
    this.banned.push(peerId);
  }

  fetch(request: Parameters<SwarmFetch["fetch"]>[0]): Promise<FetchReport> {
    const { hash, hints, origin, attributes, position, onReceived, signal } = request;
    this.fetched.push(hash);
    const sources = hints.map(({ peerId }) => {
      const { store, behaviour } = this.#node(peerId);
      const peer = new FakePeer(peerId, { from: store, to: this.#store, ...behaviour });
      this.peers.set(peerId, peer);
      return peer;
    });
    return fetchBlob({
      hash,
      store: this.#store,
      clock: this.#clock,
      random: systemRandom,
      sources,
      signal,
      limits: { originStartMs: 400, originStallMs: 400, firstByteMs: 200, progressMs: 300 },
      ...(origin === undefined ? {} : { origin }),
      ...(attributes === undefined ? {} : { attributes }),
      ...(position === undefined ? {} : { position }),
      ...(onReceived === undefined ? {} : { onReceived }),
    });
  }

  #node(id: string): FakeNode {
    return this.nodes.find((node) => node.id === id)!;
  }
}

/** Brings content from its registry: whole, checked, once at a time. */
export class FakeIntake implements DigestIntake {
  readonly brought: Sha256[] = [];
  endedCount = 0;
  readonly #store: MemoryBlobStore;
  readonly #underWay = new Map<Sha256, Promise<BlobRecord>>();

  constructor(store: MemoryBlobStore) {
    this.#store = store;
  }

  bring(request: Parameters<DigestIntake["bring"]>[0]): Promise<BlobRecord> {
    return this.#underWay.getOrInsertComputed(request.sha256, () => {
      this.brought.push(request.sha256);
      return this.#bring(request).finally(() => {
        this.endedCount++;
        this.#underWay.delete(request.sha256);
      });
    });
  }

  async #bring(request: Parameters<DigestIntake["bring"]>[0]): Promise<BlobRecord> {
    const { sha256, origin, attributes, signal, onProgress } = request;
    const { body } = await origin.open({ offset: 0, signal });
    return await this.#store.importStream(body, {
      ...attributes,
      signal,
      expected: { sha256 },
      ...(onProgress === undefined ? {} : { onProgress }),
    });
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
