/** The code of each method, over the pieces of a node. May import: core, the swarm, the api. */
export * from "./add.ts";
export * from "./ask.ts";
export * from "./catalogs.ts";
export * from "./content.ts";
export * from "./credits.ts";
export * from "./find.ts";
export * from "./get.ts";
export * from "./images.ts";
export * from "./inspect.ts";
export * from "./node.ts";
export * from "./receipts.ts";
export * from "./release.ts";
export * from "./resolve.ts";
