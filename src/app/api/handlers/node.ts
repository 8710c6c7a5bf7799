/** Methods about the node itself, and tickets that lead to it. */
import { VERSION } from "../../version.ts";
import { encodeTicket } from "../../ticket.ts";
import type { Handler, NodeParts } from "../parts.ts";
import type { SellingSummary, StatusReport, WalletSummary } from "../methods.ts";
import type { Selling } from "../selling.ts";
import type { WalletApi } from "../../../../wallet/wallet_api.ts";
import { heldBlob } from "../targets.ts";

/** Who this node is and how it fares. */
export const status: Handler<"status"> = (parts) => reportStatus(parts);

/** The report of `status`. */
export async function reportStatus(parts: NodeParts): Promise<StatusReport> {
  const wallet = parts.wallet?.opened();
  return {
    ...statusOf(parts),
    wallet: wallet === undefined ? null : await summaryOf(wallet).catch(() => null),
    selling: sellingSummary(parts.selling?.opened(), parts.clock.nowMs()),
  };
}

const DAY_MS = 86_400_000;

function sellingSummary(selling: Selling | undefined, nowMs: number): SellingSummary | null {
  const priced = selling?.services().filter((one) => one.enabled && one.priceMsatPerMiB > 0) ?? [];
  if (selling === undefined || priced.length === 0) return null;
  return {
    pricedCount: priced.length,
    earnedDayMsat: selling.earnings({ by: "day", sinceMs: nowMs - DAY_MS }).total.earnedMsat ?? 0,
    provisionalSat: selling.earnings({ by: "mint" }).total.provisionalSat ?? 0,
  };
}

async function summaryOf(wallet: WalletApi): Promise<WalletSummary> {
  const [{ totalSat }, operations] = await Promise.all([wallet.balance(), wallet.pending()]);
  const attentionCount = operations.filter(({ status }) => status === "attention").length;
  return { totalSat, pendingCount: operations.length - attentionCount, attentionCount };
}

/** What can be told without waiting. */
export function statusOf(parts: NodeParts): Omit<StatusReport, "wallet" | "selling"> {
  return {
    version: VERSION,
    running: parts.startedMs !== undefined,
    peerId: parts.peerId,
    npub: parts.npub,
    nostrKey: parts.nostrKey,
    data: parts.config.data,
    startedMs: parts.startedMs ?? null,
    addresses: parts.network?.addresses() ?? [],
    relays: parts.relays(),
    peerCount: new Set(parts.network?.connections().map((connection) => connection.peerId)).size,
    store: parts.store.usage(),
    registry: parts.images?.summary() ?? null,
    problems: parts.problems(),
  };
}

/** Who is connected. */
export const peers: Handler<"peers"> = (parts) =>
  Promise.resolve({
    peers: (parts.network?.connections() ?? []).map((connection) => ({
      peerId: connection.peerId,
      address: connection.remoteAddr,
      relayed: connection.relayed,
      direction: connection.direction,
      openedMs: connection.openedMs,
    })),
  });

/** One string that leads to a blob of the store. */
export const ticket: Handler<"ticket"> = (parts, { target }, context) => {
  const record = heldBlob(target, parts.store);
  const addrs = parts.startedMs === undefined ? [] : parts.network?.addresses() ?? [];
  if (addrs.length === 0) {
    context.emit({
      event: "note",
      message: "the ticket has no address, because no node is running; run start first",
    });
  }
  if (record.visibility !== "public") {
    context.emit({ event: "note", message: `only ${record.visibility} peers may fetch this` });
  }
  const relays = relaysToTell(parts.relays().map((relay) => relay.url), addrs);
  const text = encodeTicket({
    hash: record.hash,
    kind: record.kind,
    size: record.size,
    ...(record.name === undefined ? {} : { name: record.name }),
    peers: addrs.length === 0 ? [] : [{ peerId: parts.peerId, addrs }],
    relays,
  });
  return Promise.resolve({ ticket: text, hash: record.hash });
};

/** Relays on this very machine are of use only to those who can reach its loopback addresses. */
function relaysToTell(relays: readonly string[], addrs: readonly string[]): readonly string[] {
  const isLocal = addrs.every((addr) => /^\/ip4\/127\.|^\/ip6\/::1\//.test(addr));
  if (isLocal) return relays;
  return relays.filter((url) => !/^(127\.|localhost$|\[::1\]$)/.test(new URL(url).hostname));
}
