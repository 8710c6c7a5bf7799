/**
 * The provider: serves the store to peers over `/seedmint/blobs/1`, each as far as it may see, in
 * order, within limits, with memory that does not depend on the size of what is served.
 *
 * Vocabulary: a *conversation* is one stream; a *want* is one request in it; an *account* is what one
 * peer has open and took; a *gate* decides who gets what at which price; the *inbox* is what a stream
 * still asks, the *till* where it pays; a *meter* is a peer's credit as one answer uses it up.
 *
 * May import: `src/core`, and of the swarm `ports.ts`, `protocol`, `bao`, `store`, `direct`,
 * `collection.ts` and `fleet.ts`.
 */
export type { Outcome, ServedEvent } from "./answer.ts";
export { PROVIDER_LIMITS, type ProviderLimits } from "./limits.ts";
export { Provider, type ProviderOptions } from "./provider.ts";
