/** The contract of {@link WalletStore}, run against every implementation. */
import type { WalletStore } from "../../wallet/store/wallet_store.ts";
import type { ManualClock } from "../support/manual_clock.ts";
import { JOURNAL_CASES } from "./wallet_store_journal_cases.ts";
import { MONEY_CASES } from "./wallet_store_money_cases.ts";
import { PAPER_CASES } from "./wallet_store_paper_cases.ts";
import { SELLING_CASES } from "./wallet_store_selling_cases.ts";

/** Opens an empty store for the seed with the tests' fingerprint. */
export type OpenWalletStore = () => { readonly store: WalletStore; readonly clock: ManualClock };

/** Registers the suite for `name`. */
export function testWalletStore(name: string, open: OpenWalletStore): void {
  const cases = { ...JOURNAL_CASES, ...MONEY_CASES, ...PAPER_CASES, ...SELLING_CASES };
  for (const [title, run] of Object.entries(cases)) {
    Deno.test(`${name} ${title}`, () => {
      const { store, clock } = open();
      using _store = store;
      run(store, clock);
    });
  }
}
