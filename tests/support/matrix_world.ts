/**
 * The world of the failure matrix: mints, Lightning and a fault proxy before each mint in this process,
 * wallets in others, which can be killed.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FaultProxy } from "../../devnet/fault_proxy/mod.ts";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemRandom } from "../../src/host/system.ts";
import type { OperationKind } from "../../wallet/operations/operation.ts";
import type { HistoryEntry } from "../../wallet/wallet_api.ts";
import { Wallet } from "../../wallet/wallet.ts";
import { SecretBook } from "./secret_scan.ts";
import { startKit, type WalletKit } from "./wallet_kit.ts";
import { type Settled, WalletProcess, type WalletReport } from "./wallet_process.ts";

/** How fast the clocks of children run: a backoff of a second takes 50 ms. */
const RATE = 20;

/** Time that passes between one child and the next, for mints and wallets alike. */
const PAUSE_MS = 150_000;

/** How far ahead of the mints a child's clock begins, since the last one ran fast. */
const AHEAD_MS = 60_000;

/** A folder with a wallet in it. */
export interface WalletFolder {
  readonly directory: string;
  readonly words: string;
}

/** Mints with proxies, and everything that wallets left behind. */
export class MatrixWorld implements AsyncDisposable {
  readonly kit: WalletKit;
  readonly proxies: readonly FaultProxy[];
  readonly secrets = new SecretBook();
  readonly #folders: WalletFolder[] = [];
  /** What children logged, of those that ended. */
  readonly logs: string[] = [];

  private constructor(kit: WalletKit, proxies: readonly FaultProxy[]) {
    this.kit = kit;
    this.proxies = proxies;
  }

  static async start(options: { readonly mints: number; readonly feePpk?: number }) {
    const kit = await startKit({ mints: options.mints, feePpk: options.feePpk ?? 0 });
    const proxies = [];
    for (const mint of kit.mints) {
      proxies.push(await FaultProxy.start({ target: mint.url, clock: kit.clock }));
    }
    return new MatrixWorld(kit, proxies);
  }

  /** Addresses that wallets know the mints by. */
  get urls(): string[] {
    return this.proxies.map(({ url }) => url);
  }

  /** A wallet with so much at its first mint; all mints are trusted. */
  async funded(name: string, amountSat: number): Promise<WalletFolder> {
    const folder = { directory: join(this.kit.directory, name), words: newSeedWords() };
    await using wallet = await Wallet.open({
      directory: folder.directory,
      seedWords: folder.words,
      clock: this.kit.clock,
      random: systemRandom,
      resumes: false,
    });
    for (const url of this.urls) await wallet.addMint({ url, trust: "trusted" });
    if (amountSat > 0) {
      const { invoice, operation } = await wallet.fund({ mint: this.urls[0]!, amountSat });
      await this.kit.pay(invoice);
      for (let tries = 0; tries < 50; tries++) {
        const [resumed] = await wallet.resume({ id: operation.id });
        if (resumed!.status === "done") break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    assert.equal((await wallet.balance()).totalSat, amountSat);
    this.#folders.push(folder);
    this.secrets.addSeed(folder.words);
    return folder;
  }

  /** A child with the folder's wallet open. Time has passed since the last one. */
  async open(
    folder: WalletFolder,
    options: { readonly fault?: string; readonly resumes?: boolean; readonly rate?: number } = {},
  ): Promise<WalletProcess> {
    this.kit.clock.jump(PAUSE_MS);
    const { fault, resumes = true, rate = RATE } = options;
    const child = new WalletProcess(fault === undefined ? {} : { fault });
    void child.log.then((log) => this.logs.push(log));
    const opened = child.ask({
      do: "open",
      directory: folder.directory,
      seedWords: folder.words,
      nowMs: this.kit.clock.nowMs() + AHEAD_MS,
      rate,
      resumes,
    });
    try {
      await opened;
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
    return child;
  }

  /** Lets the child come to rest and returns its books, which must be sound and complete. */
  async settled(child: WalletProcess): Promise<WalletReport> {
    const { unsettled } = await child.ask<Settled>({ do: "settle" });
    const waiting = unsettled.map(({ kind, state, reason }) => `${kind} ${state}: ${reason}`);
    assert.deepEqual(waiting, [], "nothing is left open");
    const report = await child.ask<WalletReport>({ do: "report" });
    assert.deepEqual(report.audit, []);
    assert.deepEqual(
      report.history.filter(({ status }) => status === "attention").map(({ reason }) => reason),
      [],
    );
    return report;
  }

  /**
   * Nothing is lost or made: each mint's books balance, and what it owes is what these wallets hold
   * there, tokens that they gave away included.
   */
  assertConserved(
    reports: readonly WalletReport[],
    options: { readonly outgoing?: boolean } = {},
  ): void {
    for (const [index, mint] of this.kit.mints.entries()) {
      const books = mint.admin.books();
      assert.ok(books.isBalanced, `the books of mint ${index} balance`);
      assert.equal(books.pending, 0n);
      const held = reports.reduce((sum, { balance }) => {
        const one = balance.mints.find(({ mint }) => mint === this.urls[index]);
        if (one === undefined) return sum;
        const outgoing = options.outgoing === false ? 0 : one.outgoingSat;
        assert.equal(one.reservedSat, 0, `nothing is reserved at mint ${index}`);
        return sum + one.freeSat + one.incomingSat + outgoing;
      }, 0);
      assert.equal(BigInt(held), books.outstanding, `mint ${index} owes what wallets hold`);
    }
    assert.ok(this.kit.lightning.books().isBalanced, "the books of Lightning balance");
  }

  /** Requests that the mint answered 200 and not from its cache: those that had an effect. */
  effects(path: string, index = 0): number {
    return this.kit.mints[index]!.admin.requests(path)
      .filter(({ status, isCached }) => status === 200 && !isCached).length;
  }

  /** Distinct bodies that the mint got. */
  bodies(path: string, index = 0): number {
    const requests = this.kit.mints[index]!.admin.requests(path);
    return new Set(requests.map(({ bodySha256 }) => bodySha256)).size;
  }

  clearRequests(): void {
    for (const mint of this.kit.mints) mint.admin.clearRequests();
  }

  /** Resolves once a mint has answered `path`, whoever may have got the answer. */
  async reached(path: string, index = 0): Promise<void> {
    const { admin } = this.kit.mints[index]!;
    for (let tries = 0; tries < 2000; tries++) {
      if (admin.requests(path).length > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.fail(`${path} was never asked for`);
  }

  /** What is secret in the logs and files of all wallets so far. */
  leaks(): string[] {
    for (const { directory } of this.#folders) this.secrets.addDatabase(directory);
    for (const payment of this.kit.lightning.payments()) {
      if (payment.preimage !== undefined) this.secrets.add("preimage", payment.preimage);
    }
    return [
      ...this.logs.flatMap((log, index) => this.secrets.findIn(`log ${index}`, log)),
      ...this.#folders.flatMap(({ directory }) => this.secrets.findInFolder(directory)),
    ];
  }

  /** Ends all; fails if a secret leaked. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      assert.deepEqual(this.leaks(), []);
    } finally {
      for (const proxy of this.proxies) await proxy[Symbol.asyncDispose]();
      await this.kit[Symbol.asyncDispose]();
    }
  }
}

/** The newest operation of a kind. */
export function newest(report: WalletReport, kind: OperationKind): HistoryEntry {
  const found = report.history.find((entry) => entry.kind === kind);
  return found ?? assert.fail(`an operation of kind ${kind} was wanted`);
}
