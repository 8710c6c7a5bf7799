/**
 * The registry over plain HTTP: the OCI distribution specification 1.1, as its clients speak it. This
 * comment is the specification of what is ours.
 *
 * Vocabulary: the *mirror* answers for other registries and is read only; the *push registry* has names
 * of its own, which never answer for the mirror's; a *namespace* is the registry that `?ns=` names.
 *
 * | request | answer |
 * | --- | --- |
 * | `GET`, `HEAD /v2/` | 200: a registry is here, and nobody must log in |
 * | `GET`, `HEAD /v2/<name>/manifests/<tag or digest>` | the manifest, byte for byte, or 404 at once |
 * | `GET`, `HEAD /v2/<name>/blobs/<digest>` | the blob; one range (`a-b`, `a-`, `-n`) is 206 |
 * | `GET /v2/<name>/tags/list`, `/v2/_catalog` | pages: `n`, `last`, `Link` |
 * | `GET /v2/<name>/referrers/<digest>` | an index, empty if nothing refers; `artifactType` filters |
 * | `GET`, `HEAD /images/<sha256>` | an image for LXD and Incus, with its hash and URL in headers |
 * | `POST /v2/<name>/blobs/uploads/` | an upload begins; `?digest=` with the blob, `?mount=&from=` |
 * | `GET`, `PATCH`, `PUT`, `DELETE /v2/<name>/blobs/uploads/<id>` | its state, a chunk, its end, no more |
 * | `PUT /v2/<name>/manifests/<tag or digest>` | a manifest; `?tag=` may be there up to 16 times |
 * | `DELETE /v2/<name>/manifests/<tag or digest>`, `.../blobs/<digest>` | 202 |
 *
 * **Names of the mirror.** `?ns=HOST`, else a first part of the path that looks like a host, else the
 * configured registry. What is not mirrored is 404, so that the client goes to the registry itself.
 *
 * **Answers.** Lengths are exact, nothing is ever compressed, errors are the specification's JSON. The head
 * of a blob's answer waits for its first verified bytes: until then it can still be a 404. What the
 * store holds goes out of the store; if that breaks in the middle, the delivery goes on. A client that
 * goes away ends the work for it at once. A mirror says neither 401 nor 403 nor 429, which clients
 * would take for the registry's own word, except to web pages.
 *
 * **Who may ask.** Programs that ask for a loopback name, the very address that they connected to, or a
 * configured name (421); never a web page (403).
 *
 * May import: `src/core`, `src/nostr/relay/hosts.ts`, and of the swarm `http`, `bao`, `store`, and
 * `registry/{names,ports}.ts`, `registry/{index,manifest}`.
 */
export { REGISTRY_SERVER_LIMITS, type RegistryServerLimits } from "./limits.ts";
export { type MirrorNames } from "./naming.ts";
export { type FindImage, type IsOpenImage } from "./parts.ts";
export { type RegistryEvent, RegistryServer, type RegistryServerOptions } from "./server.ts";
