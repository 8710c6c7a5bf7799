/** What the suites of the wallet's store have in common. */
import type { WalletStore } from "../../wallet/store/wallet_store.ts";
import type { ManualClock } from "../support/manual_clock.ts";

/** One promise of the contract, on a new store. */
export type WalletStoreCase = (store: WalletStore, clock: ManualClock) => void;
