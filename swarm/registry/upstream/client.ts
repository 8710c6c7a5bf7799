/** One upstream registry, asked as its own clients ask it. */
import type { Clock } from "../../../src/core/ports.ts";
import type { Origin } from "../../ports.ts";
import type { Digest, Reference } from "../names.ts";
import type {
  AskOptions,
  Descriptor,
  Page,
  PageRequest,
  Upstream,
  UpstreamManifest,
} from "../ports.ts";
import { Asker } from "./asker.ts";
import { askBlobSize, type BlobOptions, blobOriginOf } from "./blobs.ts";
import type { Credentials } from "./credentials.ts";
import { Destinations, type Resolve } from "./destinations.ts";
import { Endpoint } from "./endpoint.ts";
import { ASK_MS_MAX } from "./limits.ts";
import { askReferrers, askTags, type ListingQuestion } from "./listings.ts";
import { askManifest } from "./manifests.ts";
import { Openness, type Probe } from "./openness.ts";
import { type BlobPush, type BlobPushed, pushBlob, type PushOptions } from "./push_blob.ts";
import { type ManifestPush, pushManifest } from "./push_manifest.ts";
import { RateLimits, type UpstreamLimits } from "./rate_limits.ts";
import { Silence } from "./silence.ts";
import { Tokens } from "./tokens.ts";
import { Transport } from "./transport.ts";
import { within } from "./within.ts";

/** Options of {@link RegistryClient}. */
export interface RegistryClientOptions {
  /** Its name: `docker.io`, `ghcr.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /**
   * Where it answers, if not at `https://` and its name; `http:` says that it has no TLS, and allows
   * redirects without.
   */
  readonly url?: string;
  /** The node's logins. Absent: it is asked without any. */
  readonly credentials?: Credentials;
  readonly clock: Clock;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
  /** Addresses of a host's name. @default DNS */
  readonly resolve?: Resolve;
}

/** See the head of this file. */
export class RegistryClient implements Upstream {
  readonly registry: string;
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #destinations: Destinations;
  readonly #rates: RateLimits;
  readonly #asker: Asker;
  /** Asks without a login. */
  readonly #stranger: Asker;
  readonly #openness: Openness;
  readonly #blobs: BlobOptions;

  /** @throws {SyntaxError} If the name or the URL of the registry cannot be one. */
  constructor(options: RegistryClientOptions) {
    const { clock, credentials, fetch, resolve } = options;
    const endpoint = new Endpoint(options.registry, options.url);
    const { registry } = endpoint;
    const destinations = new Destinations({
      endpoint,
      ...(resolve === undefined ? {} : { resolve }),
    });
    const rates = new RateLimits({ registry, clock });
    const silence = new Silence(registry, clock);
    const parts = { endpoint, destinations, silence, clock };
    const common = { ...parts, ...(fetch === undefined ? {} : { fetch }) };
    const { asker, transport } = askingWith({
      ...common,
      rates,
      ...(credentials === undefined ? {} : { credentials }),
    });
    this.registry = registry;
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#clock = clock;
    this.#destinations = destinations;
    this.#rates = rates;
    this.#asker = asker;
    // What a stranger is refused for asking too much says nothing of us.
    this.#stranger = askingWith({ ...common, rates: new RateLimits({ registry, clock }) }).asker;
    this.#openness = new Openness({ clock });
    this.#blobs = { endpoint, asker, transport, rates, clock };
  }

  /** What the registry said of its limits, and what is not asked for now. */
  limits(): UpstreamLimits {
    return this.#rates.snapshot();
  }

  /** False as well where the login turned out not to be needed. */
  hasCredential(repository: string): boolean {
    return this.#hasLogin(repository) && !this.#openness.isOpen(repository);
  }

