/**
 * Follows catalogs: looks for newer ones at the start, when a relay tells of one, and from time to time;
 * keeps what is believed, and says what is not and why.
 */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { pinnedRootFault, type RootDocument, type SignedRoot, walkRoots } from "../root/mod.ts";
import { canonicalJson } from "../canonical_json.ts";
import { FOLLOWS_MAX, LIVE_JITTER_MS, REFRESH_MS, START_JITTER_MS } from "./limits.ts";
import { CatalogPins, type PinningCatalog } from "./pins.ts";
import type { CatalogBytes, CatalogFinder } from "./ports.ts";
import { problemsOf } from "./problems.ts";
import { refreshCatalog, type RefreshReport } from "./refresh.ts";
import type { AcceptedCatalog, CatalogKey, Follow, FollowState } from "./state.ts";

/** First digits of a root's id that may stand for its name. */
const ID_DIGITS_MIN = 8;

/** Options of {@link Follower}. */
export interface FollowerOptions {
  readonly state: FollowState;
  readonly finders: readonly CatalogFinder[];
  readonly bytes: CatalogBytes;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether development roots are believed. */
  readonly development: boolean;
  /** Called after a newer catalog counts, and once for each that counts when it starts. */
  readonly onAccepted?: (accepted: AcceptedCatalog, follow: Follow) => void;
  /** Called with what each look came to. */
  readonly onReport?: (report: RefreshReport, follow: Follow) => void;
}

/** A root that is believed. */
export interface TrustedRoot {
  readonly id: string;
  readonly name: string;
  /** The highest version that is known. */
  readonly root: RootDocument;
}

/** How one catalog fares. */
export interface FollowStatus {
  readonly follow: Follow;
  readonly root: RootDocument;
  readonly accepted?: AcceptedCatalog;
  /** Milliseconds since 1970 of the last look since the start. */
  readonly checkedMs?: number;
  /** What it came to. */
  readonly report?: RefreshReport;
  /** What is wrong, in words; empty when all is well. */
  readonly problems: readonly string[];
}

interface Watched {
  readonly end: AbortController;
  report?: RefreshReport;
  failure?: string;
  checkedMs?: number;
  /** Ends waiting for the next look. */
  wake: (waitMs: number) => void;
}

