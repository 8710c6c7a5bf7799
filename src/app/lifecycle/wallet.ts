/**
 * The wallet of a node, or of one verb: opened when it is wanted, the settings applied to it, and
 * closed with the rest. A wallet that cannot open is a problem to tell, never a reason not to run.
 */
import { join } from "node:path";
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import type { MintTrust, MintUrl } from "../../../wallet/types.ts";
import type { WalletEvent } from "../../../wallet/operations/saga.ts";
import type { WalletApi } from "../../../wallet/wallet_api.ts";
import type { Wallet } from "../../../wallet/wallet.ts";
import type { OpenedWallet, OpenWalletOptions } from "../api/open_wallet.ts";
import type { WalletAccess } from "../api/parts.ts";
import { type WalletCall, walletOver } from "../api/wallet_methods.ts";
import type { Config } from "../config/settings.ts";
import { openDataDirectory, seedWords } from "../identity.ts";
import { logOf } from "../log.ts";
import { WalletMeter, type WalletMetrics } from "../wallet_meter.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import { callsOf } from "../wallet_policy.ts";

/** How long until what failed for a reason that passes is tried again. */
const RETRY_MS = 15_000;

/** Where the wallet of a data directory lies. */
export function walletDirectory(dataDirectory: string): string {
  return join(dataDirectory, "wallet");
}

/** Opens the wallet for one verb, when no node runs; what is open goes on only as far as the verb asks. */
export async function openWalletAlone(
  config: Config,
  { onNote }: Pick<OpenWalletOptions, "onNote">,
): Promise<OpenedWallet> {
  await openDataDirectory(config.data);
  const log = logOf("wallet");
  const wallet = await openWalletOf(config, {
    resumes: false,
    onEvent: (event) => tell(log, event),
  });
  try {
    for (const problem of await listMints(wallet, config)) onNote(problem);
  } catch (error) {
    await wallet[Symbol.asyncDispose]();
    throw error;
  }
  return {
    mode: "alone",
    wallet: walletOver(callsOf(wallet, config)),
    [Symbol.asyncDispose]: () => wallet[Symbol.asyncDispose](),
  };
}

/** Options of {@link WalletHost}. */
export interface WalletHostOptions {
  readonly metrics?: WalletMetrics;
  /** Whether what is under way goes on by itself, as in a node that runs. @default {true} */
  readonly resumes?: boolean;
  /** Called each time that the wallet was opened, before anybody gets it. */
  readonly onOpened?: (wallet: Wallet) => Promise<void>;
  /** Called when mints may have been listed or taken off the list. */
  readonly onMints?: () => void;
}

/** Methods after which the list of mints may be another one. */
const MINT_METHODS: ReadonlySet<string> = new Set([
  "wallet.addMint",
  "wallet.removeMint",
  "wallet.restore",
]);

/** The wallet of a running node, or of a verb that may need one. */
export class WalletHost implements WalletAccess, AsyncDisposable {
  readonly #config: Config;
  readonly #options: WalletHostOptions;
  readonly #meter: WalletMeter | undefined;
  readonly #log = logOf("wallet");
  #opening: Promise<Wallet> | undefined;
  #wallet: Wallet | undefined;
  #problem: string | undefined;
  #mintProblems: readonly string[] = [];
  #cancelRetry: () => void = () => {};
  #isClosed = false;

  constructor(config: Config, options: WalletHostOptions = {}) {
    const { metrics } = options;
    this.#config = config;
    this.#options = options;
    if (metrics !== undefined) {
      this.#meter = new WalletMeter({ metrics, wallet: () => this.#wallet, clock: systemClock });
    }
  }

  /** Opens it if this node has one: mints in its settings, or a folder from before. */
  async openIfWanted(): Promise<void> {
    if (await this.isWanted()) await this.open().catch(() => {}); // told in problems()
  }

  /** Whether this node has a wallet, open or not. */
  async isWanted(): Promise<boolean> {
    const { mint, mintAccepted, data } = this.#config;
    return mint.length + mintAccepted.length > 0 || await exists(walletDirectory(data));
  }