  manifest(
    repository: string,
    reference: Reference,
    options: {
      readonly signal: AbortSignal;
      readonly etag?: string;
      readonly isHead?: boolean;
    },
  ): Promise<UpstreamManifest> {
    const { etag, isHead = false } = options;
    const question = { endpoint: this.#endpoint, clock: this.#clock, repository, reference };
    return this.#within(options.signal, (signal) =>
      this.#asked(
        repository,
        askManifest({
          ...question,
          asker: this.#asker,
          isHead,
          signal,
          ...(etag === undefined ? {} : { etag }),
        }),
        (signal) => askManifest({ ...question, asker: this.#stranger, isHead: true, signal }),
        signal,
      ));
  }

  blobSize(
    repository: string,
    digest: Digest,
    options: AskOptions,
  ): ReturnType<Upstream["blobSize"]> {
    return this.#within(
      options.signal,
      (signal) => askBlobSize(this.#blobs, { repository, digest }, signal),
    );
  }

  blobOrigin(repository: string, digest: Digest): Origin {
    return blobOriginOf(this.#blobs, { repository, digest });
  }

  tags(repository: string, page: PageRequest, options: AskOptions): Promise<Page | undefined> {
    return this.#within(
      options.signal,
      (signal) => askTags(this.#listing(repository, signal), page),
    );
  }

  referrers(
    repository: string,
    digest: Digest,
    options: AskOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[] | undefined> {
    return this.#within(
      options.signal,
      (signal) => askReferrers(this.#listing(repository, signal), digest, options.artifactType),
    );
  }

  /**
   * Pushes a blob to `repository`, unless it is there. It has no deadline as a whole, since a slow line may
   * take hours; one that stops is noticed.
   *
   * @throws {SeedmintError} `denied`, `busy`, `corrupt`, `protocol`, `unavailable`, `timeout`.
   */
  pushBlob(repository: string, blob: BlobPush, options: AskOptions): Promise<BlobPushed> {
    return pushBlob(this.#push(repository, options.signal), blob);
  }

  /**
   * Pushes a manifest to `repository`, after its blobs.
   *
   * @returns Its digest.
   * @throws {SeedmintError} `denied`, `busy`, `not-found` if the registry lacks a blob of it, `corrupt`,
   * `invalid`, `protocol`, `unavailable`, `timeout`.
   */
  pushManifest(
    repository: string,
    reference: Reference,
    manifest: ManifestPush,
    options: AskOptions,
  ): Promise<Digest> {
    return pushManifest(this.#push(repository, options.signal), reference, manifest);
  }

  #hasLogin(repository: string): boolean {
    return this.#credentials?.has(this.registry, repository) ?? false;
  }

  /**
   * The answer to a question for a manifest, and beside it whether a stranger would have been given one.
   * Blobs say less: a registry that keeps each one once may show it under any repository.
   */
  async #asked<T>(
    repository: string,
    asked: Promise<T>,
    probe: Probe,
    signal: AbortSignal,
  ): Promise<T> {
    if (this.#hasLogin(repository)) {
      const learned = this.#openness.learn(repository, probe, signal);
      asked.catch(() => {});
      await learned;
    }
    return await asked;
  }

  #push(repository: string, signal: AbortSignal): PushOptions {
    return {
      endpoint: this.#endpoint,
      asker: this.#asker,
      destinations: this.#destinations,
      clock: this.#clock,
      repository,
      signal,
    };
  }

  #listing(repository: string, signal: AbortSignal): ListingQuestion {
    return {
      endpoint: this.#endpoint,
      asker: this.#asker,
      clock: this.#clock,
      repository,
      signal,
    };
  }

  #within<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const what = `Cannot ask registry ${this.registry}: no answer`;
    return within({ clock: this.#clock, ms: ASK_MS_MAX, signal, what }, work);
  }
}

/** What asks a registry, with or without a login. */
function askingWith(
  options: {
    readonly endpoint: Endpoint;
    readonly destinations: Destinations;
    readonly clock: Clock;
    readonly rates: RateLimits;
    readonly silence: Silence;
    readonly credentials?: Credentials;
    readonly fetch?: typeof globalThis.fetch;
  },
): { readonly asker: Asker; readonly transport: Transport } {
  const { registry, origin } = options.endpoint;
  const transport = new Transport({ registry, ...options });
  const tokens = new Tokens({ transport, ...options });
  return { asker: new Asker({ registry, origin, transport, tokens, ...options }), transport };
}
