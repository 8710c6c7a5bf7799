/** One content on its way in: its parts side by side, then its check, then the store. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { addFromOrigin } from "../origin/mod.ts";
import type { Origin } from "../ports.ts";
import type { BlobAttributes, BlobRecord, BlobStore } from "../store/blob_store.ts";
import { GrowingContent } from "./content.ts";
import { Feed, type FeedOptions } from "./feed.ts";
import { Host } from "./host.ts";
import { type ContentName, digestIn, wordsOf } from "./names.ts";
import { partsOf } from "./order.ts";

/** Options of {@link Intake}. */
export interface IntakeOptions {
  readonly self: string;
  /** The part that this node is to pass on. */
  readonly home: number;
  readonly name: ContentName;
  readonly size: number;
  readonly origin: Origin;
  readonly attributes: BlobAttributes | undefined;
  readonly store: BlobStore;
  /** Where the bytes grow. */
  readonly path: string;
  /** Absent: nobody but upstream is asked. */
  readonly swarm: FeedOptions["swarm"];
  readonly clock: Clock;
  readonly random: Random;
  /** Called after bytes came, with their count. */
  readonly onBytes: FeedOptions["onBytes"];
  /** Called with the bytes that are here so far. */
  readonly onProgress: (bytes: number) => void;
}

/** See the head of this file. */
export class Intake {
  /** What members are fed from, while it is under way and as long as some still read. */
  readonly host: Host;
  readonly #options: IntakeOptions;
  readonly #content: GrowingContent;
  #memberBytes = 0;
  #isWhole = false;

  /** @throws {SeedmintError} If its file cannot be made. */
  constructor(options: IntakeOptions) {
    const { path, self, home, name, size, clock } = options;
    this.#options = options;
    this.#content = new GrowingContent({ path, parts: partsOf(size), clock });
    this.host = new Host({
      self,
      home,
      digest: digestIn(name),
      size,
      content: this.#content,
    });
  }

  /**
   * Brings the content in. On failure its file is gone and nobody is fed any more.
   *
   * @throws {SeedmintError} `corrupt` if upstream has other bytes; what upstream and the store throw.
   */
  async run(signal: AbortSignal): Promise<BlobRecord> {
    try {
      await this.#receive(signal);
      this.#isWhole = true;
      return await this.#keep(signal);
    } catch (error) {
      await this.host.close(error instanceof Error ? error : new Error("it failed"));
      await Deno.remove(this.#options.path).catch(() => {});
      // Another size is what upstream has; wrong bytes may be of a member, or of a cache on the way.
      const mayBeOthers = this.#isWhole || this.#memberBytes > 0;
      if (!isSeedmintError(error, "corrupt") || !mayBeOthers) throw error;
      return await this.#alone(signal);
    }
  }

  async #receive(signal: AbortSignal): Promise<void> {
    const { origin, swarm, clock, random, onBytes, onProgress } = this.#options;
    const { host } = this;
    const stop = new AbortController();
    const feeds = host.parts.map((part) =>
      new Feed({
        host,
        content: this.#content,
        part,
        origin,
        ...(swarm === undefined ? {} : { swarm }),
        clock,
        random,
        onBytes: (count, from) => {
          if (from === "member") this.#memberBytes += count;
          onBytes(count, from);
          onProgress(this.#bytes);
        },
      }).run(AbortSignal.any([signal, stop.signal]))
    );
    try {
      await Promise.all(feeds);
    } catch (error) {
      stop.abort(new SeedmintError("aborted", "Another part failed"));
      await Promise.allSettled(feeds);
      throw error;
    }
  }

  /** Gives the file to the store, which reads and checks it before it has a name there. */
  async #keep(signal: AbortSignal): Promise<BlobRecord> {
    const { store, path, name, attributes } = this.#options;
    try {
      return await store.importFile(path, {
        name: digestIn(name),
        ...attributes,
        mode: "move",
        expected: name,
        signal,
      });
    } catch (error) {
      if (!isSeedmintError(error, "corrupt")) throw error;
      throw this.#corrupt(error);
    }
  }

  /** Somebody sent wrong bytes, and nobody can tell who: once more, from upstream alone. */
  async #alone(signal: AbortSignal): Promise<BlobRecord> {
    const { store, origin, name, size, attributes, onBytes, onProgress } = this.#options;
    const record = await addFromOrigin({
      store,
      origin,
      ...name,
      signal,
      attributes: { name: digestIn(name), ...attributes },
      onProgress: ({ bytes }) => onProgress(Math.min(bytes, size)),
    });
    onBytes(record.size, "upstream");
    return record;
  }

  get #bytes(): number {
    return this.host.parts.reduce(
      (sum, part) => sum + this.#content.tipOf(part) - part.start,
      0,
    );
  }

  #corrupt(cause: unknown): SeedmintError {
    const { origin, name } = this.#options;
    return new SeedmintError(
      "corrupt",
      `Cannot take ${
        wordsOf(name)
      } from ${origin.id}: the bytes have another hash; nothing was kept`,
      { cause },
    );
  }
}
