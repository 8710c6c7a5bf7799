/** Methods about renting compute: each is that of the desk. */
import { SeedmintError } from "../../../core/errors.ts";
import type { LeaseMethods } from "../lease_methods.ts";
import type { LeaseDesk } from "../leases.ts";
import type { Handler } from "../parts.ts";

function toDesk<Name extends keyof LeaseMethods>(name: Name): Handler<Name> {
  return async (parts, params, context) => {
    if (parts.leases === undefined) {
      throw new SeedmintError("unavailable", `Cannot do ${name}: this node rents nothing`);
    }
    const desk: Pick<LeaseDesk, Name> = await parts.leases.open();
    return await desk[name](params, context);
  };
}

/** By name of the method. */
export const LEASE_HANDLERS: { readonly [Name in keyof LeaseMethods]: Handler<Name> } = {
  "market.list": toDesk("market.list"),
  "market.show": toDesk("market.show"),
  "market.quote": toDesk("market.quote"),
  "lease.spawn": toDesk("lease.spawn"),
  "lease.ls": toDesk("lease.ls"),
  "lease.status": toDesk("lease.status"),
  "lease.logs": toDesk("lease.logs"),
  "lease.exec": toDesk("lease.exec"),
  "lease.topup": toDesk("lease.topup"),
  "lease.restart": toDesk("lease.restart"),
  "lease.stop": toDesk("lease.stop"),
  "lease.keepalive": toDesk("lease.keepalive"),
  "lease.sync": toDesk("lease.sync"),
};
