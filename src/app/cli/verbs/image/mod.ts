/**
 * One file for each verb of `image`. May import: the command line's support, output, api.
 */
export { run as announceImage } from "./announce.ts";
export { run as exportImage } from "./export.ts";
export { run as listImages } from "./ls.ts";
export { run as pullImage } from "./pull.ts";
export { run as pushImage } from "./push.ts";
export { run as removeImages } from "./rm.ts";
