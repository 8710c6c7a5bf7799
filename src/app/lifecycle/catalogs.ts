/** The signed catalogs of a node: pinned roots, the follower, its ways of finding, and publishing. */
import { join } from "node:path";
import { messageOf, SeedmintError } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { RelayPool } from "../../nostr/mod.ts";
import { signEvent } from "../../nostr/nostr.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Announcer } from "../../../swarm/ports.ts";
import type { Seal } from "../../../trust/catalog/mod.ts";
import type {
  AcceptedCatalog,
  CatalogFinder,
  CatalogKey,
  Follow,
  Publication,
} from "../../../trust/follow/mod.ts";
import { Follower, FollowState, publicationEvents, UrlFinder } from "../../../trust/follow/mod.ts";
import { parseRootChain, ROOT_CHAIN_BYTES_MAX, type SignedRoot } from "../../../trust/root/mod.ts";
import type { CatalogAccess, CatalogDesk } from "../api/trust.ts";
import type { CatalogFigures } from "../catalog_metrics.ts";
import type { Config } from "../config/settings.ts";
import type { Log } from "../log.ts";
import { type CatalogFiles, catalogTag } from "./catalog_files.ts";
import type { Prefetcher } from "./prefetch.ts";

/** How often what this node publishes is told to the relays again, give or take a fifth. */
const REPUBLISH_MS: number = 6 * 60 * 60 * 1000;
/** After the start, when the relays are connected. */
const FIRST_REPUBLISH_MS = 10_000;
/** How long the other relays may still answer when one took an event. */
const PUBLISH_GRACE_MS = 3_000;

/** Options of {@link NodeCatalogs}. */
export interface NodeCatalogsOptions {
  readonly config: Config;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly nostrSecret: Uint8Array;
  readonly pool?: RelayPool;
  readonly announcer?: () => Announcer | undefined;
  /** Ways of finding besides the origin. */
  readonly finders: readonly CatalogFinder[];
  readonly files: CatalogFiles;
  /** Absent where nothing is to go on by itself: a verb that works alone. */
  readonly prefetcher?: Prefetcher;
  /** Told of publications that were refused, each by its reason. */
  readonly onRefused?: (catalog: string, reasons: readonly string[]) => void;
  readonly log: Log;
}

interface Opened {
  readonly state: FollowState;
  readonly follower: Follower;
}

/** The catalogs of a node, opened when they are asked for or followed by the settings. */
export class NodeCatalogs implements CatalogAccess, AsyncDisposable {
  readonly #options: NodeCatalogsOptions;
  readonly #closing = new AbortController();
  /** What counts, by catalog, so that an older one is let go. */
  readonly #blobs = new Map<string, AcceptedCatalog>();
  #opening: Promise<Opened> | undefined;
  #opened: Opened | undefined;
  #publishing: Promise<void> = Promise.resolve();
  #failure: string | undefined;
  /** Date of the last events, in seconds since 1970. */
  #publishedS = 0;

  constructor(options: NodeCatalogsOptions) {
    this.#options = options;
  }

  /** The follower, if it is open. */
  get follower(): Follower | undefined {
    return this.#opened?.follower;
  }

