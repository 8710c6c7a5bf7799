/** The wallet that a verb works with: that of the running node, else one opened in this process. */
import type { WalletApi } from "../../../wallet/wallet_api.ts";
import type { Config } from "../config/settings.ts";
import { systemClock } from "../../host/system.ts";
import { RemoteNode } from "./remote.ts";
import { walletOver } from "./wallet_methods.ts";

/** A wallet, and what ends it. */
export interface OpenedWallet extends AsyncDisposable {
  /** `running` when a node keeps it and goes on with what is under way. */
  readonly mode: "running" | "alone";
  readonly wallet: WalletApi;
}

/** Options of {@link openWallet}. */
export interface OpenWalletOptions {
  readonly signal: AbortSignal;
  /** Hears what does not work and does not stop the verb. */
  readonly onNote: (message: string) => void;
}

/**
 * Connects to the running node of `config.data`, or opens the wallet there alone: without the blob
 * store, and without a network but the mints.
 *
 * @throws {SeedmintError} `locked` if another process keeps the wallet and is no node that answers.
 */
export async function openWallet(
  config: Config,
  options: OpenWalletOptions,
): Promise<OpenedWallet> {
  const connect = async (): Promise<OpenedWallet | undefined> => {
    const node = await RemoteNode.of(config.data);
    if (node === undefined) return undefined;
    return {
      mode: "running",
      wallet: walletOver((method, params, given) => node.call(method, params, given)),
      [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
    };
  };
  const running = await connect();
  if (running !== undefined) return running;
  const { openWalletAlone } = await import("../lifecycle/wallet.ts");
  const { whenUnlocked } = await import("../lifecycle/lock_wait.ts");
  return await whenUnlocked(async () => await connect() ?? await openWalletAlone(config, options), {
    clock: systemClock,
    signal: options.signal,
  });
}
