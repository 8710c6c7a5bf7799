/**
 * The world of a wallet test: real development mints on loopback, one fake Lightning network, and
 * wallets with a database on disk. A wallet can be stopped dead at a fault point, as by a crash, and
 * opened anew on the same files.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { newSeedWords } from "../../src/core/keys.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { FakeLightning } from "../../devnet/lightning/mod.ts";
import { DevMint } from "../../devnet/mint/mod.ts";
import { systemRandom } from "../../src/host/system.ts";
import { restoreBackup, writeBackup } from "../../wallet/backup/mod.ts";
import { type WalletKeys, walletKeysOf } from "../../wallet/keys.ts";
import { schnorrSign } from "../../wallet/cashu.ts";
import { HttpMint } from "../../wallet/mint/http_mint.ts";
import { parseMintUrl } from "../../wallet/mint/mint_url.ts";
import { ListedMints } from "../../wallet/mint/mints.ts";
import { Engine } from "../../wallet/operations/engine.ts";
import { beginFund } from "../../wallet/operations/fund_plan.ts";
import { fundSaga } from "../../wallet/operations/fund.ts";
import type { Operation } from "../../wallet/operations/operation.ts";
import { restoreSaga } from "../../wallet/operations/restore.ts";
import type { Saga, SagaContext, WalletEvent } from "../../wallet/operations/saga.ts";
import { sendSaga } from "../../wallet/operations/send.ts";
import { planOutputs } from "../../wallet/outputs/planning.ts";
import { swapBody } from "../../wallet/outputs/requests.ts";
import { inputFee } from "../../wallet/selection/fees.ts";
import { SqliteWalletStore } from "../../wallet/store/sqlite_wallet_store.ts";
import type { WalletStore } from "../../wallet/store/wallet_store.ts";
import { decodeToken, tokenMetadata } from "../../wallet/token.ts";
import type { MintTrust, MintUrl } from "../../wallet/types.ts";
import { sleepBy } from "./sleep_by.ts";

/** Real time that a test can move forward: timers that fall due are called at once. */
export class JumpClock implements Clock {
  #offsetMs = 0;
  readonly #timers = new Set<() => void>();

  nowMs(): number {
    return Date.now() + this.#offsetMs;
  }

  monotonicMs(): number {
    return performance.now() + this.#offsetMs;
  }

  timer(ms: number, callback: () => void): () => void {
    const dueMs = this.monotonicMs() + ms;
    let id: ReturnType<typeof setTimeout> | undefined;
    const cancel = () => {
      clearTimeout(id);
      this.#timers.delete(arm);
    };
    const arm = () => {
      clearTimeout(id);
      id = setTimeout(() => {
        if (this.monotonicMs() < dueMs) return arm();
        cancel();
        callback();
      }, Math.min(Math.max(0, dueMs - this.monotonicMs()), 2 ** 31 - 1));
    };
    this.#timers.add(arm);
    arm();
    return cancel;
  }

  sleep(ms: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }

