/**
 * Registries elsewhere, as their own clients ask them: logins and tokens, redirects to storage, limits,
 * deadlines, and what a registry may not make us do.
 *
 * Vocabulary: the *endpoint* is where a registry answers; a *challenge* says what it wants to see; the
 * *realm* is the token server it names; a *scope* is what a token is good for; a *destination* is a place
 * that the registry sends us on to.
 *
 * May import: `src/core`, `swarm/{ports.ts,origin,bao's geometry}`, `swarm/registry/{names,ports}.ts`,
 * `swarm/registry/manifest`.
 */
export { type Credential } from "./auth_file.ts";
export { RegistryClient, type RegistryClientOptions } from "./client.ts";
export { credentialFiles, Credentials, type CredentialsOptions } from "./credentials.ts";
export { type AskHelper, runHelper } from "./helpers.ts";
export { type BlobPush, type BlobPushed } from "./push_blob.ts";
export { type ReadStretch } from "./push_body.ts";
export { type ManifestPush } from "./push_manifest.ts";
export { type RequestKind, type UpstreamLimits } from "./rate_limits.ts";
