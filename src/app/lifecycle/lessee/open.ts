/** Renting, over the parts that are there already. */
import type { Common, Role } from "../compose.ts";
import type { MoneyParts } from "../money.ts";
import type { Pools } from "../relays.ts";
import type { ProviderScores } from "../../../../provisioning/consumer/mod.ts";
import { messageOf } from "../../../core/errors.ts";
import { systemClock } from "../../../host/system.ts";
import { logOf } from "../../log.ts";
import { LesseeHost } from "./host.ts";

/** Makes the host of the lessee; a node that has rented something goes on with it at once. */
export function openRenting(
  options: Common & {
    readonly role: Role;
    readonly pools: Pools;
    readonly money: MoneyParts;
  },
): LesseeHost {
  const { config, identity, store, stack, pools, money, role } = options;
  const pool = pools.public;
  const receipts = async () => {
    const { LesseeReceipts } = await import("../lease_receipts.ts");
    const { platformsIn } = await import("../lease_receipts_images.ts");
    const { tokenEvidence } = await import("../../../../wallet/till/mod.ts");
    return new LesseeReceipts({
      store: () => money.receipts.store(),
      signer: { secretKey: identity.nostrSecret, publishes: config.leaseReceiptsPublic },
      clock: systemClock,
      log: logOf("lease"),
      evidenceOf: tokenEvidence,
      platformsIn: (list) => platformsIn(store, list),
      ...(pool === undefined ? {} : { publish: async (event) => void await pool.publish(event) }),
    });
  };
  const scores = () => scoresOf(money.receipts);
  const host = stack.use(
    new LesseeHost({
      ...{ config, identity, pool, receipts, scores },
      wallet: money.wallet,
      isAlone: role !== "node",
    }),
  );
  if (role === "node") void host.start();
  return host;
}

/** What our own leases say of providers; receipts that cannot be read are no reason not to rent. */
async function scoresOf(receipts: MoneyParts["receipts"]): Promise<ProviderScores> {
  const { lease } = await import("../../../../trust/mod.ts");
  let scores: ProviderScores | undefined;
  const giveUp = (error: unknown) => {
    scores = undefined;
    logOf("lease")("warning", "what is known of providers cannot be read, so none has a score", {
      error: messageOf(error),
    });
  };
  try {
    scores = new lease.LeaseScores((await receipts.store()).leases);
  } catch (error) {
    giveUp(error);
  }
  return {
    scoreOf: (provider) => {
      try {
        return scores?.scoreOf(provider);
      } catch (error) {
        giveUp(error);
        return undefined;
      }
    },
  };
}
