/** A nutshell with its rate limit on, beside the other cases: its window is a minute of quiet. */
import assert from "node:assert/strict";
import { Party } from "../mints/party.ts";
import type { Suite } from "../mints/suite.ts";
import { tokenOf } from "../mints/world.ts";
import { Nutshell } from "./nutshell.ts";

/** A stock mint's limit is 20; a smaller one is met sooner. */
const TRANSACTIONS_PER_MINUTE = 5;

/** Sends of which some meet the limit. */
const SEND_COUNT = 6;

/** The wallet comes back by itself; the limit's window is a minute without a request. */
const CASE_MS_MAX = 6 * 60_000;

/** Sends more often than the mint allows and counts what comes of it. */
export async function rateLimitCase(
  suite: Suite,
  { bin, directory }: { readonly bin: string; readonly directory: string },
): Promise<void> {
  const name = "rate limit: what the mint puts off is done later, and nothing is lost";
  await suite.case(name, async () => {
    await using mint = await Nutshell.start({
      bin,
      directory: `${directory}/limited`,
      ratePerMinute: TRANSACTIONS_PER_MINUTE,
    });
    await using dora = await Party.open("dora", {
      directory,
      mints: [mint.url],
      // Requests from this machine are not counted; the mint believes what a proxy says.
      headers: { "x-forwarded-for": "192.0.2.7" },
    });
    await dora.fund(mint.url, 1_000);
    const startMs = performance.now();
    const lockTo = dora.wallet.paymentKey;
    const ids: string[] = [];
    for (let index = 0; index < SEND_COUNT; index++) {
      const prepared = await dora.wallet.prepareSend({ mint: mint.url, amountSat: 10, lockTo });
      ids.push(prepared.id);
      await dora.wallet.confirm(prepared.id);
    }
    const isReady = async (id: string) => (await dora.wallet.operation(id)).state === "token-ready";
    while (!(await Promise.all(ids.map(isReady))).every(Boolean)) {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const limited = dora.seen.filter(({ status }) => status === 429);
    assert.ok(limited.length > 0, "the limit was met");
    assert.deepEqual(await dora.wallet.audit(), []);
    assert.equal(await dora.heldSat(mint.url), mint.outstandingSat());
    const seconds = Math.round((performance.now() - startMs) / 1000);
    suite.note(
      `${SEND_COUNT} sends at ${TRANSACTIONS_PER_MINUTE} a minute took ${seconds} s and met 429 ` +
        `${limited.length} times, ${
          limited.some(({ retryAfter }) => retryAfter !== null) ? "with" : "without"
        } Retry-After`,
    );
    assert.equal(
      (await tokenOf(dora, { mint: mint.url, amountSat: 1 })).token.slice(0, 6),
      "cashuB",
    );
  }, { limitMs: CASE_MS_MAX });
}
