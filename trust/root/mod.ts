/**
 * The release root: who may sign catalogs, and how that changes. Vocabulary: a root is a chain of
 * documents, version by version; each names keys and how many of them must sign (the threshold),
 * delegations (a role: keys, a threshold, and the catalogs that they may sign), and revocations (keys
 * that never count again). A version is believed when the threshold of the version before it and its
 * own signed it; the first one is pinned in the configuration. A master seed is where the secrets of
 * keys are derived from, each by its label. A ceremony makes the next version and collects signatures.
 *
 * Texts that are signed: the domain (`seedmint/root/v1`, `seedmint/catalog-seal/v1`), one zero byte,
 * and the canonical JSON (RFC 8785) of `signed`; with Ed25519 (RFC 8032).
 *
 * May import: `src/core`, `trust/canonical_json.ts`.
 */
export { type Authority, authorityOf, rolesFor } from "./authority.ts";
export {
  changeRoot,
  delegation,
  newRoot,
  revocation,
  type RootChange,
  type RootProgress,
  rootProgress,
  rotation,
} from "./ceremony.ts";
export {
  type Delegation,
  hasFields,
  isAscending,
  isCount,
  isList,
  isPublicKey,
  type KeySignature,
  parseRootChain,
  readSignatures,
  readSignedRoot,
  type Revocation,
  type RootDocument,
  type SignedRoot,
  writeRootChain,
} from "./document.ts";
export { ROOT_CHAIN_BYTES_MAX, ROOT_CHAIN_MAX, ROOT_CLOCK_SKEW_S } from "./limits.ts";
export { isName, isPattern, matchesPattern } from "./names.ts";
export { isInScope, isPinScope } from "./scopes.ts";
export {
  DEVELOPMENT_SEED,
  formatRootSeed,
  isRootKeyLabel,
  newRootSeed,
  parseRootSeed,
  rootKeyOf,
} from "./seed.ts";
export { rootSignerCount, signersOf, signRoot, signValue, withSignature } from "./signing.ts";
export { developmentFault, pinnedRootFault, successorFault, walkRoots } from "./walk.ts";