  /** Opens what the settings name and goes on with it; what does not work is a problem, not an error. */
  async start(): Promise<void> {
    if (this.#options.config.releaseRoot.length === 0) return;
    try {
      const { follower } = await this.#open();
      follower.start();
      this.#publishing = this.#republish();
    } catch (error) {
      this.#failure = messageOf(error);
      this.#options.log("error", "catalogs are not followed", { error: messageOf(error) });
    }
  }

  async open(): Promise<CatalogDesk> {
    const { state, follower } = await this.#open();
    this.#failure = undefined;
    return {
      keyOf: (text) => follower.keyOf(text),
      status: () => follower.status(),
      follow: (follow) => follower.follow(follow),
      unfollow: (key) => {
        this.#letGo(key);
        return follower.unfollow(key);
      },
      refresh: (key, { signal }) => follower.refresh(key, { signal }),
      fetch: (file, work) => this.#options.files.file(file, work),
      publish: ({ catalog, bytes, seal, roots, urls }, work) =>
        this.#publish(state, { bytes, seal, roots, urls, name: catalog.name }, work.signal),
    };
  }

  problems(): readonly string[] {
    const follower = this.#opened?.follower;
    return [
      ...(this.#failure === undefined ? [] : [`catalogs are not followed: ${this.#failure}`]),
      ...(follower?.status() ?? []).flatMap(({ follow, problems }) =>
        problems.map((problem) => `catalog ${follow.name}: ${problem}`)
      ),
    ];
  }

  /** How what is followed fares, for metrics. */
  figures(): readonly CatalogFigures[] {
    const nowS = this.#options.clock.nowMs() / 1000;
    return (this.#opened?.follower.status() ?? []).map(({ follow, root, accepted }) => {
      const names = { root: root.name, catalog: follow.name };
      if (accepted === undefined) return names;
      const { sequence, issuedS, expiresS } = accepted.catalog;
      return { ...names, accepted: { sequence, ageS: nowS - issuedS, leftS: expiresS - nowS } };
    });
  }

  /** What this node tells a peer of a catalog. */
  tell(key: CatalogKey, viewer: { readonly fleet: boolean }): Publication | undefined {
    if (this.#opened === undefined) return undefined;
    const { state, follower } = this.#opened;
    const published = state.published().find(({ seal }) =>
      seal.signed.root === key.root && seal.signed.catalog === key.name
    );
    const { catalogVisibility } = this.#options.config;
    const mayTell = catalogVisibility === "public" ||
      (catalogVisibility === "fleet" && viewer.fleet);
    const isFollowed = mayTell &&
      follower.follows().some((one) => one.root === key.root && one.name === key.name);
    const accepted = isFollowed ? follower.accepted(key) : undefined;
    const isNewer = (accepted?.catalog.sequence ?? 0) > (published?.seal.signed.sequence ?? 0);
    if (!isNewer) return published;
    return { seal: accepted!.seal, roots: follower.chain(key.root), urls: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new SeedmintError("aborted", "The node is stopping"));
    await this.#publishing.catch(() => {});
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.follower[Symbol.asyncDispose]();
    await this.#options.prefetcher?.[Symbol.asyncDispose]();
    opened?.state[Symbol.dispose]();
    this.#opened = undefined;
  }

  #open(): Promise<Opened> {
    return this.#opening ??= this.#openAll().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
  }

  async #openAll(): Promise<Opened> {
    const { config, clock, random, finders, files, onRefused, log } = this.#options;
    this.#closing.signal.throwIfAborted();
    const chains = await Promise.all(config.releaseRoot.map(readRootFile));
    const state = FollowState.open(join(config.data, "catalogs.sqlite"));
    try {
      const follower = new Follower({
        state,
        finders: [new UrlFinder({ clock }), ...finders],
        bytes: files,
        clock,
        random,
        development: config.development,
        onAccepted: (accepted, follow) => this.#accepted(accepted, follow),
        onReport: ({ outcome, refused, accepted }, { name }) => {
          onRefused?.(name, refused.map(({ code }) => code));
          log(refused.length > 0 && outcome !== "same" ? "warning" : "debug", "looked for", {
            catalog: name,
            outcome,
            sequence: accepted?.catalog.sequence ?? null,
            refused: refused.map(({ from, message }) => `${from}: ${message}`),
          });
        },
      });
      for (const chain of chains) await follower.pin(chain);
      follower.configure(config.catalog.map(({ name, url }) => ({
        ...follower.keyOf(name),
        publishers: config.catalogPublisher,
        selectors: config.prefetch,
        pins: config.catalogPins,
        ...(url === undefined ? {} : { url }),
      })));
      return this.#opened = { state, follower };
    } catch (error) {
      state[Symbol.dispose]();
      throw error;
    }
  }

