/** One peer as a source of blobs. */
import type { Bytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { type Hash, type Sha256, shortHash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../bao/geometry.ts";
import { truncateRanges } from "../bao/mod.ts";
import type { CollectionChild } from "../collection.ts";
import type {
  CollectionFetch,
  Holdings,
  Network,
  PeerAddress,
  ProviderHint,
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
import { askFor, type Grant } from "./asking.ts";
import { Cancellation } from "./cancellation.ts";
import { ChildSink } from "./children.ts";
import { DirectPath, type DirectPathSettings } from "./direct_path.ts";
import { namePeer, refusalOf } from "./failure.ts";
import { type Line, LinePool } from "./line.ts";
import { type Path, PathMemory } from "./path_memory.ts";
import { PaymentLine } from "./payment_line.ts";
import { Purchase } from "./purchase.ts";
import { receiveBlob } from "./receive_blob.ts";
import type { PaySettings } from "./sessions.ts";
import { termsOfHint } from "./terms.ts";
import { PriceRaised } from "./ticket.ts";

/** Options of {@link PeerSource}. */
export interface PeerSourceOptions {
  readonly network: Network;
  /**
   * The peer. When it is the whole hint, and its author is bound to the peer, its price is paid with
   * the first message. Of a member of one's own fleet, which takes nothing, leave the price out.
   */
  readonly peer: PeerAddress & Partial<ProviderHint>;
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Shown to the peer so that it lets us see blobs of the fleet. */
  readonly certificate?: Bytes;
  /** How the direct path is used where it is offered; false for never. */
  readonly direct?: DirectPathSettings | false;
  /** Pays what the peer asks. @default nothing is paid */
  readonly pay?: PaySettings;
}

/** Past the last group of any blob: asking for it means the last group (DESIGN section 4). */
const PAST_ANY_END = 2 ** 34;

/** Part of a want that allows the direct path. */
const DIRECT = { direct: true } as const;

/** A peer to fetch from. Dispose it to close the streams that it keeps for the next request. */
export class PeerSource implements Source, AsyncDisposable {
  readonly kind = "peer";
  readonly id: string;
  /** As it answered last, else as its advert says; absent while neither is known. */
  priceMsatPerMiB?: number;
  readonly #options: PeerSourceOptions;
  readonly #lines: LinePool;
  readonly #memory: PathMemory;
  readonly #direct: DirectPath | undefined;
  readonly #purchase: Purchase | undefined;
  #collection: { readonly root: Hash; readonly children: readonly CollectionChild[] } | undefined;

  constructor(options: PeerSourceOptions) {
    this.id = options.peer.peerId;
    this.#options = options;
    this.#lines = new LinePool(options);
    const settings = options.direct === false ? undefined : options.direct ?? {};
    this.#memory = settings?.memory ?? new PathMemory(options);
    this.#direct = settings && new DirectPath({
      ...settings,
      peerId: this.id,
      clock: options.clock,
      memory: this.#memory,
    });
    const { priceMsatPerMiB } = options.peer;
    if (priceMsatPerMiB !== undefined) this.priceMsatPerMiB = priceMsatPerMiB;
    this.#purchase = options.pay && new Purchase({
      settings: options.pay,
      peerId: this.id,
      advertised: termsOfHint(options.peer),
      beforePaying: () => options.store.commit?.(),
      line: new PaymentLine(options),
      clock: options.clock,
    });
  }

  async fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }> {
    const { hash, size } = request;
    const wanted = size === undefined
      ? request.groups.union(RangeSet.of(PAST_ANY_END))
      : truncateRanges(request.groups, size);
    let receivedBytes = 0;
    this.#purchase?.begin();
    await this.#ask(request.signal, `blob ${shortHash(hash)}`, async (cancel) => {
      for (const ranges of partsOf(wanted)) {
        receivedBytes += await this.#fetchPart(request, { ranges, cancel });
      }
    });
    return { receivedBytes };
  }

  async fetchChildren(request: CollectionFetch): Promise<{ readonly receivedBytes: number }> {
    let receivedBytes = 0;
    const what = `children of collection ${shortHash(request.root)}`;
    this.#purchase?.begin();
    await this.#ask(request.signal, what, async (cancel) => {
      const children = await this.#childrenOf(request.root);
      let missingCount = 0;
      for (const wanted of partsOf(request.children.below(children.length))) {
        const received = await this.#lend(cancel, async (line) => {
          const asked = { format: "collection", children: wanted } as const;
          const grant = await this.#granted(line, { cancel, hash: request.root, asked });
          return await this.#receiveChildren(line, { cancel, request, grant, children, wanted });
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

  /** When something was paid, gets the receipt and ends the session first; see `CLOSING_MS`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#lines.close();
    this.#direct?.[Symbol.dispose]();
    await this.#purchase?.[Symbol.asyncDispose]();
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
      throw namePeer(this.#purchase?.explained(error) ?? error, this.id, what);
    }
  }

  /** Fetches one part over the path that is likely faster; the stream serves what the other fails. */
  async #fetchPart(
    request: SourceFetch,
    options: { readonly ranges: RangeSet; readonly cancel: Cancellation },
  ): Promise<number> {
    const { cancel, ranges } = options;
    const { store } = this.#options;
    const direct = this.#direct;
    if (direct?.isWorth(bytesOf(ranges, request.size)) !== true) {
      return await this.#fetchOverStream(request, { ...options, isDirectAsked: false }) as number;
    }
    const verified: Range[] = [];
    const tracked: SourceFetch = {
      ...request,
      onVerified: (range) => {
        verified.push(range);
        request.onVerified?.(range);
      },
    };
    if (!direct.hasSession(request.hash)) {
      const bytes = await this.#fetchOverStream(tracked, { ...options, isDirectAsked: true });
      if (bytes !== undefined) return bytes;
    }
    const bytes = await this.#measured(
      "direct",
      () => direct.fetch({ request: tracked, ranges, store, cancel }),
    );
    if (bytes !== undefined) return bytes;
    const rest = { cancel, ranges: ranges.subtract(RangeSet.from(verified)), isDirectAsked: false };
    return rest.ranges.isEmpty ? 0 : await this.#fetchOverStream(request, rest) as number;
  }

  /** Fetches over a line. Undefined when the provider granted a direct session instead. */
  async #fetchOverStream(
    request: SourceFetch,
    options: {
      readonly ranges: RangeSet;
      readonly cancel: Cancellation;
      readonly isDirectAsked: boolean;
    },
  ): Promise<number | undefined> {
    const { ranges, cancel } = options;
    const { hash } = request;
    const { store } = this.#options;
    const lent = () =>
      this.#lend(cancel, async (line) => {
        const hostname = options.isDirectAsked ? this.#direct?.hostnameOf(line.stream) : undefined;
        const isDirectAsked = hostname !== undefined;
        const asked = { format: "blob", ranges, ...(isDirectAsked ? DIRECT : {}) } as const;
        const grant = await this.#granted(line, { cancel, hash, asked });
        const bytes = await receiveBlob({
          line,
          cancel,
          store,
          request,
          grant,
          ranges,
          isDirectAsked,
        });
        if (bytes === undefined) this.#direct!.granted(hash, { grant, hostname: hostname! });
        return bytes;
      });
    return await this.#measured("stream", lent);
  }

  /** Runs a transfer over `path` and remembers how fast it was. */
  async #measured(
    path: Path,
    transfer: () => Promise<number | undefined>,
  ): Promise<number | undefined> {
    const end = this.#memory.begin(this.id, path);
    let bytes: number | undefined;
    try {
      bytes = await transfer();
    } finally {
      end(bytes ?? 0);
    }
    return bytes;
  }

  /** Lends a line, and another when the peer granted at a higher price that is agreed on now. */
  async #lend<T>(cancel: Cancellation, use: (line: Line) => Promise<T>): Promise<T> {
    const purchase = this.#purchase;
    while (true) {
      try {
        return await this.#lines.lend(cancel, use);
      } catch (error) {
        if (purchase === undefined || !(error instanceof PriceRaised)) throw error;
        await purchase.repriced(error.priceMsatPerMiB, cancel);
      }
    }
  }

  async #granted(
    line: Line,
    options: {
      readonly cancel: Cancellation;
      readonly hash: Hash;
      readonly asked: Pick<Want, "format" | "ranges" | "children" | "direct">;
    },
  ): Promise<Grant> {
    const { cancel, hash, asked } = options;
    const { certificate, clock } = this.#options;
    return await askFor(line, {
      want: { t: "want", hash, ...asked, ...(certificate === undefined ? {} : { certificate }) },
      cancel,
      clock,
      purchase: this.#purchase,
      onPriced: (priceMsatPerMiB) => {
        this.priceMsatPerMiB = priceMsatPerMiB;
      },
    });
  }

  async #receiveChildren(
    line: Line,
    options: {
      readonly cancel: Cancellation;
      readonly request: CollectionFetch;
      readonly grant: Grant;
      readonly children: readonly CollectionChild[];
      readonly wanted: RangeSet;
    },
  ): Promise<{ readonly bytes: number; readonly missingCount: number }> {
    const { cancel, request, grant: { charge }, children, wanted } = options;
    using _watch = charge?.watch(cancel);
    await using sink = new ChildSink({
      store: this.#options.store,
      children,
      wanted,
      cancel,
      root: request.root,
      ...(request.attributes === undefined ? {} : { attributes: request.attributes }),
      ...(request.onChild === undefined ? {} : { onChild: request.onChild }),
      ...(charge && { onVerified: charge.verified, batchBytesMax: charge.batchBytesMax }),
    });
    let bytes = 0;
    while (true) {
      const frame = await line.next();
      if (frame instanceof Uint8Array) {
        bytes += frame.length;
        request.onReceived?.(frame.length);
        charge?.received(frame.length);
        await sink.data(frame);
      } else if (frame.t === "missing") sink.missing(frame.children);
      else if (frame.t === "end") break;
      else if (frame.t === "low") {
        sink.flush();
        charge?.told(frame.creditMsat);
      } else throw refusalOf(frame);
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

/** `set` in parts that a want can say; one without an end, which proves the size, goes first. */
function* partsOf(set: RangeSet): Generator<RangeSet> {
  const { boundaries } = set;
  const isLong = boundaries.length > WANT_BOUNDARIES_MAX;
  if (isLong && boundaries.length % 2 === 1) yield RangeSet.of(PAST_ANY_END);
  for (let at = 0; at < boundaries.length; at += WANT_BOUNDARIES_MAX) {
    yield RangeSet.fromBoundaries(boundaries.slice(at, at + WANT_BOUNDARIES_MAX));
  }
}

/** About how many bytes `ranges` are; `Infinity` when that depends on an unknown size. */
function bytesOf(ranges: RangeSet, size: number | undefined): number {
  const { count } = size === undefined ? ranges : ranges.below(groupCountOf(size));
  return count * GROUP_BYTES;
}

/** Cuts what a peer says it holds to the blob that it says it is. */
function insideBlob(holdings: BlobHoldings): BlobHoldings {
  if (holdings.state !== "some") return holdings;
  return { ...holdings, groups: holdings.groups.below(groupCountOf(holdings.size)) };
}
