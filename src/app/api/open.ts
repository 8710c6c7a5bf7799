/** The node that a verb works with: the running one, else one opened in this process. */
import type { Config } from "../config/settings.ts";
import { socketPath } from "../control/paths.ts";
import type { NodeApi } from "./methods.ts";
import { RemoteNode } from "./remote.ts";

/** What a verb needs. */
export interface OpenOptions {
  /** `store` opens no network when no node runs; `network` does, for what asks peers. */
  readonly needs: "store" | "network";
  readonly signal: AbortSignal;
  readonly onNote: (message: string) => void;
}

/**
 * Connects to the running node of `config.data`, or opens its store here.
 *
 * @throws {SeedmintError} `locked` if another process has the store and does not answer.
 */
export async function openApi(config: Config, options: OpenOptions): Promise<NodeApi> {
  const remote = await RemoteNode.connect(socketPath(config.data));
  if (remote !== undefined) return remote;
  const { openAlone } = await import("../lifecycle/alone.ts");
  return await openAlone(config, options);
}
