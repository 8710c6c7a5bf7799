/**
 * Making another host a provider of compute, over `ssh`. Vocabulary: *facts* are what a host is and has,
 * a *wish* what it shall be, a *plan* the steps in between; a *version* is this program by the hash of its
 * files. Facts are read and plans made before anything is changed, so that a second run finds nothing
 * to do.
 *
 * May import: `src/core`, `src/app/{config,output}`, `provisioning/machine`, the archive writer of
 * `swarm/registry`.
 */
export { askNode, type CarriedOut, carryOut } from "./carry_out.ts";
export { type Destination, parseDestination, shownDestination } from "./destination.ts";
export { type HostFacts, LOOK_SCRIPT, lookArguments, readFacts } from "./facts.ts";
export { type OfferedKey, offeredKeys, parseFingerprint } from "./host_key.ts";
export { hostSettings, settingsOfFlags } from "./host_settings.ts";
export {
  type BootstrapPlan,
  LOOKED_AT,
  planBootstrap,
  programsFor,
  type Step,
  type Wish,
} from "./plan.ts";
export { DIRECTORIES, SETTINGS_FILE } from "./places.ts";
export { readLocalFile, readProgram } from "./program.ts";
export { quoteWord, quoteWords } from "./quote.ts";
export { hostNameOf, knownHostFiles, pinHostKey } from "./reach.ts";
export { lastLines, type RemoteHost, SshHost } from "./ssh_host.ts";
export { BOOTSTRAP_BACKENDS, type BootstrapBackend } from "./unit.ts";
