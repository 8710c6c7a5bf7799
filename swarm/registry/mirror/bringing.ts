/**
 * How a blob comes in: under a mapping that is trusted, from peers with its registry behind them, handed
 * on as it is verified; under a stranger's word whole, checked before its first byte leaves, its registry
 * standing by; else from its registry by the intake.
 */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { GROUP_BYTES } from "../../bao/geometry.ts";
import type { FetchReport } from "../../fetch/mod.ts";
import type { Origin } from "../../ports.ts";
import type { BlobAttributes, BlobRecord, BlobStore } from "../../store/blob_store.ts";
import { formatRepository, sha256Of } from "../names.ts";
import type { DigestIntake, SwarmFetch } from "../ports.ts";
import type { Access } from "./access.ts";
import type { Candidate, Claims } from "./claims.ts";
import { fetchCandidate } from "./fetch_candidate.ts";
import type { Flight } from "./flight.ts";
import { FALSE_HINTS_MAX, type MirrorLimits } from "./limits.ts";
import type { MirrorEvent } from "./options.ts";
import type { Scouting, Wanted } from "./scouting.ts";
import { abortable } from "./shared_work.ts";
import type { Visibilities } from "./visibilities.ts";
import { followHeld, watchProgress, watchStall } from "./watching.ts";

/** What {@link bring} works with. */
export interface BringingParts {
  readonly store: BlobStore;
  readonly swarm: SwarmFetch;
  readonly intake: DigestIntake;
  readonly access: Pick<Access, "brought">;
  readonly claims: Claims;
  readonly scouting: Scouting;
  readonly visibilities: Visibilities;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  readonly tell: (event: MirrorEvent) => void;
}

/** What one attempt came to. */
type Brought = { readonly record: BlobRecord; readonly report?: FetchReport };

/**
 * Brings the blob of `flight` into the store.
 *
 * @throws {SeedmintError} What the last attempt failed with.
 */
export async function bring(parts: BringingParts, flight: Flight): Promise<void> {
  const { digest, size, target, parent } = flight.request;
  const { name } = target;
  const { record, report } = await new Bringing(parts, flight).run();
  parts.access.brought(target, { digest, kind: "blob" }, parent);
  parts.claims.learned({ sha256: sha256Of(digest), hash: record.hash, size: record.size });
  const ms = parts.clock.monotonicMs() - flight.startedMs;
  parts.tell({
    type: "blob",
    name,
    digest,
    size,
    ms,
    ...(report === undefined ? { from: "intake" } : { from: "swarm", report }),
  });
  flight.arrived(record);
}

class Bringing {
  readonly #parts: BringingParts;
  readonly #flight: Flight;
  readonly #wanted: Wanted;
  #falseCount = 0;

