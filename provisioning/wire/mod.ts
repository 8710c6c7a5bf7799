/**
 * What providers and lessees say to each other, in the formats of Paygress: read strictly, written
 * exactly, and nothing else. Vocabulary: an offer says what a provider has and what it costs; a
 * heartbeat says that it is alive and what is free; a revocation ends its part in a workload, and a
 * promotion announces who took it over; a request asks for a lease or about one, an answer settles it.
 *
 * Our own members are optional, and old peers ignore them; our own verbs are requests with a member
 * `seedmint`, which old peers answer with `invalid_request`. Everything here is pure.
 *
 * May import: `src/core`, `src/nostr`, `provisioning/ports.ts`, `node:crypto`.
 */
export * from "./answer.ts";
export { buildAnswer } from "./build_answer.ts";
export { buildRequest } from "./build_request.ts";
export { readEnvFile } from "./env_file.ts";
export { type ErrorType, errorTypeOf, isLeaseGone, leavesTokenAlone } from "./error_type.ts";
export type { EventFacts, EventReading } from "./event.ts";
export * from "./failover.ts";
export * from "./heartbeat.ts";
export {
  importConfig,
  type ImportedSettings,
  importEnv,
  podSpecsFileOf,
} from "./import_settings.ts";
export { accessInstructions, type Instructions } from "./instructions.ts";
export * from "./kinds.ts";
export {
  canonicalLeaseName,
  formatLeaseId,
  type LeaseId,
  leaseNameOf,
  leaseNumberOf,
  parseLeaseId,
} from "./lease_name.ts";
export { type LegacyOffer, readLegacyOffer } from "./legacy_offer.ts";
export { WIRE_LIMITS } from "./limits.ts";
export { canonicalMint, hasMint } from "./mint_url.ts";
export * from "./offer.ts";
export type { OfferTerms, SpecTerms } from "./offer_terms.ts";
export type { WantedPort } from "./port.ts";
export { readAnswer } from "./read_answer.ts";
export { readRequest, type RequestReading } from "./read_request.ts";
export * from "./request.ts";
export { readPodSpecs } from "./pod_specs.ts";
export { readSpec, type Spec, specMembers } from "./spec.ts";
export { isStakeSigned, stakeDigest, type StakeProof } from "./stake_proof.ts";
export { formatTime, parseTime } from "./time.ts";
export * from "./volume_key.ts";