/** Follows catalogs under pinned roots. */
export class Follower implements AsyncDisposable {
  readonly pins: CatalogPins = new CatalogPins();
  readonly #options: FollowerOptions;
  readonly #roots = new Map<string, string>();
  readonly #watched = new Map<string, Watched>();
  readonly #running = new Set<Promise<void>>();
  readonly #looking = new Map<string, Promise<RefreshReport>>();
  readonly #closing = new AbortController();
  #configured: readonly Follow[] = [];
  #isStarted = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /**
   * Believes a root because the operator pinned it: its last version that follows from its first one.
   * What is known of it on disk is kept when it is higher.
   *
   * @throws {SeedmintError} `denied` if it cannot be believed.
   */
  async pin(chain: readonly SignedRoot[]): Promise<TrustedRoot> {
    const { state, development } = this.#options;
    const first = chain[0]!;
    const refuse = (why: string) => new SeedmintError("denied", `Cannot pin the root: ${why}`);
    const fault = await pinnedRootFault(first, { development });
    if (fault !== undefined) throw refuse(fault);
    const walk = await walkRoots(first, chain.slice(1), { development });
    const pinned = [first, ...walk.steps];
    const known = state.roots(first.signed.id);
    const highest = known.at(-1)?.signed.version ?? 0;
    for (const one of pinned) {
      const { version } = one.signed;
      const ours = known.find(({ signed }) => signed.version === version);
      if (ours !== undefined && canonicalJson(ours.signed) !== canonicalJson(one.signed)) {
        throw refuse(
          `its version ${version} is another than the one that this node knows; was the file changed?`,
        );
      }
    }
    state.addRoots(pinned.filter(({ signed }) => signed.version > highest));
    const { id, name } = first.signed;
    this.#roots.set(id, name);
    this.#updatePins();
    return { id, name, root: this.#root(id) };
  }

  /** The roots that are believed, in the order in which they were pinned. */
  roots(): readonly TrustedRoot[] {
    return [...this.#roots].map(([id, name]) => ({ id, name, root: this.#root(id) }));
  }

  /** Every version of a root that is believed. */
  chain(id: string): readonly SignedRoot[] {
    return this.#options.state.roots(id);
  }

  /**
   * Reads `NAME` or `ROOT/NAME`, where ROOT is the name of a root or the first digits of its id.
   *
   * @throws {SeedmintError} `usage` if it names no pinned root, or could be of several.
   */
  keyOf(text: string): CatalogKey {
    const slash = text.indexOf("/");
    const [rootName, name] = slash < 0
      ? [undefined, text]
      : [text.slice(0, slash), text.slice(slash + 1)];
    const roots = [...this.#roots].filter(([id, known]) =>
      rootName === undefined || known === rootName ||
      (rootName.length >= ID_DIGITS_MIN && id.startsWith(rootName))
    );
    if (roots.length === 1) return { root: roots[0]![0], name };
    const names = [...this.#roots].map(([id, known]) => `${known} (${id.slice(0, ID_DIGITS_MIN)})`)
      .join(", ");
    throw new SeedmintError(
      "usage",
      this.#roots.size === 0
        ? "Cannot look at catalogs: no root is pinned; name its file as release-root in seedmint.toml, " +
          "or with --release-root (of start, while a node runs)"
        : roots.length === 0
        ? `There is no root "${rootName!.slice(0, 64)}"; pinned are: ${names}`
        : `Which root's catalog "${name.slice(0, 64)}"? Write ROOT/NAME with one of: ${names}`,
    );
  }

  /** Follows these as long as it runs, whatever the state says of them; call it before {@link start}. */
  configure(follows: readonly Follow[]): void {
    for (const { root } of follows) this.#root(root);
    this.#configured = follows;
    this.#updatePins();
  }

  /** Begins to look; what is accepted already is told of first. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    for (const follow of this.follows()) {
      const accepted = this.accepted(follow);
      if (accepted !== undefined) this.#options.onAccepted?.(accepted, follow);
      this.#watch(follow, START_JITTER_MS);
    }
  }

  /** What is followed, of roots that are pinned. */
  follows(): readonly Follow[] {
    const configured = new Set(this.#configured.map(keyText));
    const others = this.#options.state.follows()
      .filter((one) => this.#roots.has(one.root) && !configured.has(keyText(one)));
    return [...this.#configured, ...others];
  }

  /**
   * Follows a catalog, or changes how.
   *
   * @throws {SeedmintError} `busy` if too many are followed; `usage` for an unknown root, and for one
   * that the settings follow.
   */
  follow(follow: Follow): void {
    const { state } = this.#options;
    this.#root(follow.root);
    this.#refuseConfigured(follow);
    const known = state.follows();
    const isNew = !known.some((one) => keyText(one) === keyText(follow));
    if (isNew && known.length >= FOLLOWS_MAX) {
      throw new SeedmintError("busy", `Cannot follow more than ${FOLLOWS_MAX} catalogs`);
    }
    state.follow(follow);
    this.#unwatch(follow);
    // The caller looks at once; the watch begins with the next look.
    if (this.#isStarted) this.#watch(follow, REFRESH_MS);
    this.#updatePins();
  }

  /** Ends following. @returns Whether it was followed. */
  unfollow(key: CatalogKey): boolean {
    this.#refuseConfigured(key);
    this.#unwatch(key);
    const was = this.#options.state.unfollow(key);
    this.#updatePins();
    return was;
  }

  /**
   * Looks now; one look at a time for each catalog.
   *
   * @throws {SeedmintError} `usage` if it is not followed; `storage`; `aborted`.
   */
  refresh(
    key: CatalogKey,
    { signal = this.#closing.signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<RefreshReport> {
    const text = keyText(key);
    const looking = this.#looking.get(text) ?? this.#look(key).finally(() => {
      this.#looking.delete(text);
    });
    this.#looking.set(text, looking);
    return abortable(looking, signal);
  }

  /** The catalog that counts. */
  accepted(key: CatalogKey): AcceptedCatalog | undefined {
    return this.#options.state.accepted(key, this.#root(key.root));
  }

  /** How each catalog fares. */
  status(): readonly FollowStatus[] {
    const nowS = this.#options.clock.nowMs() / 1000;
    return this.follows().map((follow) => {
      const root = this.#root(follow.root);
      const accepted = this.accepted(follow);
      const watched = this.#watched.get(keyText(follow));
      const { report, checkedMs, failure } = watched ?? {};
      return {
        follow,
        root,
        ...(accepted === undefined ? {} : { accepted }),
        ...(checkedMs === undefined ? {} : { checkedMs }),
        ...(report === undefined ? {} : { report }),
        problems: problemsOf({ root, accepted, report, failure, nowS }),
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new SeedmintError("aborted", "The node is stopping"));
    for (const { wake } of this.#watched.values()) wake(0);
    await Promise.allSettled([...this.#running, ...this.#looking.values()]);
  }

  async #look(key: CatalogKey): Promise<RefreshReport> {
    const follow = this.follows().find((one) => keyText(one) === keyText(key));
    if (follow === undefined) {
      throw new SeedmintError(
        "usage",
        `The catalog ${key.name} is not followed; catalog follow ${key.name} does that`,
      );
    }
    const { clock, onAccepted, onReport } = this.#options;
    const report = await refreshCatalog(follow, { ...this.#options, signal: this.#closing.signal });
    // A newer root may have revoked what counted before, whatever the outcome.
    this.#updatePins();
    const watched = this.#watched.get(keyText(key));
    if (watched !== undefined) {
      delete watched.failure;
      Object.assign(watched, { report, checkedMs: clock.nowMs() });
    }
    onReport?.(report, follow);
    if (report.outcome === "new") onAccepted?.(report.accepted!, follow);
    return report;
  }

  #watch(follow: Follow, withinMs: number): void {
    const watched: Watched = { end: new AbortController(), wake: () => {} };
    this.#watched.set(keyText(follow), watched);
    const running = this.#watching(follow, watched, withinMs).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  #unwatch(key: CatalogKey): void {
    const watched = this.#watched.get(keyText(key));
    this.#watched.delete(keyText(key));
    watched?.end.abort();
    watched?.wake(0);
  }

  /** Looks again and again until it is unwatched or the node stops. */
  async #watching(follow: Follow, watched: Watched, withinMs: number): Promise<void> {
    const { finders, random } = this.#options;
    const isOver = () => watched.end.signal.aborted || this.#closing.signal.aborted;
    const query = {
      root: follow.root,
      catalog: follow.name,
      rootVersion: this.#root(follow.root).version,
      publishers: follow.publishers,
    };
    const onNews = () => watched.wake(random.float() * LIVE_JITTER_MS);
    const stops = finders.map((finder) => finder.watch?.(query, onNews));
    try {
      let waitMs = withinMs *
        (withinMs === REFRESH_MS ? 0.8 + 0.4 * random.float() : random.float());
      while (!isOver()) {
        await this.#waitFor(watched, waitMs);
        if (isOver()) return;
        await this.refresh(follow).catch((error) => {
          if (!isOver()) watched.failure = messageOf(error);
        });
        waitMs = REFRESH_MS * (0.8 + 0.4 * random.float());
      }
    } finally {
      for (const stop of stops) stop?.();
    }
  }

  /** Waits for `ms`, or less once something wakes it. */
  #waitFor(watched: Watched, ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      let dueMs = clock.monotonicMs() + ms;
      let cancel = clock.timer(ms, resolve);
      watched.wake = (waitMs) => {
        const soonerMs = clock.monotonicMs() + waitMs;
        if (soonerMs >= dueMs) return;
        dueMs = soonerMs;
        cancel();
        if (waitMs <= 0) resolve();
        else cancel = clock.timer(waitMs, resolve);
      };
      if (watched.end.signal.aborted || this.#closing.signal.aborted) watched.wake(-1);
    });
  }

  #refuseConfigured(key: CatalogKey): void {
    if (!this.#configured.some((one) => keyText(one) === keyText(key))) return;
    throw new SeedmintError(
      "usage",
      `The settings of this node follow the catalog ${key.name} (--catalog): change them there`,
    );
  }

  #root(id: string): RootDocument {
    const root = this.#roots.has(id) ? this.#options.state.roots(id).at(-1) : undefined;
    if (root !== undefined) return root.signed;
    throw new SeedmintError("usage", "The root of this catalog is not pinned (--release-root)");
  }

  #updatePins(): void {
    const catalogs = this.follows().flatMap((follow): PinningCatalog[] => {
      const accepted = this.accepted(follow);
      if (accepted === undefined) return [];
      const { catalog, role } = accepted;
      const roleScopes = this.#root(follow.root).delegations
        .find((one) => one.role === role)?.images;
      return [{
        catalog,
        scopes: follow.pins ?? [],
        ...(roleScopes === undefined ? {} : { roleScopes }),
      }];
    });
    this.pins.replace(catalogs);
  }
}

function keyText({ root, name }: CatalogKey): string {
  return `${root}/${name}`;
}

/** `promise`, or the reason of `signal` once that is aborted; the work itself goes on. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    promise.catch(() => {});
    aborted.promise.catch(() => {});
  }
}