  constructor(parts: BringingParts, flight: Flight) {
    this.#parts = parts;
    this.#flight = flight;
    const { digest, parent } = flight.request;
    const sha256 = sha256Of(digest);
    this.#wanted = {
      anchors: parent === undefined ? [sha256] : [sha256Of(parent), sha256],
      digests: [sha256],
    };
  }

  async run(): Promise<Brought> {
    const { limits } = this.#parts;
    await this.#look(limits.lookFirstMs);
    const trusted = await this.#trusted();
    if (trusted !== undefined) return trusted;
    const claimed = await this.#claimed();
    if (claimed !== undefined) return claimed;
    try {
      return await this.#fromUpstream(this.#flight.signal);
    } catch (error) {
      this.#flight.signal.throwIfAborted();
      // Upstream is gone, or none is asked: whoever was too slow to be waited for is now.
      await this.#look(limits.lookMs);
      const late = await this.#trusted() ?? await this.#claimed();
      if (late !== undefined) return late;
      throw error;
    }
  }

  /** Gives peers a moment to say what they have. */
  async #look(ms: number): Promise<void> {
    const { scouting, claims } = this.#parts;
    const [sha256] = this.#wanted.digests;
    await scouting.lookUntil(this.#wanted, {
      isEnough: () => (claims.trusted(sha256!)?.hints.length ?? 0) > 0,
      ms,
      signal: this.#flight.signal,
    });
  }

  /** Verified groups go to readers as they come; readers of a lie that was trusted were given it. */
  async #trusted(): Promise<Brought | undefined> {
    const { claims, store } = this.#parts;
    const { digest } = this.#flight.request;
    const candidate = claims.trusted(sha256Of(digest));
    if (candidate === undefined || !this.#isPlausible(candidate)) return undefined;
    const { hash } = candidate.mapping;
    const origin = this.#origin();
    // Without peers an origin's bytes are verified at their end only: the intake does that better,
    // since it shares them with the fleet as they come.
    const isHeldInPart = store.status(hash) !== undefined;
    if (candidate.hints.length === 0 && !isHeldInPart && origin !== undefined) return undefined;
    this.#flight.stream(hash);
    try {
      const brought = await this.#streamed(candidate, origin);
      if (brought !== undefined) return brought;
    } catch (error) {
      this.#flight.signal.throwIfAborted();
      this.#trouble("a blob from peers", error);
      claims.forget(sha256Of(digest), hash);
      if (isOurs(error)) throw error;
    }
    this.#flight.restart();
    return undefined;
  }

  /** @throws {SeedmintError} `timeout` when nothing more is verified. */
  async #streamed(candidate: Candidate, origin: Origin | undefined): Promise<Brought | undefined> {
    const { store, clock, limits } = this.#parts;
    const { hash } = candidate.mapping;
    using leg = new Leg(this.#flight.signal);
    const { signal } = leg;
    const progress = { lastMs: clock.monotonicMs() };
    const fetching = this.#fetch(candidate, {
      signal,
      attributes: this.#attributes(),
      position: () => this.#flight.position(),
      unread: (signal) => this.#flight.unread({ ms: limits.unreadMs, signal }),
      onReceived: () => progress.lastMs = clock.monotonicMs(),
      ...(origin === undefined ? {} : { origin }),
    });
    fetching.catch(() => {});
    const heldOf = () => store.status(hash);
    void followHeld(progress, { heldOf, clock, signal });
    const ms = limits.streamStallMs;
    const first = await Promise.race([fetching, watchStall(progress, { clock, ms, signal })]);
    if (first !== "stalled") return first;
    throw new SeedmintError(
      "timeout",
      `Nothing more of blob ${hash} came for ${ms} ms, neither from peers nor from the registry`,
      { retryable: true },
    );
  }

  /** What strangers say, one after the other; upstream joins when they are slow. */
  async #claimed(): Promise<Brought | undefined> {
    const { claims } = this.#parts;
    const { digest } = this.#flight.request;
    const next = () =>
      claims.candidates(sha256Of(digest)).find((candidate) =>
        !candidate.isTrusted && candidate.hints.length > 0 && this.#isPlausible(candidate)
      );
    if (next() === undefined) return undefined;
    using strangers = new Leg(this.#flight.signal);
    using registry = new Leg(this.#flight.signal);
    const trying = this.#tryClaims(next, strangers.signal);
    trying.catch(() => {});
    const origin = this.#origin();
    if (origin === undefined) return await trying;
    const slow = this.#untilSlow(trying, next, strangers.signal);
    const first = await Promise.race([trying.catch(() => undefined), slow]);
    if (first !== undefined && first !== "slow") return first;
    if (first === undefined) return undefined;
    const intake = this.#fromUpstream(registry.signal);
    intake.catch(() => {});
    const found = trying.then((brought) => {
      if (brought === undefined) throw new SeedmintError("not-found", "No stranger had it");
      return brought;
    });
    try {
      return await Promise.any([found, intake]);
    } catch {
      return undefined;
    }
  }

  async #tryClaims(
    next: () => Candidate | undefined,
    signal: AbortSignal,
  ): Promise<Brought | undefined> {
    const { claims, store, visibilities } = this.#parts;
    const { target, digest, parent } = this.#flight.request;
    const sha256 = sha256Of(digest);
    for (let candidate = next(); candidate !== undefined; candidate = next()) {
      if (this.#falseCount >= FALSE_HINTS_MAX) return undefined;
      const { hash } = candidate.mapping;
      const wasHere = store.status(hash) !== undefined;
      try {
        // Until it proved to be what it was asked for as, nobody else is to have it from us.
        const attributes = { ...this.#attributes(), visibility: "private" } as const;
        const brought = await this.#fetch(candidate, { signal, attributes });
        if (brought !== undefined) {
          const visibility = visibilities.of(target, parent);
          if (!wasHere && visibility !== "private") store.setAttributes(hash, { visibility });
          return brought;
        }
        this.#falseCount++;
      } catch (error) {
        // What is not whole was never checked, and nobody goes on with it.
        if (!wasHere && store.status(hash)?.state === "partial") {
          await store.remove(hash).catch(() => {});
        }
        signal.throwIfAborted();
        if (isOurs(error)) throw error;
        this.#trouble("a blob from strangers", error);
        claims.forget(sha256, hash);
      }
    }
    return undefined;
  }

  /**
   * Fetches what a mapping names and checks its SHA-256.
   *
   * @returns Undefined if the mapping is false; whoever said so is banned by then.
   */
  async #fetch(
    candidate: Candidate,
    options: {
      readonly signal: AbortSignal;
      readonly attributes: BlobAttributes;
      readonly origin?: Origin;
      readonly position?: () => number | undefined;
      readonly onReceived?: (bytes: number) => void;
      readonly unread?: (signal: AbortSignal) => Promise<void>;
    },
  ): Promise<Brought | undefined> {
    const report = await fetchCandidate(this.#parts, candidate, options);
    if (report === undefined) return undefined;
    return { record: this.#parts.store.status(candidate.mapping.hash)!, report };
  }

  /** Resolves with `slow` once the strangers are too slow to be waited for alone. */
  async #untilSlow(
    trying: Promise<unknown>,
    next: () => Candidate | undefined,
    signal: AbortSignal,
  ): Promise<"slow"> {
    const { store, clock, limits } = this.#parts;
    const { size } = this.#flight.request;
    const bytesHeld = () => {
      const candidate = next();
      const record = candidate && store.status(candidate.mapping.hash);
      return record === undefined ? 0 : Math.min(size, record.groups.count * GROUP_BYTES);
    };
    await watchProgress({ trying, bytesHeld, size, clock, limits, signal });
    return "slow";
  }

  async #fromUpstream(signal: AbortSignal): Promise<Brought> {
    const { intake, clock, limits } = this.#parts;
    const { digest, size, target } = this.#flight.request;
    const origin = this.#origin();
    if (origin === undefined) {
      throw new SeedmintError(
        "not-found",
        `Cannot bring blob ${digest} of ${
          formatRepository(target.name)
        }: no peer has it, and its registry is set to miss-404`,
      );
    }
    using leg = new Leg(signal);
    const progress = { lastMs: clock.monotonicMs() };
    const bringing = intake.bring({
      sha256: sha256Of(digest),
      size,
      origin,
      attributes: this.#attributes(),
      signal: leg.signal,
      onProgress: () => progress.lastMs = clock.monotonicMs(),
    });
    bringing.catch(() => {});
    const stall = watchStall(progress, { clock, ms: limits.stallMs, signal: leg.signal });
    const record = await abortable(Promise.race([bringing, stall]), signal);
    if (record !== "stalled") return { record };
    throw new SeedmintError(
      "timeout",
      `Cannot bring blob ${digest}: its registry sent nothing for ${limits.stallMs} ms`,
      { retryable: true },
    );
  }

  /**
   * Whether it has the size that the manifest says. If not, one of the two is wrong, and which is not
   * known: whoever writes a manifest must not make liars of those who hold its blobs.
   */
  #isPlausible({ mapping }: Candidate): boolean {
    return mapping.size === this.#flight.request.size;
  }

  #origin(): Origin | undefined {
    const { target, digest } = this.#flight.request;
    if (target.mode === "miss-404") return undefined;
    return target.upstream.blobOrigin(target.name.repository, digest);
  }

  #attributes(): BlobAttributes {
    const { target, mediaType, parent } = this.#flight.request;
    const visibility = this.#parts.visibilities.of(target, parent);
    return { visibility, ...(mediaType === undefined ? {} : { mediaType }) };
  }

  #trouble(what: string, error: unknown): void {
    this.#parts.tell({ type: "trouble", what, error });
  }
}

/** A part of the work that ends with the whole, or before. */
class Leg implements Disposable {
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#abort.signal]);
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new DOMException("The blob came another way", "AbortError"));
  }
}

/** Whether the fault is this node's, which no other source would mend. */
function isOurs(error: unknown): boolean {
  return ["no-space", "storage", "locked"].some((code) =>
    isSeedmintError(error, code as "no-space" | "storage" | "locked")
  );
}
