/** The swarm as the registry uses it: over the node's own discovery, peers and transfers. */
import type { Sha256 } from "../../core/hash.ts";
import type { Clock } from "../../core/ports.ts";
import type { FetchReport } from "../../../swarm/fetch/mod.ts";
import type { Discovery, Network, ProviderHint } from "../../../swarm/ports.ts";
import type { DigestMapping, SwarmFetch } from "../../../swarm/registry/ports.ts";
import type { ScoreBook } from "../../../swarm/score.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Log } from "../log.ts";
import type { Membership } from "./membership.ts";
import type { FreeRequest } from "./transfers.ts";

/** What {@link RegistrySwarm} works with. */
export interface RegistrySwarmOptions {
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Absent when libp2p could not start: then nobody is found. */
  readonly network?: Network;
  readonly discovery: Discovery;
  /** How long relays and peers are asked who has something, in milliseconds. */
  readonly findTimeoutMs: number;
  readonly certificate?: Uint8Array<ArrayBuffer>;
  readonly members: Pick<Membership, "isMember">;
  /** Nostr keys whose adverts are believed: publishers that are followed. */
  readonly isPinned?: (nostrKey: string) => boolean;
  readonly scores: ScoreBook;
  readonly transfers: { fetchFree(request: FreeRequest): Promise<FetchReport> };
  readonly log: Log;
}

/** {@link SwarmFetch} of a node. */
export class RegistrySwarm implements SwarmFetch {
  readonly #options: RegistrySwarmOptions;

  constructor(options: RegistrySwarmOptions) {
    this.#options = options;
  }

  async *find(
    sha256: Sha256,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<ProviderHint> {
    const { discovery, clock, findTimeoutMs, network } = this.#options;
    const deadline = new AbortController();
    const cancel = clock.timer(findTimeoutMs, () => deadline.abort());
    try {
      const signal = AbortSignal.any([options.signal, deadline.signal]);
      for await (const hint of discovery.find({ sha256 }, { signal })) {
        if (hint.peerId !== network?.peerId) yield hint;
      }
    } finally {
      cancel();
    }
  }

  isTrusted({ peerId, bound, nostrKey }: ProviderHint): boolean {
    const { members, isPinned } = this.#options;
    // Of an advert only its author is proven, and that only when it binds the peer.
    return members.isMember(peerId) ||
      bound && nostrKey !== undefined && (isPinned?.(nostrKey) ?? false);
  }

  async ask(
    peer: ProviderHint,
    sha256s: readonly Sha256[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly (DigestMapping | undefined)[]> {
    const { network, store, clock, certificate } = this.#options;
    if (network === undefined) return [];
    const { PeerSource } = await import("../../../swarm/requester/mod.ts");
    await using source = new PeerSource({
      network,
      peer,
      store,
      clock,
      ...(certificate === undefined ? {} : { certificate }),
    });
    const answers = await source.ask(sha256s.map((sha256) => ({ sha256 })), options);
    return sha256s.map((sha256, index) => {
      const answer = answers[index];
      if (answer?.state !== "all" || answer.hash === undefined) return undefined;
      return { sha256, hash: answer.hash, size: answer.size };
    });
  }

  ban(hint: ProviderHint, reason: string): void {
    const { scores, log } = this.#options;
    scores.record(hint.peerId, { bytes: 0, lied: true });
    log("warning", "a peer told a false digest", { peerId: hint.peerId, reason });
  }

  async fetch(request: Parameters<SwarmFetch["fetch"]>[0]): Promise<FetchReport> {
    return await this.#options.transfers.fetchFree(request);
  }
}
