/** Renting, over the parts that are there already. */
import type { Common, Role } from "../compose.ts";
import type { MoneyParts } from "../money.ts";
import type { Pools } from "../relays.ts";
import { LesseeHost } from "./host.ts";

/** Makes the host of the lessee; a node that has rented something goes on with it at once. */
export function openRenting(
  options: Common & {
    readonly role: Role;
    readonly pools: Pools;
    readonly money: MoneyParts;
  },
): LesseeHost {
  const { config, identity, stack, pools, money, role } = options;
  const host = stack.use(
    new LesseeHost({ config, identity, pool: pools.public, wallet: money.wallet }),
  );
  if (role === "node") void host.start();
  return host;
}
