/** Content known by its SHA-256 alone, brought in once for a whole fleet. */
import { join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Herd } from "../fetch/mod.ts";
import type { Network, Origin, PeerAddress, Source } from "../ports.ts";
import type { DigestIntake } from "../registry/ports.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";
import type { UploadPace } from "./child_stream.ts";
import { CascadeSource } from "./cascade_source.ts";
import type { FeedOptions } from "./feed.ts";
import { Intake } from "./intake.ts";
import { type FleetView, Members } from "./members.ts";
import { type ContentDigest, type ContentName, digestIn, wordsOf } from "./names.ts";
import { Order, partsOf } from "./order.ts";
import { Serving } from "./serving.ts";

/** Options of {@link Cascade.start}. */
export interface CascadeOptions {
  /** Absent: everything is read from upstream by this node alone. */
  readonly network?: Network;
  readonly store: BlobStore;
  /** Who is a member by configuration. */
  readonly herd?: Pick<Herd, "isMember">;
  /** Who may be given bytes that are not checked yet: the fleet, and nobody else. */
  readonly fleet: FleetView;
  /** Members and where they may be reached. @default the members that are connected */
  readonly members?: () => readonly PeerAddress[];
  /** Shows others that this node belongs to the fleet. */
  readonly certificate?: Uint8Array<ArrayBuffer>;
  /** A directory of its own, on the file system of the store; emptied at the start. */
  readonly directory: string;
  /** The most bytes of all intakes under way. @default no limit but the store's own */
  readonly quotaBytes?: number;
  /** How fast members are sent to. @default as fast as they take it */
  readonly uploads?: UploadPace;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a cascade did so far, for metrics. */
export interface CascadeFigures {
  readonly upstreamBytes: number;
  readonly memberBytes: number;
  /** Sent to members. */
  readonly sentBytes: number;
  readonly underWayCount: number;
}

/** What is asked of a cascade. */
export type BringRequest = ContentName & Omit<Parameters<DigestIntake["bring"]>[0], "sha256">;

/** An intake and everybody who waits for it. */
interface Flight {
  readonly promise: Promise<BlobRecord>;
  readonly abort: AbortController;
  readonly listeners: Set<(bytes: number) => void>;
  waiterCount: number;
}

/** See the head of this file. */
export class Cascade implements DigestIntake, AsyncDisposable {
  readonly #options: CascadeOptions;
  readonly #members: Members | undefined;
  readonly #serving: Serving | undefined;
  readonly #flights = new Map<ContentDigest, Flight>();
  readonly #figures = { upstreamBytes: 0, memberBytes: 0, sentBytes: 0 };
  #reservedBytes = 0;
  #fileCount = 0;
  #isStopped = false;

