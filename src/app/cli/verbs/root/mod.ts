/**
 * The verbs of `root`: ceremonies on files, without a node or a network. May import: the command line's
 * support, output, `trust/root`.
 */
export { run as changeRoot } from "./change.ts";
export { run as newRoot } from "./new.ts";
export { run as showKey } from "./pubkey.ts";
export { run as showRoot } from "./show.ts";
export { run as signRoot } from "./sign.ts";
export * from "./support.ts";
