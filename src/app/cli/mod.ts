/**
 * The command line: words in, lines and an exit code out. Help loads nothing but the tables, each
 * verb loads its own code. May import: config, output, api, and the lifecycle for `start`.
 */
export * from "./help.ts";
export * from "./main.ts";
export * from "./node_commands.ts";
export * from "./parse.ts";
export * from "./verb.ts";
