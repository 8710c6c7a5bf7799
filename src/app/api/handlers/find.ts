/** `find`: who may have a blob, and what each says when asked. */
import { npub } from "../../../nostr/nostr.ts";
import type { ProviderHint } from "../../../../swarm/ports.ts";
import type { HintEvent } from "../methods.ts";
import type { Handler } from "../parts.ts";
import { readTarget } from "../targets.ts";
import { askPeer } from "./ask.ts";

/** Different peers shown; a relay may be flooded with adverts. */
const PEERS_MAX = 200;

/** Yields each peer once, with what it says it holds. */
export const find: Handler<"find"> = async (parts, params, context) => {
  const target = readTarget(params.target, parts.store);
  const query = target.kind === "sha256" ? { sha256: target.sha256 } : { hash: target.hash };
  const known = target.kind === "ticket"
    ? target.ticket.peers.map((peer) => ({ ...peer, via: "ticket" as const, bound: false }))
    : [];
  const deadline = new AbortController();
  const cancel = parts.clock.timer(params.timeoutMs, () => deadline.abort());
  const signal = AbortSignal.any([context.signal, deadline.signal]);
  const seen = new Set<string>([parts.peerId]);
  const asked: Promise<void>[] = [];
  let hintCount = 0;
  const show = (hint: ProviderHint) => {
    if (seen.has(hint.peerId) || seen.size > PEERS_MAX) return;
    seen.add(hint.peerId);
    asked.push((async () => {
      const answer = params.ask ? await askPeer(parts, hint, query, context.signal) : undefined;
      const holds = answer?.state ?? null;
      // Peers known anyway say nothing by being known; they count when they have it.
      const isClaim = hint.via === "advert" || hint.via === "ticket";
      if (!isClaim && holds !== "all" && holds !== "some") return;
      if (holds !== "none") hintCount++;
      context.emit(eventOf({ ...hint, ...answer && { hash: answer.hash } }, holds));
    })());
  };
  try {
    for (const hint of [...known, ...parts.hintsOf(params.peers, "peer")]) show(hint);
    for await (const hint of parts.discovery.find(query, { signal })) show(hint);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!deadline.signal.aborted) throw error;
  } finally {
    cancel();
  }
  await Promise.all(asked);
  context.signal.throwIfAborted();
  return { hintCount };
};

function eventOf(hint: ProviderHint, holds: HintEvent["holds"]): HintEvent {
  return {
    event: "hint",
    peerId: hint.peerId,
    addresses: hint.addrs,
    via: hint.via,
    bound: hint.bound,
    npub: hint.nostrKey === undefined ? null : npub(hint.nostrKey),
    size: hint.size ?? null,
    priceMsatPerMiB: hint.priceMsatPerMiB ?? null,
    hash: hint.hash ?? null,
    holds,
  };
}
