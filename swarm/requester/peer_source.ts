/** One peer as a source of blobs. */
import type { Bytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { type Hash, type Sha256, shortHash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../bao/geometry.ts";
import { truncateRanges } from "../bao/mod.ts";
import { COLLECTION_BYTES_MAX, type CollectionChild, decodeCollection } from "../collection.ts";
import type {
  CollectionFetch,
  Holdings,
  Network,
  PeerAddress,
  Source,
  SourceFetch,
} from "../ports.ts";
import {
  type BlobHoldings,
  type BlobName,
  HAVE_HASHES_MAX,
  type Want,
  WANT_BOUNDARIES_MAX,
} from "../protocol/mod.ts";
import { readCollection } from "../read_whole.ts";
import type { BlobStore } from "../store/blob_store.ts";
import { Cancellation } from "./cancellation.ts";
import { ChildSink } from "./children.ts";
import { namePeer, refusalOf } from "./failure.ts";
import { type Line, LinePool } from "./line.ts";
import { receiveBlob } from "./receive_blob.ts";

/** Options of {@link PeerSource}. */
export interface PeerSourceOptions {
  readonly network: Network;
  readonly peer: PeerAddress;
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Shown to the peer so that it lets us see blobs of the fleet. */
  readonly certificate?: Bytes;
}

/** Past the last group of any blob: asking for it means the last group (DESIGN section 4). */
const PAST_ANY_END = 2 ** 34;

/** A peer to fetch from. Dispose it to close the streams that it keeps for the next request. */
export class PeerSource implements Source, AsyncDisposable {
  readonly kind = "peer";
  readonly id: string;
  readonly #options: PeerSourceOptions;
  readonly #lines: LinePool;
  #collection: { readonly root: Hash; readonly children: readonly CollectionChild[] } | undefined;

  constructor(options: PeerSourceOptions) {
    this.id = options.peer.peerId;
    this.#options = options;
    this.#lines = new LinePool(options);
  }

  async fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }> {
    const { hash, size } = request;
    const wanted = size === undefined
      ? request.groups.union(RangeSet.of(PAST_ANY_END))
      : truncateRanges(request.groups, size);
    let receivedBytes = 0;
    await this.#ask(request.signal, `blob ${shortHash(hash)}`, async (cancel) => {
      for (const ranges of partsOf(wanted)) {
        receivedBytes += await this.#lines.lend(cancel, async (line) => {
          await line.send(this.#want({ hash }, { format: "blob", ranges }));
          return await receiveBlob({ line, cancel, store: this.#options.store, request, ranges });
        });
      }
    });
    return { receivedBytes };
  }

  async fetchChildren(request: CollectionFetch): Promise<{ readonly receivedBytes: number }> {
    let receivedBytes = 0;
    const what = `children of collection ${shortHash(request.root)}`;
    await this.#ask(request.signal, what, async (cancel) => {
      const children = await this.#childrenOf(request.root);
      let missingCount = 0;
      for (const wanted of partsOf(request.children.below(children.length))) {
        const received = await this.#lines.lend(cancel, async (line) => {
          const asked = { format: "collection", children: wanted } as const;
          await line.send(this.#want({ hash: request.root }, asked));
          return await this.#receiveChildren(line, { cancel, request, children, wanted });
        });
        receivedBytes += received.bytes;
        missingCount += received.missingCount;
      }
      if (missingCount > 0) {
        throw new SeedmintError("not-found", `it lacks ${missingCount} of the children asked for`);
      }
    });
    return { receivedBytes };
  }

  async holdings(hash: Hash, options: { readonly signal: AbortSignal }): Promise<Holdings> {
    return (await this.ask([{ hash }], options))[0]!;
  }

  /** The BLAKE3 and the holdings of a blob known by its SHA-256; the peer proves neither. */
  async find(
    sha256: Sha256,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly hash: Hash; readonly holdings: Holdings } | undefined> {
    const holdings = (await this.ask([{ sha256 }], options))[0]!;
    return holdings.state === "none" || holdings.hash === undefined
      ? undefined
      : { hash: holdings.hash, holdings };
  }

  /** What the peer says it holds of each of `names`, in their order, in as few messages as can be. */
  async ask(
    names: readonly BlobName[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly BlobHoldings[]> {
    const { certificate } = this.#options;
    const answers: BlobHoldings[] = [];
    await this.#ask(options.signal, "its holdings", async (cancel) => {
      for (let at = 0; at < names.length; at += HAVE_HASHES_MAX) {
        const blobs = names.slice(at, at + HAVE_HASHES_MAX);
        const holdings = await this.#lines.lend(cancel, async (line) => {
          await line.send({
            t: "have",
            blobs,
            ...(certificate === undefined ? {} : { certificate }),
          });
          const message = await line.nextMessage();
          if (message.t !== "holdings") throw refusalOf(message);
          if (message.blobs.length === blobs.length) return message.blobs;
          throw new SeedmintError("protocol", "it answered for another number of blobs");
        });
        answers.push(...holdings.map(insideBlob));
      }
    });
    return answers;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#lines.close();
    return Promise.resolve();
  }

  async #ask(
    signal: AbortSignal,
    what: string,
    ask: (cancel: Cancellation) => Promise<void>,
  ): Promise<void> {
    using cancel = new Cancellation(signal);
    try {
      await ask(cancel);
    } catch (error) {
      signal.throwIfAborted();
      throw namePeer(error, this.id, what);
    }
  }

  #want(name: BlobName, rest: Pick<Want, "format" | "ranges" | "children">): Want {
    const { certificate } = this.#options;
    return { t: "want", ...name, ...rest, ...(certificate === undefined ? {} : { certificate }) };
  }

  async #receiveChildren(
    line: Line,
    options: {
      readonly cancel: Cancellation;
      readonly request: CollectionFetch;
      readonly children: readonly CollectionChild[];
      readonly wanted: RangeSet;
    },
  ): Promise<{ readonly bytes: number; readonly missingCount: number }> {
    const { cancel, request, children, wanted } = options;
    const granted = await line.nextMessage();
    if (granted.t !== "granted") throw refusalOf(granted);
    const visibility = this.#options.store.status(request.root)?.visibility;
    await using sink = new ChildSink({
      store: this.#options.store,
      children,
      wanted,
      cancel,
      attributes: { ...(visibility === undefined ? {} : { visibility }), ...request.attributes },
      ...(request.onChild === undefined ? {} : { onChild: request.onChild }),
    });
    let bytes = 0;
    while (true) {
      const frame = await line.next();
      if (frame instanceof Uint8Array) {
        bytes += frame.length;
        request.onReceived?.(frame.length);
        await sink.data(frame);
      } else if (frame.t === "missing") sink.missing(frame.children);
      else if (frame.t === "end") break;
      else throw refusalOf(frame);
    }
    sink.end();
    return { bytes, missingCount: sink.missingCount };
  }

  async #childrenOf(root: Hash): Promise<readonly CollectionChild[]> {
    if (this.#collection?.root === root) return this.#collection.children;
    const { store } = this.#options;
    const children = await readCollection(store, root);
    this.#collection = { root, children };
    return children;
  }
}

/** `set` in parts that a want can say. */
function* partsOf(set: RangeSet): Generator<RangeSet> {
  const { boundaries } = set;
  for (let at = 0; at < boundaries.length; at += WANT_BOUNDARIES_MAX) {
    yield RangeSet.fromBoundaries(boundaries.slice(at, at + WANT_BOUNDARIES_MAX));
  }
}

/** Cuts what a peer says it holds to the blob that it says it is. */
function insideBlob(holdings: BlobHoldings): BlobHoldings {
  if (holdings.state !== "some") return holdings;
  return { ...holdings, groups: holdings.groups.below(groupCountOf(holdings.size)) };
}
