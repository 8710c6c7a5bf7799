/** Starts the libp2p network without loading libp2p before that. */
import type { Libp2pNetwork } from "./libp2p_network.ts";
import type { Libp2pNetworkOptions } from "./options.ts";

/**
 * The same as `Libp2pNetwork.start`, for those who must not load libp2p until they need it.
 *
 * @throws {SeedmintError} `usage` if an address cannot be understood or listened on.
 */
export async function startLibp2pNetwork(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
  const { Libp2pNetwork } = await import("./libp2p_network.ts");
  return await Libp2pNetwork.start(options);
}
