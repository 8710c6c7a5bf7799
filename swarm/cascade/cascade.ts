/** Content known by its SHA-256 alone, brought in once for a whole fleet. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Herd } from "../fetch/mod.ts";
import type { Fleet } from "../fleet.ts";
import { addFromOrigin } from "../origin/mod.ts";
import type { Network, PeerAddress } from "../ports.ts";
import type { DigestIntake } from "../registry/ports.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";

/** Options of {@link Cascade.start}. */
export interface CascadeOptions {
  /** Absent: everything is read from upstream by this node alone. */
  readonly network?: Network;
  readonly store: BlobStore;
  readonly herd?: Pick<Herd, "isMember">;
  /** Who may be given bytes that are not checked yet. */
  readonly fleet: Pick<Fleet, "viewerOf">;
  /** Members and where they may be reached. @default the members that are connected */
  readonly members?: () => readonly PeerAddress[];
  /** Shows others that this node belongs to the fleet. */
  readonly certificate?: Uint8Array<ArrayBuffer>;
  /** A directory of its own, on the file system of the store; emptied at the start. */
  readonly directory: string;
  /** The most bytes of all intakes under way. */
  readonly quotaBytes?: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** See the head of this file. */
export class Cascade implements DigestIntake, AsyncDisposable {
  readonly #options: CascadeOptions;
  readonly #underWay = new Map<Sha256, Promise<BlobRecord>>();

  private constructor(options: CascadeOptions) {
    this.#options = options;
  }

  /** Begins to serve members of the fleet. */
  static start(options: CascadeOptions): Promise<Cascade> {
    return Promise.resolve(new Cascade(options));
  }

  async bring(request: Parameters<DigestIntake["bring"]>[0]): Promise<BlobRecord> {
    const { sha256, origin, signal, attributes, onProgress } = request;
    const { store } = this.#options;
    const known = this.#underWay.get(sha256);
    if (known !== undefined) return await known;
    const bringing = addFromOrigin({
      store,
      origin,
      sha256,
      signal,
      ...(attributes === undefined ? {} : { attributes }),
      ...(onProgress === undefined ? {} : { onProgress: ({ bytes }) => onProgress(bytes) }),
    }).finally(() => this.#underWay.delete(sha256));
    this.#underWay.set(sha256, bringing);
    return await bringing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