  /** Moves both clocks. */
  jump(ms: number): void {
    this.#offsetMs += ms;
    for (const arm of [...this.#timers]) arm();
  }
}

/** Thrown at a fault point, and by everything the dead wallet touches afterwards. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** Options of {@link startKit}. */
export interface KitOptions {
  /** @default {1} */
  readonly mints?: number;
  /** Input fee of every mint, in thousandths of a sat. @default {0} */
  readonly feePpk?: number;
  readonly random?: Random;
}

/** Options of {@link WalletKit.wallet}. */
export interface WalletOptions {
  /** Besides those of fund, send and restore. */
  readonly sagas?: readonly Saga[];
  /** @default {"trusted"} */
  readonly trust?: MintTrust;
  /** Mints to list, by place. @default {all} */
  readonly mints?: readonly number[];
  /** Instead of the mints' own addresses, in their order: those of a proxy, say. */
  readonly urls?: readonly string[];
  /** Same words, other files: a second copy of the wallet, or one that lost everything. */
  readonly wordsOf?: string;
  /** Whether it takes the lock of its files; a second process on the same files does without. @default {true} */
  readonly lock?: boolean;
  /** Replaces `fetch` towards mints. */
  readonly fetch?: typeof fetch;
}

/** Mints, Lightning and wallets. */
export class WalletKit implements AsyncDisposable {
  readonly clock: JumpClock;
  readonly lightning: FakeLightning;
  readonly mints: readonly DevMint[];
  readonly directory: string;
  readonly #random: Random;
  readonly #words = new Map<string, string>();
  readonly #wallets = new Set<TestWallet>();

  constructor(
    parts: Pick<WalletKit, "clock" | "lightning" | "mints" | "directory"> & {
      readonly random: Random;
    },
  ) {
    this.clock = parts.clock;
    this.lightning = parts.lightning;
    this.mints = parts.mints;
    this.directory = parts.directory;
    this.#random = parts.random;
  }

  /** Address of a mint, as wallets store it. */
  url(index = 0): MintUrl {
    return parseMintUrl(this.mints[index]!.url);
  }

  /** A wallet by name: new, or with the files and words that the name had before. */
  wallet(name = "alice", options: WalletOptions = {}): TestWallet {
    const wordsName = options.wordsOf ?? name;
    const words = this.#words.get(wordsName) ?? newSeedWords();
    this.#words.set(wordsName, words);
    const wallet = new TestWallet(this, {
      directory: join(this.directory, name),
      keys: walletKeysOf(words),
      random: this.#random,
      options,
      reopen: () => this.wallet(name, options),
    });
    this.#wallets.add(wallet);
    return wallet;
  }

  /** Pays an invoice from a Lightning node of nobody's. */
  async pay(invoice: string, from = "outside"): Promise<void> {
    const paid = await this.lightning.pay({ bolt11: invoice, from, maxFeeMsat: 1_000_000n });
    if (paid.state === "failed") throw new Error(`The test's payment failed: ${paid.reason}`);
  }

  /**
   * Redeems a token as somebody who is none of the wallets, signing with `secretKey` where it is
   * locked. Returns what the stranger then has, or the code of the mint's refusal.
   */
  async redeem(
    token: string,
    { secretKey }: { readonly secretKey?: string } = {},
  ): Promise<bigint | { readonly code: number }> {
    const mint = new HttpMint({ url: parseMintUrl(tokenMetadata(token).mint), clock: this.clock });
    const keysets = await mint.keysets();
    const { proofs } = decodeToken(token, keysets.map(({ id }) => id));
    const keyset = await mint.activeKeyset();
    const feeOf = (id: string) => keysets.find((one) => one.id === id)?.inputFeePpk;
    const worth = proofs.reduce((sum, { amount }) => sum + amount, 0n) - inputFee(proofs, feeOf);
    const keys = walletKeysOf(newSeedWords());
    const outputs = planOutputs({ amount: worth, role: "receive", keyset, keys, firstCounter: 0 });
    const inputs = proofs.map((proof) =>
      secretKey === undefined ? proof : { ...proof, witness: witnessOf(proof, secretKey) }
    );
    const outcome = await mint.post("/v1/swap", swapBody({ inputs, outputs }));
    if (outcome.kind === "answered") return worth;
    if (outcome.kind === "refused") return { code: outcome.code };
    throw new Error(`The stranger's swap ended as ${outcome.kind}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wallet of this.#wallets) await wallet[Symbol.asyncDispose]();
    for (const mint of this.mints) await mint[Symbol.asyncDispose]();
    this.lightning[Symbol.dispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** One wallet: store, mints and engine, all of which die together at {@link crashAt}. */
export class TestWallet implements AsyncDisposable {
  readonly kit: WalletKit;
  readonly directory: string;
  readonly context: SagaContext;
  readonly store: WalletStore;
  readonly keys: WalletKeys;
  readonly engine: Engine;
  /** Every fault point that was passed. */
  readonly points: string[] = [];
  readonly events: WalletEvent[] = [];
  readonly #reopen: () => TestWallet;
  readonly #realStore: SqliteWalletStore;
  /** Without a name, any point counts. */
  #crashPoint: { readonly name?: string; left: number } | undefined;
  #isDead = false;
  #isClosed = false;

  constructor(
    kit: WalletKit,
    parts: {
      readonly directory: string;
      readonly keys: WalletKeys;
      readonly random: Random;
      readonly options: WalletOptions;
      readonly reopen: () => TestWallet;
    },
  ) {
    const { directory, keys, random, options } = parts;
    this.kit = kit;
    this.directory = directory;
    this.keys = keys;
    this.#reopen = parts.reopen;
    this.#realStore = SqliteWalletStore.open({
      directory,
      clock: kit.clock,
      seedFingerprint: keys.fingerprint,
      lock: options.lock ?? true,
    });
    this.store = this.#mortal(this.#realStore);
    const doFetch = options.fetch ?? fetch;
    const mints = new ListedMints({
      store: this.store,
      clock: kit.clock,
      fetch: async (input, init) => {
        this.#assertAlive();
        const response = await doFetch(input, init);
        if (this.#isDead) await response.body?.cancel();
        this.#assertAlive();
        return response;
      },
    });
    this.context = {
      store: this.store,
      mints,
      keys,
      clock: kit.clock,
      random,
      fault: (name) => this.#pass(name),
      emit: (event) => void this.events.push(event),
    };
    this.engine = new Engine(this.context, [
      fundSaga,
      sendSaga,
      restoreSaga,
      ...(options.sagas ?? []),
    ]);
    this.#list(options);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Dies when `point` is passed for the `count`th time from now. */
  crashAt(point: string, count = 1): void {
    this.#crashPoint = { name: point, left: count };
  }

  /** Dies at the `count`th fault point from now, whichever that is. */
  crashAfter(count: number): void {
    this.#crashPoint = { left: count };
  }

  /** The wallet as it is opened after the crash, or after being closed: same files, same words. */
  async reopen(): Promise<TestWallet> {
    await this[Symbol.asyncDispose]();
    return this.#reopen();
  }

  /** Writes a backup of the wallet as it is, alive or dead. */
  async backup(path: string): Promise<void> {
    const { keys } = this;
    const { clock } = this.kit;
    await writeBackup({ store: this.#realStore, path, keys, clock, random: systemRandom });
  }

  /** Takes a backup over into this wallet, which is new. */
  async takeOver(path: string): Promise<void> {
    const { keys } = this;
    await restoreBackup({
      store: this.#realStore,
      path,
      keys,
      random: systemRandom,
      replace: true,
    });
  }

  /** Free sat at a mint. */
  free(mint = this.kit.url()): bigint {
    return this.store.balances().find((balance) => balance.mint === mint)?.free ?? 0n;
  }

  /** The invoice of a fund operation. */
  invoiceOf(operation: Pick<Operation, "id">): string {
    return this.store.quotes(operation.id)[0]!.request;
  }

  /** Funds with a paid invoice and returns when the ecash is there. */
  async fund(amount: bigint, mint = this.kit.url()): Promise<Operation> {
    const begun = await beginFund(this.context, { mint, amount });
    await this.engine.drive(begun.id);
    await this.kit.pay(this.invoiceOf(begun));
    return await this.driveToEnd(begun.id);
  }

  /** Drives an operation, moving time on while it waits, until it has ended or wants a person. */
  async driveToEnd(id: string, { tries = 50 } = {}): Promise<Operation> {
    let operation = await this.engine.drive(id);
    for (let count = 0; operation.status === "open" && count < tries; count++) {
      if (operation.nextAtMs === undefined) return operation;
      const waitMs = operation.nextAtMs - this.kit.clock.nowMs();
      if (waitMs > 0) this.kit.clock.jump(waitMs + 1);
      // Mints hear from Lightning by waiting for it.
      await new Promise((resolve) => setTimeout(resolve, 2));
      operation = await this.engine.drive(id);
    }
    return operation;
  }

  /** What does not hold in the wallet's own books, and in those of its mints. */
  troubles(): string[] {
    const mints = this.kit.mints.flatMap((mint, index) =>
      mint.admin.books().isBalanced ? [] : [`the books of mint ${index} do not balance`]
    );
    return [...this.store.audit(), ...mints];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.engine[Symbol.asyncDispose]();
    this.#isDead = true;
    this.#realStore[Symbol.dispose]();
  }

  #list(options: WalletOptions): void {
    const { kit, store } = this;
    const wanted = options.mints ?? kit.mints.map((_, index) => index);
    const urls = wanted.map((index) => options.urls?.[index] ?? kit.mints[index]!.url);
    store.transact((tx) => {
      for (const text of urls) {
        const url = parseMintUrl(text);
        if (tx.mint(url) !== undefined) continue;
        tx.putMint({ url, trust: options.trust ?? "trusted", addedMs: kit.clock.nowMs() });
      }
    });
  }

  #pass(name: string): void {
    this.#assertAlive();
    this.points.push(name);
    const point = this.#crashPoint;
    if (point === undefined || (point.name ?? name) !== name || --point.left > 0) return;
    this.#isDead = true;
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (this.#isDead) throw new Crash("The wallet died at a fault point of the test");
  }

  /** The store, until the wallet dies. */
  #mortal(store: SqliteWalletStore): WalletStore {
    return new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        return (...parameters: unknown[]) => {
          this.#assertAlive();
          return value.apply(target, parameters);
        };
      },
    });
  }
}

/** Signs whether the key may or not: the mint is to say. */
function witnessOf({ secret }: { readonly secret: string }, secretKey: string): string {
  const digest = createHash("sha256").update(secret).digest();
  return JSON.stringify({ signatures: [schnorrSign(digest, secretKey)] });
}

/** Starts mints and Lightning; dispose it with `await using`. */
export async function startKit(options: KitOptions = {}): Promise<WalletKit> {
  const random = options.random ?? systemRandom;
  const clock = new JumpClock();
  const directory = await Deno.makeTempDir({ prefix: "wallet-kit-" });
  const lightning = FakeLightning.open({ clock, random });
  const mints: DevMint[] = [];
  for (let index = 0; index < (options.mints ?? 1); index++) {
    mints.push(
      await DevMint.start({
        name: String.fromCharCode(65 + index),
        lightning,
        inputFeePpk: options.feePpk ?? 0,
        clock,
      }),
    );
  }
  return new WalletKit({ clock, lightning, mints, directory, random });
}
