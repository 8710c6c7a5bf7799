/**
 * One file for each verb, loaded when it runs: what it asks of the node and how it shows the answer.
 * May import: the command line's support, output, api; `start` and `relay` the lifecycle, too.
 */
export { run as add } from "./add.ts";
export { exampleToml, run as config, settingsMarkdown } from "./config.ts";
export { describeStatus, run as status } from "./status.ts";
