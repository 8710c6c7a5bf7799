/** K1 to K32: wallets whose processes are killed (SIGKILL), at every fault point and in between. */
import assert from "node:assert/strict";
import { FAULT_POINTS as MELT_POINTS } from "../../../wallet/operations/melt.ts";
import { FAULT_POINTS as REDEEM_POINTS } from "../../../wallet/operations/redeem.ts";
import { FAULT_POINTS as SEND_POINTS } from "../../../wallet/operations/send_plan.ts";
import { FAULT_POINTS as SWAP_POINTS } from "../../../wallet/operations/swap.ts";
import { MELT, redeemChain, runChain, SEND, SWAP } from "./kill_chains.ts";
import { type KillKind, ROWS } from "./kill_rows.ts";

const CHAINS = { send: SEND, redeem: redeemChain(), melt: MELT, swap: SWAP };
const KINDS = Object.keys(CHAINS) as KillKind[];

let running: Promise<Record<KillKind, Map<string, Error | undefined>>> | undefined;

/** All chains at the same time, begun by whichever row is asked for first. */
async function outcomes() {
  running ??= (async () => {
    const wanted = Deno.env.get("MATRIX_KIND")?.split(",") ?? KINDS;
    const entries = KINDS.filter((kind) => wanted.includes(kind)).map(
      async (kind) => [kind, await runChain(CHAINS[kind])] as const,
    );
    return Object.fromEntries(await Promise.all(entries)) as Record<
      KillKind,
      Map<string, Error | undefined>
    >;
  })();
  return await running;
}

const WHAT: Readonly<Record<KillKind, string>> = {
  send: "a payment gives one token and loses nothing",
  redeem: "a payment to us gives one credit and loses nothing",
  melt: "an invoice is paid once or not at all, and change is claimed",
  swap: "a swap pays once and the exact amount arrives, or nothing left but a fence's fee",
};

for (const kind of KINDS) {
  for (const { id, when, kills } of ROWS[kind]) {
    Deno.test({
      name: `${id} ${WHAT[kind]}, killed ${when} (${kills.length} kills)`,
      // The processes belong to all rows: the last one sees them end.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const outcome = (await outcomes())[kind];
        if (!outcome?.has(id)) assert.fail(`${id} was not reached: a row before it failed`);
        const error = outcome.get(id);
        if (error !== undefined) throw error;
      },
    });
  }
}

Deno.test("every fault point that the sagas name is where a process is killed", () => {
  const wanted = [...SEND_POINTS, ...REDEEM_POINTS, ...MELT_POINTS, ...SWAP_POINTS];
  const found = KINDS.flatMap((kind) => ROWS[kind])
    .flatMap(({ kills }) => kills.flatMap(({ point }) => point ?? []));
  assert.deepEqual([...found].sort(), [...wanted].sort());
});