  /** Seeds a catalog that counts from now on, and begins to prefetch. */
  #accepted(accepted: AcceptedCatalog, follow: Follow): void {
    const { store, files, announcer, prefetcher, log } = this.#options;
    const { signed } = accepted.seal;
    const key = `${follow.root}/${follow.name}`;
    const before = this.#blobs.get(key)?.seal.signed.blake3;
    this.#blobs.set(key, accepted);
    const tag = catalogTag(follow);
    if (before !== undefined && before !== signed.blake3) store.untag(before, tag);
    const isHere = store.status(signed.blake3)?.state === "complete";
    // What this node publishes itself stays public.
    const keeping = isHere
      ? Promise.resolve(store.tag(signed.blake3, tag))
      : store.importBytes(accepted.bytes, files.attributesOf(signed)).then(() => {});
    keeping.then(
      () => announcer?.()?.announce(signed.blake3),
      (error) => log("warning", "a catalog is not seeded", { error: messageOf(error) }),
    );
    prefetcher?.accepted(accepted, follow);
  }

  /** What is no longer followed need not be kept. */
  #letGo(key: CatalogKey): void {
    const accepted = this.#blobs.get(`${key.root}/${key.name}`);
    this.#blobs.delete(`${key.root}/${key.name}`);
    if (accepted !== undefined) {
      this.#options.store.untag(accepted.seal.signed.blake3, catalogTag(key));
    }
  }

  async #publish(
    state: FollowState,
    publication: Publication & {
      readonly seal: Seal;
      readonly name: string;
      readonly bytes: Uint8Array;
    },
    signal: AbortSignal,
  ): Promise<Awaited<ReturnType<CatalogDesk["publish"]>>> {
    const { store, files, announcer, pool } = this.#options;
    const { bytes, seal, roots, urls } = publication;
    const record = await store.importBytes(bytes, {
      ...files.attributesOf(seal.signed, "public"),
      pinned: true,
      expected: { hash: seal.signed.blake3, sha256: seal.signed.sha256 },
      signal,
    });
    const old = state.published().find(({ seal: { signed } }) =>
      signed.root === seal.signed.root && signed.catalog === seal.signed.catalog
    );
    state.publish({ seal, roots, urls });
    if (old !== undefined && old.seal.signed.blake3 !== record.hash) {
      store.unpin(old.seal.signed.blake3);
      store.untag(
        old.seal.signed.blake3,
        catalogTag({ root: seal.signed.root, name: publication.name }),
      );
    }
    announcer?.()?.announce(record.hash);
    const relayCount = await this.#send({ seal, roots, urls }, signal);
    return { hash: record.hash, relayCount, relayCountAll: pool?.urls.length ?? 0 };
  }

  /** Sends the events of a publication. @returns The relays that took the catalog's own one. */
  async #send(
    publication: Publication & { readonly seal: Seal },
    signal: AbortSignal,
  ): Promise<number> {
    const { pool, clock, nostrSecret } = this.#options;
    if (pool === undefined || pool.urls.length === 0) return 0;
    let count = 0;
    // Of two of one second relays would keep either.
    this.#publishedS = Math.max(Math.floor(clock.nowMs() / 1000), this.#publishedS + 1);
    for (const template of publicationEvents(publication, this.#publishedS)) {
      const event = signEvent(template, nostrSecret);
      count = (await pool.publish(event, { signal, graceMs: PUBLISH_GRACE_MS })).acceptedCount;
    }
    return count;
  }

  /** Relays forget: what is published is told again from time to time. */
  async #republish(): Promise<void> {
    const { clock, random, log } = this.#options;
    const { signal } = this.#closing;
    let waitMs = FIRST_REPUBLISH_MS;
    while (!signal.aborted) {
      try {
        await clock.sleep(waitMs * (0.8 + 0.4 * random.float()), { signal });
        waitMs = REPUBLISH_MS;
        for (const publication of this.#opened?.state.published() ?? []) {
          await this.#send(publication, signal);
        }
      } catch (error) {
        if (signal.aborted) return;
        log("warning", "a catalog was not published again", { error: messageOf(error) });
      }
    }
  }
}

/**
 * Reads a file with a root.
 *
 * @throws {SeedmintError} `usage` that names the file.
 */
export async function readRootFile(path: string): Promise<readonly SignedRoot[]> {
  const what = `Cannot use the root in ${path}`;
  try {
    const { size } = await Deno.stat(path);
    if (size > ROOT_CHAIN_BYTES_MAX) throw new SyntaxError("it is too large");
    return parseRootChain(await Deno.readTextFile(path));
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file; root new makes one, publishers give theirs away"
      : messageOf(error);
    throw new SeedmintError("usage", `${what}: ${why}`, { cause: error });
  }
}
