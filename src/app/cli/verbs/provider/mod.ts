/**
 * One file for each verb of `provider`. All but `setup` and `start` are for the node that runs, which
 * alone lends. May import: the command line's support, output, api.
 */
export { run as denyOrAllow } from "./deny.ts";
export { run as drainProvider } from "./drain.ts";
export { run as evictLease } from "./evict.ts";
export { run as listLentLeases } from "./leases.ts";
export { run as setupProvider } from "./setup.ts";
export { run as startProvider } from "./start.ts";
export { run as showProvider } from "./status.ts";
export { run as stopProvider } from "./stop.ts";
