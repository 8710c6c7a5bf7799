/** Keysets of a nutshell that only it makes. */
import assert from "node:assert/strict";
import { UNKNOWN_KEYSET_MS_MIN } from "../../../wallet/mint/limits.ts";
import { assertBooks, outsideInvoice, pay, tokenOf, type World } from "../mints/world.ts";
import type { Nutshell } from "./nutshell.ts";

/** How long a keyset lasts that has an end, in seconds. */
const LIFE_S = 10 * 365 * 24 * 60 * 60;

/** A keyset with an end, and one whose end is said to be 0. */
export async function keysetCases(world: World, mint: Nutshell): Promise<void> {
  const { suite, alice, bob } = world;
  for (const [kind, options] of [["with", { lifeS: LIFE_S }], ["without", {}]] as const) {
    await suite.case(
      `keysets: one ${kind} an end is taken by a wallet that did not know it`,
      async () => {
        await mint.rotateKeyset(100, options);
        const listed = await (await fetch(`${mint.url}/v1/keysets`)).json() as {
          readonly keysets: { readonly active: boolean; readonly final_expiry: number | null }[];
        };
        const active = listed.keysets.filter((keyset) => keyset.active);
        assert.equal(active.length, 1);
        suite.note(
          `${listed.keysets.length} keysets; the active one ends at ${active[0]!.final_expiry}`,
        );
        const lockTo = bob.wallet.paymentKey;
        const { token } = await tokenOf(alice, { mint: mint.url, amountSat: 33, lockTo });
        // Bob's wallet may have asked for keysets a moment ago and does not do so for every token.
        await new Promise((resolve) => setTimeout(resolve, UNKNOWN_KEYSET_MS_MIN));
        const { operation } = await bob.wallet.receive({ token });
        assert.equal(operation.status, "done", operation.reason ?? "");
        await pay(alice, { mint: mint.url, invoice: outsideInvoice(15) });
        await assertBooks(world);
      },
    );
  }
}
