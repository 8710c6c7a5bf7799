/** Pushing an image of the store to a registry: blobs first, then manifests, the one with the tag last. */
import { SeedmintError } from "../../core/errors.ts";
import {
  type Digest,
  formatImageName,
  type ImageName,
  sha256Of,
} from "../../../swarm/registry/names.ts";
import { LOCAL_REGISTRY } from "../../../swarm/registry/index/mod.ts";
import { openStoredBlob, readManifestBytes } from "../../../swarm/registry/local/mod.ts";
import type { ParsedManifest } from "../../../swarm/registry/manifest/mod.ts";
import type { RegistryClient } from "../../../swarm/registry/upstream/mod.ts";
import type { BlobRecord } from "../../../swarm/store/blob_store.ts";
import type { ImageMethods } from "../api/image_methods.ts";
import type { ImageWork } from "../api/images.ts";
import type { OpenRegistry } from "./registry.ts";

/** One push. */
export interface PushRequest {
  readonly digest: Digest;
  /** As the user named it, for its registry's address. */
  readonly to: string;
  readonly target: ImageName & { readonly reference: { readonly tag: string } };
}

/**
 * Pushes an image that is here.
 *
 * @throws {SeedmintError} `not-found` if a part of it is not here; what the registry says.
 */
export async function pushImage(
  registry: OpenRegistry,
  { digest, to, target }: PushRequest,
  work: ImageWork,
): Promise<ImageMethods["image.push"]["result"]> {
  const isOwn = target.registry === LOCAL_REGISTRY;
  const { repository } = target;
  const plan = manifestsOf(registry, digest);
  const name = isOwn ? to : formatImageName(target);
  if (isOwn) {
    // Whoever pushes to its own node needs no network for it.
    await keepHere(registry, repository, { plan, tag: target.reference.tag });
    return { name, digest, sentBytes: 0 };
  }
  const client = registry.upstreams.of(target.registry);
  const pusher = new Pusher(registry, client, repository, work);
  for (const manifest of plan) {
    const isRoot = manifest.digest === digest;
    await pusher.push(manifest, isRoot ? target.reference.tag : undefined);
  }
  return { name, digest, sentBytes: pusher.sentBytes };
}

/** The manifests of an image in the order in which a registry takes them: those listed first. */
function manifestsOf({ index }: OpenRegistry, digest: Digest): readonly ParsedManifest[] {
  const entry = index.manifests.get(digest);
  if (entry === undefined) throw missing(digest);
  const { manifest } = entry;
  if (manifest.kind !== "index") return [manifest];
  return [
    ...manifest.children.flatMap((child) => manifestsOf({ index } as OpenRegistry, child.digest)),
    manifest,
  ];
}

function missing(digest: Digest): SeedmintError {
  return new SeedmintError(
    "not-found",
    `Cannot push: ${digest} of it is not here; image pull with --platform all brings in the rest`,
  );
}

function blobOf({ options: { store } }: OpenRegistry, digest: Digest): BlobRecord {
  const record = store.findBySha256(sha256Of(digest));
  if (record?.state === "complete") return record;
  throw missing(digest);
}

/** The blobs of a manifest that registries hold. */
function blobsOf({ kind, children, foreign }: ParsedManifest): readonly Digest[] {
  if (kind === "index") return [];
  const elsewhere = new Set(foreign.map(({ digest }) => digest));
  return [...new Set(children.map(({ digest }) => digest))].filter((one) => !elsewhere.has(one));
}

async function bytesOf(registry: OpenRegistry, { digest }: ParsedManifest) {
  const { index, options: { store } } = registry;
  const bytes = await readManifestBytes(store, index.manifests.get(digest)!.hash);
  if (bytes === undefined) throw missing(digest);
  return bytes;
}

/** Makes an image of the store one of this node's own repositories. */
async function keepHere(
  registry: OpenRegistry,
  repository: string,
  { plan, tag }: { readonly plan: readonly ParsedManifest[]; readonly tag: string },
): Promise<void> {
  const { index, local } = registry;
  const name = { registry: LOCAL_REGISTRY, repository };
  for (const manifest of plan) {
    for (const digest of blobsOf(manifest)) {
      blobOf(registry, digest);
      index.members.add(name, digest, { kind: "blob" });
    }
    const reference = manifest === plan.at(-1) ? { tag } : { digest: manifest.digest };
    const bytes = await bytesOf(registry, manifest);
    await local.putManifest(repository, reference, { mediaType: manifest.mediaType, bytes });
  }
}

/** One push under way. */
class Pusher {
  sentBytes = 0;
  readonly #registry: OpenRegistry;
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #work: ImageWork;
  readonly #there = new Set<Digest>();

  constructor(
    registry: OpenRegistry,
    client: RegistryClient,
    repository: string,
    work: ImageWork,
  ) {
    this.#registry = registry;
    this.#client = client;
    this.#repository = repository;
    this.#work = work;
  }

  async push(manifest: ParsedManifest, tag: string | undefined): Promise<void> {
    const { signal } = this.#work;
    for (const digest of blobsOf(manifest)) await this.#blob(digest);
    const bytes = await bytesOf(this.#registry, manifest);
    const reference = tag === undefined ? { digest: manifest.digest } : { tag };
    const { mediaType } = manifest;
    await this.#client.pushManifest(this.#repository, reference, { mediaType, bytes }, { signal });
  }

  async #blob(digest: Digest): Promise<void> {
    if (this.#there.has(digest)) return;
    const { signal, emit } = this.#work;
    const { store } = this.#registry.options;
    const record = blobOf(this.#registry, digest);
    const { size } = record;
    await using delivery = await openStoredBlob(store, { digest, record, isHead: false });
    const how = await this.#client.pushBlob(this.#repository, {
      digest,
      size,
      read: (range, signal) => delivery.read(range, signal),
      onProgress: (bytes) => emit({ event: "progress", label: digest.slice(0, 19), bytes, size }),
    }, { signal });
    if (how === "uploaded") this.sentBytes += size;
    this.#there.add(digest);
  }
}
