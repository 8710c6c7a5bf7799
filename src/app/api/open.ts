/** The node that a verb works with: the running one, else one opened in this process. */
import type { Config } from "../config/settings.ts";
import type { NodeApi } from "./methods.ts";
import { systemClock } from "../../host/system.ts";
import { RemoteNode } from "./remote.ts";

/** What a verb needs. */
export interface OpenOptions {
  /**
   * `store` opens no network when no node runs; `relays` talks over relays; `network` does all, for
   * what asks peers.
   */
  readonly needs: "store" | "relays" | "network";
  readonly signal: AbortSignal;
  readonly onNote: (message: string) => void;
}

/**
 * Connects to the running node of `config.data`, or opens its store here. Where another process has
 * the store it waits a while: a verb soon ends, and a node that comes up soon listens.
 *
 * @throws {SeedmintError} `locked` if another process keeps the store and does not answer.
 */
export async function openApi(config: Config, options: OpenOptions): Promise<NodeApi> {
  const connect = () => RemoteNode.of(config.data);
  const running = await connect();
  if (running !== undefined) return running;
  const { openAlone } = await import("../lifecycle/alone.ts");
  const { whenUnlocked } = await import("../lifecycle/lock_wait.ts");
  return await whenUnlocked(async () => await connect() ?? await openAlone(config, options), {
    clock: systemClock,
    signal: options.signal,
  });
}
