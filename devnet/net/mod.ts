/**
 * The command `devnet`: a relay, Lightning and mints as one network on this machine. Vocabulary: the
 * plan says which part has which port and never forgets; a service is a process that is started again
 * when it dies; outside is the Lightning wallet that belongs to nobody in the network.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`, the wallet's invoice codec, the rest of `devnet`.
 */
export { devnet, type DevnetIo } from "./command.ts";
export {
  type DevnetAddresses,
  type DevnetEvents,
  type DevnetOptions,
  type MintAddress,
  runDevnet,
} from "./network.ts";
