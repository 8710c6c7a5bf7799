/** A node for the time of one verb, when none is running. */
import { LocalNode } from "../api/local.ts";
import type { NodeApi } from "../api/methods.ts";
import type { OpenOptions } from "../api/open.ts";
import type { Config } from "../config/settings.ts";
import { compose, type Role } from "./compose.ts";

const ROLES: Readonly<Record<OpenOptions["needs"], Role>> = {
  store: "store",
  relays: "relays",
  network: "client",
};

/**
 * Opens the store of `config.data`, and the network when the verb asks peers.
 *
 * @throws {SeedmintError} `locked` if another process has the store.
 */
export async function openAlone(
  config: Config,
  options: Pick<OpenOptions, "needs">,
): Promise<NodeApi> {
  const composition = await compose(config, ROLES[options.needs]);
  return new LocalNode(composition.parts, {
    close: async () => await composition[Symbol.asyncDispose](),
  });
}