  private constructor(options: CascadeOptions) {
    this.#options = options;
    const { network, store, clock, uploads } = options;
    if (network === undefined) return;
    this.#members = new Members({ ...options, network });
    this.#serving = new Serving({
      network,
      store,
      members: this.#members,
      clock,
      ...(uploads === undefined ? {} : { uploads }),
      onSent: (bytes) => this.#figures.sentBytes += bytes,
    });
  }

  /**
   * Empties the directory, and begins to serve members of the fleet.
   *
   * @throws {SeedmintError} `storage` if the directory cannot be used.
   */
  static async start(options: CascadeOptions): Promise<Cascade> {
    await emptied(options.directory);
    const cascade = new Cascade(options);
    await cascade.#serving?.start();
    return cascade;
  }

  /** `origin` as a source of an ordinary fetch, which members of the fleet read once between them. */
  sourceOf(origin: Origin): Source {
    const { store } = this.#options;
    return new CascadeSource({ origin, store, bring: (request) => this.bring(request) });
  }

  figures(): CascadeFigures {
    return { ...this.#figures, underWayCount: this.#flights.size };
  }

  /**
   * Brings content in, by its SHA-256 or its BLAKE3: joins the intake that is under way.
   *
   * @throws {SeedmintError} `corrupt` if its bytes have another hash; what `origin` throws.
   */
  async bring(request: BringRequest): Promise<BlobRecord> {
    request.signal.throwIfAborted();
    const { store } = this.#options;
    const held = request.sha256 === undefined
      ? store.status(request.hash)
      : store.findBySha256(request.sha256);
    if (held?.state === "complete") return held;
    if (this.#isStopped) throw new SeedmintError("aborted", "The node is stopping");
    return await wait(this.#flights.get(digestIn(request)) ?? this.#begin(request), request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    const flights = [...this.#flights.values()];
    for (const { abort } of flights) {
      abort.abort(new SeedmintError("aborted", "The node is stopping"));
    }
    await this.#serving?.stop();
    await Promise.allSettled(flights.map((flight) => flight.promise));
  }

  #begin(request: BringRequest): Flight {
    const { size } = request;
    const digest = digestIn(request);
    const { quotaBytes = Infinity } = this.#options;
    if (this.#reservedBytes + size > quotaBytes) {
      throw new SeedmintError(
        "no-space",
        `Cannot fetch ${
          wordsOf(request)
        }: ${size} bytes are wanted and ${this.#reservedBytes} of ${quotaBytes} are in use by what is being fetched; try again later`,
        { retryable: true },
      );
    }
    const abort = new AbortController();
    const listeners = new Set<(bytes: number) => void>();
    this.#reservedBytes += size;
    const promise = this.#run(request, {
      signal: abort.signal,
      onProgress: (bytes) => {
        for (const listener of listeners) listener(bytes);
      },
    }).finally(() => {
      this.#reservedBytes -= size;
      if (this.#flights.get(digest) === flight) this.#flights.delete(digest);
    });
    // Whoever waits hears of it; an intake that all have left fails unheard.
    promise.catch(() => {});
    const flight: Flight = { promise, abort, listeners, waiterCount: 0 };
    this.#flights.set(digest, flight);
    // From its abort on nobody may join it.
    abort.signal.addEventListener("abort", () => this.#flights.delete(digest), { once: true });
    return flight;
  }

  async #run(
    request: BringRequest,
    own: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void },
  ): Promise<BlobRecord> {
    const { size, origin, attributes } = request;
    const name: ContentName = request.sha256 === undefined
      ? { hash: request.hash }
      : { sha256: request.sha256 };
    const { store, clock, random, directory, network } = this.#options;
    // What only this node may see is neither asked of others nor passed on.
    const isShared = attributes?.visibility !== "private";
    const swarm = isShared ? this.#swarmFor(digestIn(name), size) : undefined;
    const intake = new Intake({
      self: network?.peerId ?? "",
      home: swarm?.home ?? 0,
      name,
      size,
      origin,
      attributes,
      store,
      path: join(directory, `${digestIn(name)}-${++this.#fileCount}`),
      swarm,
      clock,
      random,
      onBytes: (count, from) => {
        if (from === "member") this.#figures.memberBytes += count;
        else this.#figures.upstreamBytes += count;
      },
      onProgress: own.onProgress,
    });
    const { host } = intake;
    if (isShared) this.#serving?.offer(host);
    try {
      return await intake.run(own.signal);
    } finally {
      if (isShared && this.#serving !== undefined) await this.#serving.withdraw(host);
      else await host.close(new SeedmintError("aborted", "It is over"));
    }
  }

  #swarmFor(digest: ContentDigest, size: number): FeedOptions["swarm"] {
    const { network } = this.#options;
    const [members, serving] = [this.#members, this.#serving];
    if (network === undefined || members === undefined || serving === undefined) return undefined;
    const known = members.all();
    if (known.length === 0) return undefined;
    const order = new Order({
      digest,
      members: [network.peerId, ...known.map((peer) => peer.peerId)],
      partCount: partsOf(size).length,
    });
    const home = order.homeOf(network.peerId);
    return { network, members, order, home, hints: () => serving.askersOf(digest) };
  }
}

async function wait(flight: Flight, request: BringRequest): Promise<BlobRecord> {
  const { signal, onProgress } = request;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  const onAbort = () => reject(signal.reason);
  // Each caller has a listener of its own, so that leaving takes only that one away.
  const listener = onProgress === undefined ? undefined : (bytes: number) => onProgress(bytes);
  flight.waiterCount++;
  if (listener !== undefined) flight.listeners.add(listener);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([flight.promise, aborted]);
  } catch (error) {
    if (signal.aborted && flight.waiterCount === 1) {
      flight.abort.abort(signal.reason);
      // The last one leaves only when everything has let go.
      await flight.promise.catch(() => {});
    }
    throw error;
  } finally {
    flight.waiterCount--;
    if (listener !== undefined) flight.listeners.delete(listener);
    signal.removeEventListener("abort", onAbort);
  }
}

/** Makes the directory; what an earlier process left in it was never checked, and goes. */
async function emptied(directory: string): Promise<void> {
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    for await (const entry of Deno.readDir(directory)) {
      await Deno.remove(join(directory, entry.name), { recursive: true });
    }
  } catch (cause) {
    throw new SeedmintError(
      "storage",
      `Cannot use ${directory} for what is being fetched: it cannot be made or emptied`,
      { cause },
    );
  }
}
