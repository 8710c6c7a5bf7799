/** The wallet of a composition, and what it sells with it. */
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Config } from "../config/settings.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Identity } from "../identity.ts";
import { NodeReceipts } from "./receipts.ts";
import { NodeSelling } from "./selling.ts";
import { WalletHost } from "./wallet.ts";

/** What has to do with money. */
export interface MoneyParts {
  readonly wallet: WalletHost;
  readonly selling: NodeSelling;
  readonly receipts: NodeReceipts;
}

/**
 * Makes both. Nothing is opened here: a running node calls `wallet.openIfWanted()`, a verb that works
 * alone opens the wallet when money is asked for.
 */
export async function openMoney(
  options: {
    readonly config: Config;
    readonly store: BlobStore;
    readonly identity: Identity;
    readonly stack: AsyncDisposableStack;
    /** Whether what is under way in the wallet goes on by itself. */
    readonly resumes: boolean;
    readonly metrics: Metrics | undefined;
  },
): Promise<MoneyParts> {
  const { config, store, stack, resumes, metrics } = options;
  const log = logOf("wallet");
  const measured = metrics === undefined ? {} : { metrics };
  const wallet: WalletHost = stack.use(
    new WalletHost(config, {
      ...measured,
      resumes,
      onOpened: (opened) => selling.walletOpened(opened),
      onMints: () => selling.mintsChanged(),
    }),
  );
  const selling: NodeSelling = stack.use(
    await NodeSelling.open({
      dataDirectory: config.data,
      store,
      openWallet: () => wallet.open(),
      ...measured,
      log,
    }),
  );
  const receipts = stack.use(
    new NodeReceipts({
      dataDirectory: config.data,
      identity: options.identity,
      wallet: () => wallet.opened(),
      log,
    }),
  );
  return { wallet, selling, receipts };
}

/** What does not work of it, in words. */
export function moneyProblems(
  { wallet, selling }: Pick<MoneyParts, "wallet" | "selling">,
): readonly string[] {
  return [...wallet.problems(), ...selling.problems()];
}
