/** Asking one peer what it holds. A peer that does not answer is no error: its hint was only a hint. */
import type { Hash, Sha256 } from "../../../core/hash.ts";
import { PeerSource } from "../../../../swarm/requester/mod.ts";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import type { NodeParts } from "../parts.ts";

/** How long one peer may take to answer. */
const ASK_MS_MAX = 4000;

/** What a peer says. */
export interface PeerAnswer {
  /** The blob that it means, which for a SHA-256 is its own claim. */
  readonly hash: Hash;
  readonly state: "all" | "some" | "none";
}

/** Asks `peer` for a blob by either name; undefined when it does not answer or knows no such blob. */
export async function askPeer(
  parts: NodeParts,
  peer: ProviderHint,
  query: { readonly hash: Hash } | { readonly sha256: Sha256 },
  signal: AbortSignal,
): Promise<PeerAnswer | undefined> {
  const { network, store, clock, certificate } = parts;
  if (network === undefined || peer.peerId === network.peerId) return undefined;
  await using source = new PeerSource({
    network,
    peer,
    store,
    clock,
    ...(certificate === undefined ? {} : { certificate }),
  });
  const deadline = new AbortController();
  const cancel = clock.timer(ASK_MS_MAX, () => deadline.abort());
  const both = { signal: AbortSignal.any([signal, deadline.signal]) };
  try {
    if ("hash" in query) {
      return { hash: query.hash, state: (await source.holdings(query.hash, both)).state };
    }
    const found = await source.find(query.sha256, both);
    return found && { hash: found.hash, state: found.holdings.state };
  } catch {
    return undefined;
  } finally {
    cancel();
  }
}
