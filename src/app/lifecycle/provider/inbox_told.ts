/** Tells relays where this node's private messages are looked for (NIP-17, kind 10050). */
import { systemClock } from "../../../host/system.ts";
import { buildInboxRelays, type RelayPool, signEvent } from "../../../nostr/mod.ts";
import { INBOX_TOLD_MS, START_RETRY_MS } from "./limits.ts";

/** Tells them now and every few hours, until `signal` is aborted. */
export async function tellInbox(options: {
  readonly pool: Pick<RelayPool, "publish" | "status">;
  readonly secretKey: Uint8Array;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { pool, secretKey, signal } = options;
  while (!signal.aborted) {
    const relays = pool.status().map(({ url }) => url);
    const createdAtS = Math.floor(systemClock.nowMs() / 1000);
    const event = signEvent(buildInboxRelays(relays, { createdAtS }), secretKey);
    const isTold = await pool.publish(event, { signal }).then(
      (report) => report.acceptedCount > 0,
      () => false,
    );
    await systemClock.sleep(isTold ? INBOX_TOLD_MS : START_RETRY_MS, { signal }).catch(() => {});
  }
}
