/** Bringing in what catalogs name: their own bytes, and the files that they list. Never pays. */
import { isSeedmintError, SeedmintError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import type { BlobStore, Visibility } from "../../../swarm/store/blob_store.ts";
import type { CatalogFile, SealStatement } from "../../../trust/catalog/mod.ts";
import { type CatalogBytes, FETCH_MS, readHttp } from "../../../trust/follow/mod.ts";
import { checkSha256, isCollection as markCollection } from "../api/handlers/inspect.ts";
import { readWhole } from "../api/place.ts";
import type { CatalogWork } from "../api/trust.ts";
import type { TransferReport, TransferRequest, Transfers } from "../api/transfers.ts";
import type { Config } from "../config/settings.ts";
import { childUrl } from "./transfers.ts";

/** Media type of a catalog. */
export const CATALOG_MEDIA_TYPE = "application/vnd.seedmint.catalog.v1+json";

/** Where the list of a collection lies below its folder at an origin. */
export const COLLECTION_LIST_NAME = "collection.cbor";

/** How long peers are looked for before the origin is asked for a catalog, which is small. */
const FIND_CATALOG_MS = 3_000;

/** How long peers have for the bytes of a catalog before its origins are asked. */
const PEERS_MS = 8_000;

/** Places that are asked for the bytes of one catalog, all at once. */
const URLS_MAX = 8;

/** What both need. */
export interface CatalogFilesOptions {
  readonly store: BlobStore;
  readonly transfers: Transfers;
  readonly clock: Clock;
  readonly config: Pick<
    Config,
    "originDelay" | "originFloor" | "findTimeout" | "catalogVisibility" | "policy"
  >;
  /** Whether there is anybody to ask but origins. */
  readonly hasNetwork: boolean;
  /** Origins that the operator named may lie in private networks. */
  readonly trustedOrigins: () => ReadonlySet<string>;
}

/** Fetches for catalogs. */
export class CatalogFiles implements CatalogBytes {
  readonly #options: CatalogFilesOptions;

  constructor(options: CatalogFilesOptions) {
    this.#options = options;
  }

  /** The bytes of a catalog: from peers, then from where its publication says. */
  async fetch(
    statement: SealStatement,
    options: Parameters<CatalogBytes["fetch"]>[1],
  ): Promise<Uint8Array> {
    const { store } = this.#options;
    const { blake3, size } = statement;
    if (store.status(blake3)?.state !== "complete") await this.#bring(statement, options);
    const record = store.status(blake3)!;
    if (record.size === size) return await readWhole(store, blake3);
    throw new SeedmintError(
      "corrupt",
      `The catalog has ${record.size} bytes, and its signature says ${size}`,
    );
  }

  async #bring(
    statement: SealStatement,
    options: Parameters<CatalogBytes["fetch"]>[1],
  ): Promise<void> {
    const { peer, signal } = options;
    const attributes = this.attributesOf(statement);
    const urls = this.#orderedUrls(options.urls);
    const failures: unknown[] = [];
    if (this.#options.hasNetwork) {
      const patience = new AbortController();
      // Peers that drip must not use up the time that an origin needs.
      const cancel = urls.length === 0
        ? () => {}
        : this.#options.clock.timer(PEERS_MS, () => patience.abort());
      const swarmSignal = AbortSignal.any([signal, patience.signal]);
      try {
        await this.#options.transfers.fetchBlob({
          ...this.#request(statement.blake3, statement.size, {
            signal: swarmSignal,
            emit: () => {},
          }),
          hints: peer === undefined ? [] : [{ ...peer, via: "peer", bound: false }],
          policy: "swarm-only",
          findTimeoutMs: Math.min(this.#options.config.findTimeout, FIND_CATALOG_MS),
          attributes,
        });
        return;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      } finally {
        cancel();
      }
    }
    const end = new AbortController();
    const all = AbortSignal.any([signal, end.signal]);
    try {
      // At once: one that hangs, of a stranger's naming, keeps nobody from the others.
      await Promise.any(urls.map((url) => this.#fromUrl(url, statement, attributes, all)));
    } catch (error) {
      signal.throwIfAborted();
      failures.push(...(error instanceof AggregateError ? error.errors : [error]));
      throw failures.at(-1) ?? new SeedmintError(
        "unavailable",
        "Cannot fetch the catalog: there is nobody to ask; name a relay, a peer or its URL",
      );
    } finally {
      end.abort();
    }
  }

  /** Those at hosts that the operator named come first; of the others only some are asked. */
  #orderedUrls(urls: readonly string[]): readonly string[] {
    const trusted = this.#options.trustedOrigins();
    const isTrusted = (url: string) => trusted.has(new URL(url).origin);
    return [...urls.filter(isTrusted), ...urls.filter((url) => !isTrusted(url))].slice(0, URLS_MAX);
  }

  async #fromUrl(
    url: string,
    statement: SealStatement,
    attributes: TransferRequest["attributes"],
    signal: AbortSignal,
  ): Promise<void> {
    const bytes = await readHttp(url, {
      bytesMax: statement.size,
      timeoutMs: FETCH_MS,
      clock: this.#options.clock,
      signal,
      allowPrivate: this.#options.trustedOrigins().has(new URL(url).origin),
    });
    const expected = { hash: statement.blake3, sha256: statement.sha256 };
    await this.#options.store.importBytes(bytes, { ...attributes, expected, signal });
  }

  /** What the store is told of a catalog's blob. */
  attributesOf(
    { root, catalog, sequence }: SealStatement,
    visibility: Visibility = this.#options.config.catalogVisibility,
  ): TransferRequest["attributes"] {
    return {
      visibility,
      name: `${catalog}-${sequence}.json`,
      mediaType: CATALOG_MEDIA_TYPE,
      tag: catalogTag({ root, name: catalog }),
    };
  }

  /**
   * A file, or a collection with its children: peers first, then its origins one after the other.
   *
   * @throws {SeedmintError} `corrupt` if its SHA-256 or size is another than the catalog says.
   */
  async file(file: CatalogFile, work: CatalogWork, tag?: string): Promise<TransferReport> {
    const { store } = this.#options;
    const before = store.status(file.blake3);
    const isCollection = file.kind === "collection";
    let report: TransferReport = before?.state === "complete"
      ? {
        size: before.size,
        sources: [{ kind: "store", id: "store", bytes: before.size }],
        wastedBytes: 0,
        failures: [],
      }
      : await this.#byOrigins(file.origins, (origin) =>
        this.#options.transfers.fetchBlob({
          ...this.#fileRequest(file, work, tag),
          ...(origin === undefined ? {} : {
            origin: { url: isCollection ? childUrl(origin, COLLECTION_LIST_NAME) : origin },
          }),
        }));
    await this.#check(file);
    if (tag !== undefined) store.tag(file.blake3, tag);
    if (!isCollection) return report;
    await markCollection(store, store.status(file.blake3)!, "collection");
    const children = await this.#byOrigins(
      file.origins,
      (origin) =>
        this.#options.transfers.fetchChildren({
          ...this.#fileRequest(file, work, undefined),
          attributes: { visibility: this.#options.config.catalogVisibility },
          ...(origin === undefined ? {} : { origin: { url: origin } }),
        }),
    );
    report = { ...children, sources: [...report.sources, ...children.sources] };
    return report;
  }

  async #check(file: CatalogFile): Promise<void> {
    const { store } = this.#options;
    const record = store.status(file.blake3)!;
    if (record.size !== file.size) {
      throw new SeedmintError(
        "corrupt",
        `${file.name} has ${record.size} bytes, and the catalog says ${file.size}: its publisher ` +
          "made a mistake, and what was fetched is not used",
      );
    }
    await checkSha256(store, record, file.sha256);
  }

  /** Each origin in turn; the swarm is asked first every time, and what was verified stays. */
  async #byOrigins(
    origins: readonly string[],
    fetch: (origin: string | undefined) => Promise<TransferReport>,
  ): Promise<TransferReport> {
    const ways: readonly (string | undefined)[] = origins.length === 0 ? [undefined] : origins;
    for (const [index, origin] of ways.entries()) {
      try {
        return await fetch(origin);
      } catch (error) {
        const isLast = index === ways.length - 1;
        const isOurs = isSeedmintError(error, "aborted") || isSeedmintError(error, "no-space") ||
          isSeedmintError(error, "storage");
        if (isLast || isOurs || !isSeedmintError(error)) throw error;
      }
    }
    throw new RangeError("At least one way is wanted");
  }

  #fileRequest(file: CatalogFile, work: CatalogWork, tag: string | undefined): TransferRequest {
    const { config } = this.#options;
    return {
      ...this.#request(file.blake3, file.size, work, file.name),
      attributes: {
        name: file.name,
        visibility: config.catalogVisibility,
        ...(file.kind === undefined ? {} : { kind: file.kind }),
        ...(file.mediaType === undefined ? {} : { mediaType: file.mediaType }),
        ...(tag === undefined ? {} : { tag }),
      },
    };
  }

  #request(
    hash: CatalogFile["blake3"],
    size: number,
    work: CatalogWork,
    label = "catalog",
  ): TransferRequest {
    const { config } = this.#options;
    return {
      hash,
      claimedSize: size,
      hints: [],
      relays: [],
      policy: config.policy,
      originDelayMs: config.originDelay,
      originFloorBytesPerSecond: config.originFloor,
      findTimeoutMs: config.findTimeout,
      attributes: {},
      payment: { pays: false },
      signal: work.signal,
      onProgress: (progress) => work.emit({ event: "progress", label, ...progress }),
    };
  }
}

/** The tag that keeps a catalog and what is prefetched of it from garbage collection. */
export function catalogTag(key: { readonly root: string; readonly name: string }): string {
  return `catalog:${key.root.slice(0, 8)}/${key.name}`;
}
