/**
 * Fetching an image that another node was pushed and announced: no registry elsewhere knows it, so its
 * collection is found by the digest and fetched from peers as one thing, with one payment if they ask one.
 */
import { isSeedmintError, SeedmintError } from "../../core/errors.ts";
import type { Hash } from "../../core/hash.ts";
import type { ProviderHint } from "../../../swarm/ports.ts";
import {
  type Digest,
  formatImageName,
  type ImageName,
  sha256Of,
} from "../../../swarm/registry/names.ts";
import { systemClock } from "../../host/system.ts";
import type { PullParams } from "../api/image_methods.ts";
import type { ImageWork } from "../api/images.ts";
import type { TransferReport, TransferRequest } from "../api/transfers.ts";
import { fetchFromHolders } from "./image_holders.ts";
import type { Pulled } from "./image_pull.ts";
import type { OpenRegistry } from "./registry.ts";

/** How many collections that adverts name for one digest are tried. */
const COLLECTIONS_MAX = 4;

/** How long more is waited for another advert once there is one (in ms). */
const SETTLE_MS = 300;

/** One fetch. */
export interface FetchImageRequest extends Pick<PullParams, "visibility"> {
  readonly name: ImageName;
  readonly digest: Digest;
}

/**
 * Fetches an image into this node's own registry.
 *
 * @throws {SeedmintError} `not-found` if nobody announces it; `unavailable`, `corrupt`.
 */
export async function fetchImage(
  registry: OpenRegistry,
  request: FetchImageRequest,
  work: ImageWork,
): Promise<Pulled> {
  const { name, digest, visibility = "fleet" } = request;
  const startMs = systemClock.monotonicMs();
  const found = await collectionsOf(registry, digest, work.signal);
  let failure: unknown;
  for (const [hash, hints] of found) {
    try {
      const reports = await bring(registry, { hash, hints, label: formatImageName(name) }, work);
      const adopted = await registry.images.adopt(name, hash, {
        visibility,
        signal: work.signal,
      });
      if (adopted.digest !== digest) {
        throw new SeedmintError("corrupt", `its collection is that of ${adopted.digest}`);
      }
      return {
        digest,
        stale: false,
        ms: systemClock.monotonicMs() - startMs,
        sources: peersIn(reports),
      };
    } catch (error) {
      work.signal.throwIfAborted();
      if (!isSeedmintError(error)) throw error;
      failure = error;
    }
  }
  const reports = await fetchFromHolders(registry, request, work);
  if (reports !== undefined) {
    const ms = systemClock.monotonicMs() - startMs;
    return { digest, stale: false, ms, sources: peersIn(reports) };
  }
  if (failure !== undefined) throw failure;
  throw new SeedmintError(
    "not-found",
    `Cannot pull ${
      formatImageName(name)
    }: no peer has it, or lets this node know; image announce on ` +
      "the node that has it lets others find it",
  );
}

/** Who gave how much, over several fetches. */
function peersIn(reports: readonly Pick<TransferReport, "sources">[]): Pulled["sources"] {
  const sums = new Map<string, number>();
  for (const { kind, id, bytes } of reports.flatMap(({ sources }) => sources)) {
    if (kind === "peer" && bytes > 0) sums.set(id, (sums.get(id) ?? 0) + bytes);
  }
  return [...sums].map(([id, bytes]) => ({ kind: "peer", id, bytes }));
}

/** What adverts say is the collection of a digest, and who has it; those of members first. */
async function collectionsOf(
  { options: { swarm } }: OpenRegistry,
  digest: Digest,
  signal: AbortSignal,
): Promise<readonly (readonly [Hash, readonly ProviderHint[]])[]> {
  const found = new Map<Hash, ProviderHint[]>();
  const enough = new AbortController();
  let cancel: (() => void) | undefined;
  const search = swarm.find(sha256Of(digest), {
    signal: AbortSignal.any([signal, enough.signal]),
  });
  for await (const hint of search) {
    if (hint.hash === undefined) continue;
    found.getOrInsertComputed(hint.hash, () => []).push(hint);
    cancel ??= systemClock.timer(SETTLE_MS, () => enough.abort());
  }
  cancel?.();
  signal.throwIfAborted();
  const isTrusted = (hints: readonly ProviderHint[]) => hints.some((hint) => swarm.isTrusted(hint));
  return [...found]
    .sort(([, a], [, b]) => Number(isTrusted(b)) - Number(isTrusted(a)))
    .slice(0, COLLECTIONS_MAX);
}

/** The collection's list, then all that it lists. */
async function bring(
  { options: { transfers, config } }: OpenRegistry,
  { hash, hints, label }: {
    readonly hash: Hash;
    readonly hints: readonly ProviderHint[];
    readonly label: string;
  },
  { signal, emit }: ImageWork,
): Promise<readonly TransferReport[]> {
  const request: TransferRequest = {
    hash,
    hints,
    relays: [],
    policy: "swarm-only",
    originDelayMs: config.originDelay,
    originFloorBytesPerSecond: config.originFloor,
    findTimeoutMs: config.findTimeout,
    payment: {},
    // Nobody else is told before it is known to be what it should be.
    attributes: { visibility: "private" },
    signal,
    onProgress: (progress) => emit({ event: "progress", label, ...progress }),
  };
  const list = await transfers.fetchBlob(request);
  return [list, await transfers.fetchChildren(request)];
}
