/** Limits of leases on runc, each with the reason for its size. */

/** One call of the runtime: under load a start takes seconds. */
export const RUNTIME_MS_MAX = 60_000;
