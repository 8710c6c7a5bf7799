/** A push registry in a temporary directory, which may be closed and opened again. */
import { type BlobStore, MemoryBlobStore } from "../../../../swarm/store/mod.ts";
import { LOCAL_REGISTRY, RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { LocalRegistry, type LocalRegistryOptions } from "../../../../swarm/registry/local/mod.ts";
import type { RepositoryName } from "../../../../swarm/registry/names.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { seededRandom } from "../../../support/seeded_random.ts";
import { TemporaryDirectory } from "../../store/fixture.ts";
import type { artifactOf, Part, TestImage } from "../manifest/fixture.ts";

export const NEVER: AbortSignal = new AbortController().signal;

/** Options of {@link LocalKit.open}. */
export type KitOptions = Partial<
  Pick<LocalRegistryOptions, "limits" | "visibility" | "onPushed" | "clock">
>;

export class LocalKit implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly clock = new ManualClock();
  readonly store: BlobStore;
  readonly #random = seededRandom(7);
  readonly #options: KitOptions;
  #isOpen = false;
  index!: RegistryIndex;
  registry!: LocalRegistry;

  private constructor(options: KitOptions & { readonly store?: BlobStore }) {
    this.#options = options;
    this.store = options.store ?? new MemoryBlobStore({ clock: this.clock });
  }

  static async open(options: KitOptions & { readonly store?: BlobStore } = {}): Promise<LocalKit> {
    const kit = new LocalKit(options);
    await kit.reopen();
    return kit;
  }

  /** Closes what is open, as a restart does, and opens it again. */
  async reopen(): Promise<void> {
    await this.close();
    this.index = RegistryIndex.open({
      path: `${this.directory.path}/registry.sqlite`,
      clock: this.clock,
    });
    this.registry = await LocalRegistry.open({
      store: this.store,
      index: this.index,
      directory: `${this.directory.path}/uploads`,
      clock: this.clock,
      random: this.#random,
      ...this.#options,
    });
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.registry[Symbol.asyncDispose]();
    this.index[Symbol.dispose]();
  }

  /** Files of uploads, by name. */
  get uploadFiles(): readonly string[] {
    return [...Deno.readDirSync(`${this.directory.path}/uploads`)].map(({ name }) => name);
  }

  async pushBlob(repository: string, part: Part): Promise<void> {
    await pushBlob(this.registry, repository, part);
  }

  async pushImage(repository: string, image: TestImage, tag?: string): Promise<void> {
    await pushImage(this.registry, { repository, image, ...(tag === undefined ? {} : { tag }) });
  }

  async pushArtifact(repository: string, artifact: ReturnType<typeof artifactOf>): Promise<void> {
    await this.pushBlob(repository, artifact.config);
    await this.pushBlob(repository, artifact.layer);
    const { digest } = artifact.manifest;
    await this.registry.putManifest(repository, { digest }, artifact.manifest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.store[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}

export function named(repository: string): RepositoryName {
  return { registry: LOCAL_REGISTRY, repository };
}

export async function* chunkOf(
  ...parts: readonly Uint8Array<ArrayBuffer>[]
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for (const part of parts) yield await Promise.resolve(part);
}

export async function pushBlob(
  registry: LocalRegistry,
  repository: string,
  { bytes, digest }: Part,
): Promise<void> {
  const { id } = await registry.beginUpload(repository);
  await registry.append(repository, id, chunkOf(bytes), { signal: NEVER });
  await registry.finishUpload(repository, id, digest);
}

export async function pushImage(
  registry: LocalRegistry,
  { repository, image, tag }: {
    readonly repository: string;
    readonly image: TestImage;
    readonly tag?: string;
  },
): Promise<void> {
  for (const part of [image.config, ...image.layers]) await pushBlob(registry, repository, part);
  const { manifest } = image;
  const reference = tag === undefined ? { digest: manifest.digest } : { tag };
  await registry.putManifest(repository, reference, manifest);
}

/** What a client gets of a blob; undefined for 404. */
export async function pullBlob(
  registry: LocalRegistry,
  repository: string,
  digest: Part["digest"],
  range?: { readonly start: number; readonly end: number },
): Promise<Uint8Array | undefined> {
  const name = named(repository);
  const delivery = await registry.blob(name, digest, { signal: NEVER, isHead: false });
  if (delivery === undefined) return undefined;
  await using blob = delivery;
  const parts: number[] = [];
  for await (const part of blob.read(range ?? { start: 0, end: blob.size }, NEVER)) {
    for (const byte of part) parts.push(byte);
  }
  return Uint8Array.from(parts);
}
