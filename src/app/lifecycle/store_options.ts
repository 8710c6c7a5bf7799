/** The node's store on disk, as whoever opens or rebuilds it names it. */
import { join } from "node:path";
import type { FileBlobStoreOptions, RebuildReport } from "../../../swarm/store/mod.ts";
import type { Config } from "../config/settings.ts";
import { openDataDirectory } from "../identity.ts";
import { systemClock } from "../../host/system.ts";
import { whenUnlocked } from "./lock_wait.ts";

/** Where the store of `config.data` lies, and how it learns what a collection names. */
export async function storeOptions(
  config: Pick<Config, "data">,
): Promise<Required<Pick<FileBlobStoreOptions, "directory" | "clock" | "childrenOf">>> {
  const { decodeCollection } = await import("../../../swarm/collection.ts");
  return {
    directory: join(config.data, "store"),
    clock: systemClock,
    childrenOf: (bytes) => decodeCollection(bytes).map((child) => child.hash),
  };
}

/**
 * Makes a new database for the store of `config.data` from its blob files, each read and verified.
 *
 * @throws {SeedmintError} `locked` if another process keeps the store.
 */
export async function rebuildStoreOf(
  config: Pick<Config, "data">,
  options: { readonly signal: AbortSignal },
): Promise<RebuildReport> {
  await openDataDirectory(config.data);
  const { FileBlobStore } = await import("../../../swarm/store/mod.ts");
  const store = await storeOptions(config);
  return await whenUnlocked(() => FileBlobStore.rebuild(store), {
    clock: systemClock,
    signal: options.signal,
  });
}
