/** Fetches ranges over the direct path of one peer, for sessions granted on its stream. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { encodedSize, truncateRanges } from "../bao/mod.ts";
import {
  type Connect,
  DirectClient,
  type DirectResponse,
  encodeDirectRequest,
} from "../direct/mod.ts";
import type { ByteStream, SourceFetch } from "../ports.ts";
import type { DirectGrant } from "../protocol/mod.ts";
import type { BlobStore } from "../store/blob_store.ts";
import type { Grant } from "./asking.ts";
import type { Cancellation } from "./cancellation.ts";
import {
  DIRECT_ANSWER_MS,
  DIRECT_BYTES_MIN,
  DIRECT_SESSIONS_MAX,
  UNPAID_DIRECT_MAX,
} from "./limits.ts";
import type { PathMemory } from "./path_memory.ts";
import { attributesOf, watchedBy } from "./receive_blob.ts";

/** What the operator and the tests decide about the direct path. */
export interface DirectPathSettings {
  /** An address to use for a peer instead of the one that its stream leads to. */
  readonly hostOf?: (peerId: string) => string | undefined;
  /** Rates and failures, shared by the sources of a node. */
  readonly memory?: PathMemory;
  /** How a connection is opened. @default {Deno.connect} */
  readonly connect?: Connect;
}

/** A session and where it is used. */
interface Session {
  readonly grant: Grant;
  readonly direct: DirectGrant;
  readonly hostname: string;
  counter: number;
  /** Resolves when the last request was answered: counters must arrive in order. */
  turn: Promise<void>;
}

/** The direct path to one peer. */
export class DirectPath implements Disposable {
  readonly #peerId: string;
  readonly #settings: DirectPathSettings;
  readonly #memory: PathMemory;
  readonly #client: DirectClient;
  readonly #sessions = new Map<Hash, Session>();
  /** Paid answers that ended early: for want of money, as far as can be known. */
  #unpaidCount = 0;

  constructor(
    options: DirectPathSettings & {
      readonly peerId: string;
      readonly clock: Clock;
      readonly memory: PathMemory;
    },
  ) {
    this.#peerId = options.peerId;
    this.#settings = options;
    this.#memory = options.memory;
    this.#client = new DirectClient(options);
  }

  /** Whether to ask for, or use, the direct path for about `bytes` bytes. */
  isWorth(bytes: number): boolean {
    return bytes >= DIRECT_BYTES_MIN && this.#memory.prefersDirect(this.#peerId);
  }

  /** Where the direct path would lead, judged by the stream itself; undefined if nowhere. */
  hostnameOf(stream: Pick<ByteStream, "remoteAddr" | "relayed">): string | undefined {
    if (stream.relayed) return undefined;
    return this.#settings.hostOf?.(this.#peerId) ?? ipOfMultiaddr(stream.remoteAddr);
  }

  hasSession(hash: Hash): boolean {
    return this.#sessions.has(hash);
  }

  /** Takes note of a session that was granted. */
  granted(hash: Hash, session: { readonly grant: Grant; readonly hostname: string }): void {
    const { grant, hostname } = session;
    const { direct } = grant.granted;
    if (direct === undefined) throw new TypeError("A grant without a direct session");
    if (this.#sessions.size >= DIRECT_SESSIONS_MAX) {
      this.#sessions.delete(this.#sessions.keys().next().value!);
    }
    this.#sessions.set(hash, { grant, direct, hostname, counter: 0, turn: Promise.resolve() });
  }

  /**
   * Fetches `ranges` with the session of the blob.
   *
   * @returns Payload bytes, or undefined when the path failed and the stream is to serve the rest.
   * @throws {SeedmintError} for what is not the path's fault, and `signal.reason`.
   */
  async fetch(
    options: {
      readonly request: SourceFetch;
      readonly ranges: RangeSet;
      readonly store: BlobStore;
      readonly cancel: Cancellation;
    },
  ): Promise<number | undefined> {
    const { request, cancel } = options;
    const session = this.#sessions.get(request.hash);
    // Another request may have found since that the path does not work.
    if (session === undefined) return undefined;
    let release = () => {};
    try {
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = session.turn;
      session.turn = before.then(() => promise);
      release = resolve;
      await cancel.wait(before);
      const asked = truncateRanges(options.ranges, session.grant.granted.size);
      return await this.#client.post({
        hostname: session.hostname,
        port: session.direct.port,
        answerMs: DIRECT_ANSWER_MS,
        body: () => {
          const { session: id, key } = session.direct;
          const counter = session.counter++;
          const { hash } = request;
          return encodeDirectRequest({ session: id, hash, ranges: asked, counter }, key);
        },
        onAnswered: release,
        breaks: (breakUp) => cancel.breaks(breakUp),
        use: (response) => receive(response, { ...options, asked, grant: session.grant }),
      });
    } catch (error) {
      cancel.signal.throwIfAborted();
      if (cancel.givenUp !== undefined) throw cancel.givenUp;
      if (isOurs(error)) throw error;
      this.#sessions.delete(request.hash);
      // A refusal says that the session is over, anything else that the path does not work.
      const isRefused = isSeedmintError(error, "denied") || this.#isUnpaid(session, error);
      if (!isRefused) this.#memory.failed(this.#peerId);
      return undefined;
    } finally {
      release();
      cancel.breaks(undefined);
    }
  }

  /** Whether a paid answer ended early, which says nothing about the path a few times. */
  #isUnpaid(session: Session, error: unknown): boolean {
    const isEnd = session.grant.charge !== undefined && isSeedmintError(error, "reset");
    return isEnd && ++this.#unpaidCount <= UNPAID_DIRECT_MAX;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
    this.#sessions.clear();
  }
}

async function receive(
  response: DirectResponse,
  options: {
    readonly request: SourceFetch;
    readonly store: BlobStore;
    readonly cancel: Cancellation;
    readonly asked: RangeSet;
    readonly grant: Grant;
  },
): Promise<number> {
  const { request, store, cancel, asked, grant } = options;
  const { granted, charge } = grant;
  const { size } = granted;
  using _watch = charge?.watch(cancel);
  if (response.size !== encodedSize(size, asked)) {
    throw new SeedmintError("protocol", "The direct answer has another length than the ranges");
  }
  await using ingest = await store.ingestEncoded(request.hash, asked, {
    ...attributesOf(store, granted, request),
    size,
    ...watchedBy(request, { grant, signal: cancel.signal }),
  });
  while (true) {
    const target = ingest.room?.();
    const bytes = await cancel.wait(response.read(target));
    if (bytes === undefined) break;
    request.onReceived?.(bytes.length);
    charge?.received(bytes.length);
    const room = target === undefined ? ingest.push(bytes) : ingest.filled!(bytes.length);
    if (room !== undefined) await cancel.wait(room);
  }
  await cancel.wait(ingest.finish());
  return response.size;
}

/** Whether an error is of this node's disk, which no other path would mend. */
function isOurs(error: unknown): boolean {
  return isSeedmintError(error) &&
    ["no-space", "storage", "locked", "aborted"].includes(error.code);
}

/** The IP address at the start of a multiaddr; a name would let a peer choose where we connect. */
export function ipOfMultiaddr(multiaddr: string): string | undefined {
  const match = /^\/(?:ip4\/([0-9.]+)|ip6\/([0-9a-fA-F:.]+))\/tcp\//.exec(multiaddr);
  return match?.[1] ?? match?.[2];
}
