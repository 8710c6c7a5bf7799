/**
 * Renting compute: the lessee of `provisioning` over the node's wallet, relays and identity, opened when
 * it is asked for, and the desk that the methods `market.*` and `lease.*` speak to. Vocabulary: the
 * purse pays and takes in; an agreement says whether it may.
 *
 * May import what `src/app/lifecycle` may.
 */
export { bookPath, LesseeHost } from "./host.ts";
export { openRenting } from "./open.ts";
