/**
 * Images for LXD and Incus that are named by their SHA-256 alone and are not here: found by it, fetched
 * by the BLAKE3 that peers say belongs to it, and given out once the SHA-256 of all of it is right.
 */
import { isSeedmintError, SeedmintError } from "../../core/errors.ts";
import type { Sha256 } from "../../core/hash.ts";
import type { ProviderHint } from "../../../swarm/ports.ts";
import type { FindImage, IsOpenImage } from "../../../swarm/registry/http/mod.ts";
import type { RegistryIndex } from "../../../swarm/registry/index/mod.ts";
import { sha256OfBlob } from "../../../swarm/registry/images/mod.ts";
import { openStoredBlob } from "../../../swarm/registry/local/mod.ts";
import { digestOf } from "../../../swarm/registry/names.ts";
import type { BlobDelivery, DigestMapping, SwarmFetch } from "../../../swarm/registry/ports.ts";
import type { BlobRecord, BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Config } from "../config/settings.ts";
import type { Log } from "../log.ts";

/** How many different blobs that peers name for one SHA-256 are tried. */
const CLAIMS_MAX = 4;

/** How many peers are asked at once. */
const PEERS_MAX = 16;

/** How many images are looked for at once: each may be asked for by anybody on this host. */
const SEARCHES_MAX = 16;

/** What a peer says of the digest. */
interface Claim {
  readonly mapping: DigestMapping;
  readonly hint: ProviderHint;
}

/** What {@link imageFinder} works with. */
export interface ImageFinderOptions {
  readonly store: BlobStore;
  readonly swarm: SwarmFetch;
  /** Which blobs besides public ones may be given out; of what is not here all may. */
  readonly isOpenImage: IsOpenImage;
  readonly log: Log;
}

/**
 * Which of the fleet's blobs are images for whoever knows their SHA-256: none that container images are
 * made of, whose registries say who may have them; and none at all where the fleet shares what only a
 * login gives, since of a blob alone nobody can tell whether it is that.
 */
export function openImagesOf(
  { config, index }: {
    readonly config: Pick<Config, "mirrorPrivate">;
    readonly index: Pick<RegistryIndex, "manifests" | "members">;
  },
): IsOpenImage {
  return (sha256, { visibility }) => {
    if (visibility !== "fleet" || config.mirrorPrivate === "fleet") return false;
    const digest = digestOf(sha256);
    const { manifests, members } = index;
    return !manifests.has(digest) && !manifests.isListed(digest) &&
      members.repositoriesOf(digest).length === 0;
  };
}

/** Finds images by their SHA-256; all who want one at one moment share one fetch. */
export function imageFinder(options: ImageFinderOptions): FindImage {
  const underWay = new Map<Sha256, Promise<BlobRecord | undefined>>();
  return async (sha256, { signal, isHead }) => {
    let fetching = underWay.get(sha256);
    if (fetching === undefined) {
      if (underWay.size >= SEARCHES_MAX) {
        throw new SeedmintError(
          "busy",
          `Cannot look for image ${sha256}: ${SEARCHES_MAX} are looked for now; ask again in a moment`,
          { retryable: true },
        );
      }
      // It goes on when whoever asked first goes away: the client asks twice, HEAD and then GET.
      fetching = fetchImage(options, sha256).finally(() => underWay.delete(sha256));
      underWay.set(sha256, fetching);
    }
    const record = await orAborted(fetching, signal);
    return record && await deliver(options.store, { sha256, record, isHead });
  };
}

async function deliver(
  store: BlobStore,
  { sha256, record, isHead }: {
    readonly sha256: Sha256;
    readonly record: BlobRecord;
    readonly isHead: boolean;
  },
): Promise<BlobDelivery> {
  return await openStoredBlob(store, { digest: digestOf(sha256), record, isHead });
}

async function fetchImage(
  { store, swarm, isOpenImage, log }: ImageFinderOptions,
  sha256: Sha256,
): Promise<BlobRecord | undefined> {
  const { signal } = new AbortController();
  const claims = await claimsOf(swarm, sha256, signal);
  // By the size, too: who tells the right blob with a wrong size must not spoil it.
  const words = Map.groupBy(claims, ({ mapping }) => `${mapping.hash} ${mapping.size}`);
  for (const authors of [...words.values()].slice(0, CLAIMS_MAX)) {
    const { hash } = authors[0]!.mapping;
    const hints = authors.map(({ hint }) => hint);
    const before = store.status(hash);
    // What its owner keeps to this node is not given out because somebody else has it, too.
    const isKept = before !== undefined && before.visibility !== "public" &&
      !isOpenImage(sha256, before);
    if (isKept) continue;
    try {
      const { size } = authors[0]!.mapping;
      const attributes = before === undefined ? { visibility: "fleet" as const } : {};
      await swarm.fetch({ hash, size, hints, attributes, signal });
      if (await sha256OfBlob(store, hash) === sha256) return store.status(hash);
      if (before === undefined) await store.remove(hash);
      for (const hint of hints) swarm.ban?.(hint, `its blob ${hash} is not sha256:${sha256}`);
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
      log("debug", "an image could not be fetched", { sha256, hash, error });
    }
  }
  return undefined;
}

/** What peers say, those that are believed first. */
async function claimsOf(
  swarm: SwarmFetch,
  sha256: Sha256,
  signal: AbortSignal,
): Promise<readonly Claim[]> {
  const asked = new Map<string, Promise<Claim | undefined>>();
  for await (const hint of swarm.find(sha256, { signal })) {
    if (asked.size >= PEERS_MAX) break;
    asked.getOrInsertComputed(hint.peerId, async () => {
      const [mapping] = await swarm.ask?.(hint, [sha256], { signal }).catch(() => []) ?? [];
      return mapping && { mapping, hint };
    });
  }
  const claims = (await Promise.all(asked.values())).filter((claim) => claim !== undefined);
  const trust = ({ hint }: Claim) => swarm.isTrusted(hint) ? 0 : 1;
  return claims.sort((a, b) => trust(a) - trust(b));
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
