/** Lending over the parts that a node has already. */
import { systemClock } from "../../../host/system.ts";
import type { Network } from "../../../../swarm/ports.ts";
import type { ScoreBook } from "../../../../swarm/score.ts";
import type { Common } from "../compose.ts";
import type { Membership } from "../membership.ts";
import type { MoneyParts } from "../money.ts";
import type { Pools } from "../relays.ts";
import { ProviderHost } from "./host.ts";

/** Makes the host, which begins by itself where settings or an earlier word say so. */
export function openLending(
  options: Common & {
    readonly network: Network | undefined;
    readonly pools: Pools;
    readonly money: Pick<MoneyParts, "wallet" | "receipts">;
    readonly members: Membership;
    readonly scores: ScoreBook;
  },
): ProviderHost {
  const { config, identity, store, network, pools, money, members, scores, stack } = options;
  const pool = pools.public;
  const host = stack.use(
    new ProviderHost({
      config,
      identity,
      store,
      wallet: money.wallet,
      receipts: money.receipts,
      network,
      pool,
      swarm: async () => {
        if (network === undefined || pool === undefined) return undefined;
        const { publicSwarm } = await import("./public_swarm.ts");
        const clock = systemClock;
        return await publicSwarm({ config, store, network, pool, members, scores, clock });
      },
    }),
  );
  void host.resume();
  return host;
}
