/** Handing blobs out: from the store, or from a flight that brings them in. */
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import { type Digest, formatRepository, sha256Of } from "../names.ts";
import type { BlobDelivery, Descriptor } from "../ports.ts";
import type { Target } from "./access.ts";
import type { Claims } from "./claims.ts";
import { Deadline } from "./deadline.ts";
import type { Flight } from "./flight.ts";
import type { Flights } from "./flights.ts";
import type { Guarantee } from "./guarantee.ts";
import type { MirrorLimits } from "./limits.ts";
import type { Pulls } from "./pulls.ts";
import { ArrivingDelivery, HeadDelivery, type JoinedFlight, StoredDelivery } from "./reading.ts";
import type { Scouting } from "./scouting.ts";
import { abortable } from "./shared_work.ts";

/** What {@link Deliveries} works with. */
export interface DeliveriesOptions {
  readonly store: BlobStore;
  readonly claims: Claims;
  readonly scouting: Scouting;
  readonly guarantee: Guarantee;
  readonly flights: Flights;
  readonly pulls: Pulls;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** Ends all questions. */
  readonly signal: AbortSignal;
}

/** What is known of a blob before it is here. */
export interface Described {
  readonly blob: Descriptor;
  /** The manifest that lists it. */
  readonly parent?: Digest;
  /** Whether its size is known for certain, so that an answer may begin with it. */
  readonly isSure: boolean;
}

/** See the head of this file. */
export class Deliveries {
  readonly #options: DeliveriesOptions;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /**
   * Opens a blob for a repository that may have it; undefined if nobody delivers it.
   *
   * @throws {SeedmintError} What the last source failed with, before a byte was promised.
   */
  async open(
    target: Target,
    digest: Digest,
    options: { readonly isHead: boolean; readonly signal: AbortSignal },
  ): Promise<BlobDelivery | undefined> {
    const stored = this.#stored(digest);
    if (stored !== undefined) return stored;
    const { signal } = options;
    const described = await this.#describe(target, digest, signal);
    if (described === undefined) return undefined;
    if (!options.isHead) return await this.#arriving(target, described, signal);
    const { blob, parent } = described;
    const isDeliverable = await this.#options.guarantee.isDeliverable(target, blob, {
      ...(parent === undefined ? {} : { parent }),
      signal,
    });
    return isDeliverable ? new HeadDelivery(digest, blob.size) : undefined;
  }

  #stored(digest: Digest): StoredDelivery | undefined {
    const { store } = this.#options;
    const record = store.findBySha256(sha256Of(digest));
    return record?.state === "complete" ? new StoredDelivery(store, digest, record) : undefined;
  }

  /** Its size, from the manifest that lists it, from its registry, or from whoever is believed. */
  async #describe(
    target: Target,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<Described | undefined> {
    const listing = this.#options.pulls.listing(target, digest);
    if (listing !== undefined) return { ...listing, isSure: true };
    const sizeAtRegistry = await this.#sizeAtRegistry(target, digest, signal);
    if (sizeAtRegistry !== undefined) return describedAs(digest, sizeAtRegistry, true);
    const { claims, scouting, limits } = this.#options;
    const sha256 = sha256Of(digest);
    await scouting.lookUntil({ anchors: [sha256], digests: [sha256] }, {
      isEnough: () => claims.candidates(sha256).length > 0,
      ms: limits.lookMs,
      signal,
    });
    const [candidate] = claims.candidates(sha256);
    return candidate && describedAs(digest, candidate.mapping.size, candidate.isTrusted);
  }

  async #sizeAtRegistry(
    { mode, name, upstream }: Target,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (mode === "miss-404") return undefined;
    const { clock, limits, guarantee } = this.#options;
    const known = guarantee.sizeOf(name, digest);
    if (known !== undefined) return known;
    using deadline = new Deadline(clock, {
      ms: limits.upstreamMs,
      what: "the registry's answer",
      signals: [signal, this.#options.signal],
    });
    try {
      const asked = upstream.blobSize(name.repository, digest, { signal: deadline.signal });
      const answer = await abortable(asked, deadline.signal);
      if (answer.status !== "found") return undefined;
      guarantee.upstreamHas(name, digest, answer.size);
      return answer.size;
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  async #arriving(
    target: Target,
    described: Described,
    signal: AbortSignal,
  ): Promise<BlobDelivery> {
    const { store, limits } = this.#options;
    const rejoin = (failed: Flight) => this.#rejoin(target, described, failed);
    for (let joined = this.#join(target, described);;) {
      const { flight, release } = joined;
      try {
        // What fails before the head is out is a 404, and the client goes elsewhere.
        await flight.begun({ ms: described.isSure ? limits.headMs : Infinity, signal });
      } catch (error) {
        release();
        throw error;
      }
      if (flight.state === "failed") {
        release();
        const next = rejoin(flight);
        if (next === undefined) throw flight.error;
        joined = next;
        continue;
      }
      const stored = flight.state === "here" ? this.#stored(flight.request.digest) : undefined;
      if (stored === undefined) return new ArrivingDelivery({ store, joined, rejoin });
      release();
      return stored;
    }
  }

  #join(target: Target, { blob, parent }: Described): JoinedFlight {
    const { digest, size, mediaType } = blob;
    return this.#options.flights.join({
      target,
      digest,
      size,
      ...(mediaType === "" ? {} : { mediaType }),
      ...(parent === undefined ? {} : { parent }),
    });
  }

  /** A flight that was begun for another repository says nothing of what this one's registry gives. */
  #rejoin(target: Target, described: Described, failed: Flight): JoinedFlight | undefined {
    const { name } = failed.request.target;
    this.#options.guarantee.failed(name, failed.request.digest);
    if (formatRepository(name) === formatRepository(target.name)) return undefined;
    return this.#join(target, described);
  }
}

function describedAs(digest: Digest, size: number, isSure: boolean): Described {
  return { blob: { digest, size, mediaType: "" }, isSure };
}
