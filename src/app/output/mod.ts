/**
 * How the command line speaks to people and programs: lines, JSON, progress, tables, numbers.
 *
 * May import: core.
 */
export * from "./format.ts";
export * from "./input.ts";
export * from "./output.ts";
export * from "./progress.ts";
