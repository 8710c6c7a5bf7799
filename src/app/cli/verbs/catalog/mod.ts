/**
 * The verbs of `catalog`: making and signing one on files, without a node; publishing and following with
 * one. May import: the command line's support, output, api, `trust`, the swarm's hashes.
 */
export { run as addToCatalog } from "./add.ts";
export { run as followCatalog } from "./follow.ts";
export { run as initCatalog } from "./init.ts";
export { run as listCatalogs } from "./ls.ts";
export { run as publishCatalog } from "./publish.ts";
export { run as removeFromCatalog } from "./rm.ts";
export { run as signCatalog } from "./sign.ts";
export { run as verifyCatalog } from "./verify.ts";
