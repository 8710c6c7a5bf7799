/**
 * The verbs about leases of one's own; `lease_commands.ts` names them, and each is loaded when it is
 * asked for. Nothing of a provider's text reaches the terminal, or a command line, unchecked.
 *
 * May import what `src/app/cli` may.
 */
export { sshArguments, sshTargetOf } from "./ssh_line.ts";
