/**
 * Catalogs from peers: `/seedmint/catalog/1`, one question a stream. The requester sends JSON
 * `{"root", "catalog", "certificate"?}` and ends its side; the provider answers with the publication as
 * it stands at an origin, or with nothing, and ends its own. What this node publishes is told to
 * everybody, what it follows to members of the fleet; the bytes of the catalog are a blob.
 */
import { concatBytes, utf8 } from "../../core/bytes.ts";
import { SeedmintError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import type { Fleet } from "../../../swarm/fleet.ts";
import { CERTIFICATE_BYTES_MAX } from "../../../swarm/fleet.ts";
import type { ByteStream, Network, PeerAddress } from "../../../swarm/ports.ts";
import type {
  CatalogFinder,
  CatalogKey,
  CatalogQuery,
  FoundPublication,
  Publication,
} from "../../../trust/follow/mod.ts";
import {
  PUBLICATION_BYTES_MAX,
  readPublicationText,
  writePublication,
} from "../../../trust/follow/mod.ts";
import { v } from "../schema.ts";

/** The protocol's name. */
export const CATALOG_PROTOCOL = "/seedmint/catalog/1";

/** Bytes of a question: an id, a name and a certificate in hex. */
const QUESTION_BYTES_MAX: number = 1024 + 2 * CERTIFICATE_BYTES_MAX;
/** How long one question may take on either side. */
const STREAM_MS = 10_000;
/** Questions answered at one time. */
const STREAMS_MAX = 32;
/** Questions answered a second, and at once: an answer may have a megabyte. */
const ANSWERS = { perSecond: 20, burst: 100 } as const;
/** Peers asked in one look, each of them at the same time. */
const PEERS_MAX = 8;

const questionSchema = v.strictObject({
  root: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  catalog: v.pipe(v.string(), v.maxLength(64)),
  certificate: v.optional(
    v.pipe(v.string(), v.maxLength(2 * CERTIFICATE_BYTES_MAX), v.regex(/^(?:[0-9a-f]{2})+$/)),
  ),
});

/** What this node tells of a catalog. */
export type Telling = (
  key: CatalogKey,
  viewer: { readonly fleet: boolean },
) => Publication | undefined;

/** Answers peers. */
export async function serveCatalogs(
  options: {
    readonly network: Network;
    readonly fleet: Pick<Fleet, "viewerOf">;
    readonly clock: Clock;
    readonly tell: Telling;
  },
): Promise<void> {
  const { network, fleet, clock, tell } = options;
  const bucket = new TokenBucket({ ...ANSWERS, clock });
  await network.handle(CATALOG_PROTOCOL, (stream) =>
    withDeadline(stream, clock, async () => {
      if (!bucket.tryTake(1)) throw new SeedmintError("busy", "Too many ask for catalogs");
      const text = new TextDecoder().decode(await readToEnd(stream, QUESTION_BYTES_MAX));
      const question = readQuestion(text);
      if (question === undefined) return;
      const { root, catalog, certificate } = question;
      const viewer = await fleet.viewerOf(
        stream.peerId,
        certificate === undefined ? undefined : Uint8Array.fromHex(certificate),
      );
      const publication = tell({ root, name: catalog }, viewer);
      if (publication !== undefined) await stream.write(utf8(writePublication(publication)));
    }), { inboundStreamsMax: STREAMS_MAX });
}

function readQuestion(text: string): v.InferOutput<typeof questionSchema> | undefined {
  try {
    const result = v.safeParse(questionSchema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

/** Asks peers: those configured first, then those of the fleet, then others that are connected. */
export class PeerFinder implements CatalogFinder {
  readonly name = "peers";
  readonly #options: {
    readonly network: Network;
    readonly clock: Clock;
    readonly configured: readonly PeerAddress[];
    readonly isMember: (peerId: string) => boolean;
    readonly certificate?: Uint8Array;
  };

  constructor(options: {
    readonly network: Network;
    readonly clock: Clock;
    readonly configured: readonly PeerAddress[];
    /** Peer ids of the fleet. */
    readonly isMember: (peerId: string) => boolean;
    readonly certificate?: Uint8Array;
  }) {
    this.#options = options;
  }

  async *find(
    query: CatalogQuery,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<FoundPublication> {
    const asked = this.#peers().map((peer) => this.#ask(peer, query, signal));
    for (const one of await Promise.all(asked)) if (one !== undefined) yield one;
  }

  #peers(): readonly PeerAddress[] {
    const { network, configured, isMember } = this.#options;
    const connected = network.connections().map(({ peerId }) => ({ peerId, addrs: [] }));
    const all = new Map<string, PeerAddress>();
    const ordered = [
      ...configured,
      ...connected.filter(({ peerId }) => isMember(peerId)),
      ...connected,
    ];
    for (const peer of ordered) {
      if (peer.peerId !== network.peerId && !all.has(peer.peerId)) all.set(peer.peerId, peer);
    }
    return [...all.values()].slice(0, PEERS_MAX);
  }

  /** What one peer tells; nothing when it cannot be reached, or does not speak of catalogs. */
  async #ask(
    peer: PeerAddress,
    query: CatalogQuery,
    signal: AbortSignal,
  ): Promise<FoundPublication | undefined> {
    const { network, clock, certificate } = this.#options;
    const question = JSON.stringify({
      root: query.root,
      catalog: query.catalog,
      ...(certificate === undefined ? {} : { certificate: certificate.toHex() }),
    });
    try {
      const stream = await network.openStream(peer, CATALOG_PROTOCOL, { signal });
      const bytes = await withDeadline(stream, clock, async () => {
        await stream.write(utf8(question));
        await stream.closeWrite();
        return await readToEnd(stream, PUBLICATION_BYTES_MAX);
      }, signal);
      const publication = readPublicationText(new TextDecoder().decode(bytes));
      if (publication === undefined) return undefined;
      return { ...publication, from: `the peer ${peer.peerId}`, peer };
    } catch {
      return undefined;
    }
  }
}

/** Runs `task` over a stream that is aborted when it takes too long or `signal` is aborted. */
async function withDeadline<T>(
  stream: ByteStream,
  clock: Clock,
  task: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const abort = () => stream.abort(new SeedmintError("timeout", "It took too long"));
  const cancel = clock.timer(STREAM_MS, abort);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (signal?.aborted === true) abort();
    return await task();
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
  }
}

async function readToEnd(stream: ByteStream, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const piece = await stream.read();
    if (piece === undefined) return concatBytes(...pieces);
    size += piece.length;
    if (size > bytesMax) {
      throw new SeedmintError("protocol", `A peer sent more than ${bytesMax} bytes of a catalog`);
    }
    pieces.push(piece);
  }
}
