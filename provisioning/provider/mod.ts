/**
 * The provider: who lends compute. Vocabulary: the desk answers requests, however they came; a runner
 * drives each lease from state to state; the correspondence answers private messages, each once; the
 * announcer publishes offers and heartbeats; reconciliation makes what runs equal to what is paid.
 *
 * May import: `src/core`, `src/nostr`, `provisioning/leases`, `provisioning/wire`, `provisioning/ssh`,
 * `provisioning/ports.ts`.
 */
export { Announcer, type AnnouncerOptions, offerOf, type OfferOptions } from "./announcer.ts";
export { leaseIdOf } from "./answers.ts";
export type { ProviderEvent, ProviderOptions, ReceiptDesk, SshKit } from "./context.ts";
export { Correspondence, type CorrespondenceOptions } from "./correspondence.ts";
export type { AskOptions } from "./desk.ts";
export { ANNOUNCE_LIMITS, PROVIDER_LIMITS } from "./limits.ts";
export { Provider, type ProviderStatus } from "./provider.ts";
export type { Reconciliation } from "./reconcile.ts";
export {
  checkSettings,
  DEFAULT_SETTINGS,
  type ImageRules,
  type ProviderSettings,
} from "./settings.ts";
export { sshKit } from "./ssh_kit.ts";
