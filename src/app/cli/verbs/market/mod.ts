/**
 * The verbs of `market`; `lease_commands.ts` names them, and each is loaded when it is asked for.
 *
 * May import what `src/app/cli` may.
 */
export { describeOffer, offerTable } from "./support.ts";
