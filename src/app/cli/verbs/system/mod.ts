/**
 * One file for each verb of `system`. May import: the command line's support, output, api,
 * `src/app/lending`.
 */
export { run as resetSystem } from "./reset.ts";
