/** A registry elsewhere that behaves as a test wants. */
import type { Bytes } from "../../../../src/core/bytes.ts";
import { SeedmintError } from "../../../../src/core/errors.ts";
import { systemClock } from "../../../../src/host/system.ts";
import type { Origin } from "../../../../swarm/ports.ts";
import type { Digest } from "../../../../swarm/registry/names.ts";
import type {
  Descriptor,
  Page,
  Upstream,
  UpstreamManifest,
} from "../../../../swarm/registry/ports.ts";
import type { TestImage } from "./images.ts";

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