  /** Asks the wallet; opens it first if nobody did. */
  readonly call: WalletCall = async (method, params, options) => {
    const result = await callsOf(await this.open(), this.#config)(method, params, options);
    if (MINT_METHODS.has(method)) this.#options.onMints?.();
    return result;
  };

  async open(): Promise<Wallet> {
    if (this.#isClosed) throw new SeedmintError("aborted", "The node is stopping");
    this.#opening ??= this.#open();
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      this.#problem = `the wallet does not open: ${messageOf(error)}`;
      // Another process may have it for a moment, such as a verb that began before this node.
      if (isSeedmintError(error) && error.retryable) this.#retry(() => this.open());
      throw error;
    }
  }

  opened(): Wallet | undefined {
    return this.#wallet;
  }

  /** What does not work, in words. */
  problems(): readonly string[] {
    const { sweepAbove, sweepTo } = this.#config;
    const isHalf = (sweepAbove === undefined) !== (sweepTo === undefined);
    const sweep = isHalf ? ["nothing is swept: sweep-above and sweep-to belong together"] : [];
    return [...sweep, ...this.#problem === undefined ? [] : [this.#problem], ...this.#mintProblems];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    await this.#opening?.catch(() => {});
    const wallet = this.#wallet;
    this.#wallet = undefined;
    await wallet?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<Wallet> {
    const wallet = await openWalletOf(this.#config, {
      resumes: this.#options.resumes ?? true,
      onEvent: (event) => {
        tell(this.#log, event);
        this.#meter?.heard(event);
      },
      ...(this.#meter === undefined ? {} : { fetch: this.#meter.fetch }),
    });
    try {
      await this.#options.onOpened?.(wallet);
    } catch (error) {
      await wallet[Symbol.asyncDispose]();
      throw error;
    }
    this.#wallet = wallet;
    this.#problem = undefined;
    // A mint that does not answer must not keep the node from starting.
    void this.#listMints();
    return wallet;
  }

  async #listMints(): Promise<void> {
    const wallet = this.#wallet;
    if (wallet === undefined || this.#isClosed) return;
    try {
      this.#mintProblems = await listMints(wallet, this.#config);
      this.#options.onMints?.();
    } catch (error) {
      this.#mintProblems = [`the mints of the settings cannot be listed: ${messageOf(error)}`];
    }
    if (this.#isClosed || this.#mintProblems.length === 0) return;
    for (const problem of this.#mintProblems) this.#log("warning", problem);
    this.#retry(() => this.#listMints());
  }

  #retry(task: () => Promise<unknown>): void {
    this.#cancelRetry();
    if (this.#isClosed) return;
    this.#cancelRetry = systemClock.timer(RETRY_MS, () => void task().catch(() => {}));
  }
}

interface Opening {
  readonly resumes: boolean;
  readonly onEvent: (event: WalletEvent) => void;
  readonly fetch?: typeof fetch;
}

async function openWalletOf(config: Config, opening: Opening): Promise<Wallet> {
  const { Wallet } = await import("../../../wallet/wallet.ts");
  const { data, seed, sweepAbove, sweepTo, mint } = config;
  const homeMint = config.homeMint ?? mint[0];
  return await Wallet.open({
    ...opening,
    directory: walletDirectory(data),
    seedWords: await seedWords({ directory: data, words: seed }),
    clock: systemClock,
    random: systemRandom,
    allowPrivate: config.mintPrivate,
    ...(homeMint === undefined ? {} : { homeMint }),
    heldBack: () => leaseDebts(data),
    budgets: {
      perSubjectMaxSat: BigInt(config.budgetBlob),
      perPayeeMaxSat: BigInt(config.budgetPeer),
      perDayMaxSat: BigInt(config.budgetDay),
    },
    ...(sweepAbove === undefined || sweepTo === undefined
      ? {}
      : { autoSweep: { aboveSat: sweepAbove, to: sweepTo } }),
  });
}

/** What this node owes to lessees, whether it lends now or not. */
async function leaseDebts(dataDirectory: string): Promise<ReadonlyMap<string, number>> {
  const path = join(dataDirectory, "provider", "leases.sqlite");
  if (!await exists(path)) return new Map();
  const { heldBackIn } = await import("./provider/lease_debts.ts");
  return heldBackIn(path, systemClock.nowMs());
}

/** Mints of the settings that are not listed yet, or listed with another trust. */
async function listMints(wallet: WalletApi, config: Config): Promise<string[]> {
  const wanted = new Map<MintUrl, MintTrust>(config.mintAccepted.map((url) => [url, "accepted"]));
  for (const url of config.mint) wanted.set(url, "trusted");
  if (wanted.size === 0) return [];
  const listed = new Map((await wallet.mints()).map((mint) => [mint.url, mint.trust]));
  const problems: string[] = [];
  for (const [url, trust] of wanted) {
    if (listed.get(url) === trust) continue;
    try {
      await wallet.addMint({ url, trust });
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  return problems;
}

function tell(log: ReturnType<typeof logOf>, event: WalletEvent): void {
  const { operationId, mint } = event;
  const hasEnded = /\((done|failed)\)$/.test(event.message);
  const level = event.event !== "operation" ? "warning" : hasEnded ? "info" : "debug";
  log(level, event.message, {
    ...(operationId === undefined ? {} : { operation: operationId }),
    ...(mint === undefined ? {} : { mint }),
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
