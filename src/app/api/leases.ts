/** Renting compute as the handlers see it; `src/app/lifecycle/lessee` puts market and wallet behind it. */
import type { LeaseMethods } from "./lease_methods.ts";

/** How a call is watched and ended. */
export interface LeaseWork<Name extends keyof LeaseMethods> {
  readonly signal: AbortSignal;
  readonly emit: (event: LeaseMethods[Name]["event"]) => void;
}

/** Every method of {@link LeaseMethods}, under its name. */
export type LeaseDesk = {
  readonly [Name in keyof LeaseMethods]: (
    params: LeaseMethods[Name]["params"],
    work: LeaseWork<Name>,
  ) => Promise<LeaseMethods[Name]["result"]>;
};

/** The leases of a node. */
export interface LeaseAccess {
  /** Of a verb that works alone, they are opened only when they are asked for. */
  readonly open: () => Promise<LeaseDesk>;
}
