/** Our wallets as the suites hold them: opened on a folder of their own, with all their requests seen. */
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import type { MintTrust, OperationView, PaymentReceipt, Wallet } from "../../../wallet/mod.ts";
import { Wallet as OpenedWallet } from "../../../wallet/mod.ts";
import { JumpClock } from "../../support/wallet_kit.ts";

/** Requests kept of one party. */
const SEEN_COUNT_MAX = 5_000;

/** One request of a wallet, and its answer. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly status: number;
  /** The answer as JSON; undefined if it is none. */
  readonly answer: unknown;
  readonly retryAfter: string | null;
  readonly atMs: number;
}

/** Options of {@link Party.open}. */
export interface PartyOptions {
  readonly directory: string;
  /** Mints to list. */
  readonly mints: readonly string[];
  readonly trust?: MintTrust;
  readonly seedWords?: string;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A person with a wallet. */
export class Party implements AsyncDisposable {
  readonly name: string;
  readonly seedWords: string;
  readonly directory: string;
  readonly wallet: Wallet;
  /** Real time that a case can move on. */
  readonly clock: JumpClock;
  readonly seen: readonly Seen[];
  readonly receipts: readonly PaymentReceipt[];

  private constructor(parts: Omit<Party, "operation" | "freeSat" | "fund" | "count" | "heldSat">) {
    this.name = parts.name;
    this.seedWords = parts.seedWords;
    this.directory = parts.directory;
    this.wallet = parts.wallet;
    this.clock = parts.clock;
    this.seen = parts.seen;
    this.receipts = parts.receipts;
  }

  /** Opens the wallet of `name` and lists its mints. */
  static async open(name: string, options: PartyOptions): Promise<Party> {
    const seedWords = options.seedWords ?? newSeedWords();
    const directory = join(options.directory, name);
    const clock = new JumpClock();
    const seen: Seen[] = [];
    const receipts: PaymentReceipt[] = [];
    const wallet = await OpenedWallet.open({
      directory,
      seedWords,
      clock,
      random: systemRandom,
      fetch: (input, init) => watched(seen, options.headers ?? {}, input, init),
      // Batches close soon, so that a suite need not wait for them.
      intake: { batch: { proofsMin: 64, idleMs: 1_500, lingerMs: 5_000 } },
      onPayment: (receipt) => receipts.push(receipt),
    });
    for (const url of options.mints) {
      await wallet.addMint({ url, trust: options.trust ?? "trusted" });
    }
    return new Party({
      name,
      seedWords,
      directory,
      wallet,
      clock,
      seen,
      receipts,
      [Symbol.asyncDispose]: () => wallet[Symbol.asyncDispose](),
    });
  }

  /** Free sat at a mint. */
  async freeSat(mint: string): Promise<number> {
    return (await this.wallet.balance()).mints.find((one) => one.mint === mint)?.freeSat ?? 0;
  }

  /** All that this wallet has at a mint or gave away and nobody took. */
  async heldSat(mint: string): Promise<number> {
    const held = (await this.wallet.balance()).mints.find((one) => one.mint === mint);
    return held === undefined
      ? 0
      : held.freeSat + held.reservedSat + held.outgoingSat + held.incomingSat;
  }

  /** Funds from an invoice that the mint's fake Lightning pays by itself. */
  async fund(mint: string, amountSat: number): Promise<OperationView> {
    const { operation } = await this.wallet.fund({ mint, amountSat });
    const ended = await this.wallet.wait(operation.id);
    if (ended.status !== "done") {
      throw new Error(`Funding ended as ${ended.state}: ${ended.reason}`);
    }
    return ended;
  }

  /** How often a path was asked so far. */
  count(method: string, path: string): number {
    return this.seen.filter((one) => one.method === method && one.path === path).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.wallet[Symbol.asyncDispose]();
  }
}

async function watched(
  seen: Seen[],
  headers: Readonly<Record<string, string>>,
  input: URL | Request | string,
  init: RequestInit = {},
): Promise<Response> {
  const sent = new Headers(init.headers);
  for (const [name, value] of Object.entries(headers)) sent.set(name, value);
  const response = await fetch(input, { ...init, headers: sent });
  const text = await response.text();
  if (seen.length < SEEN_COUNT_MAX) {
    seen.push({
      method: init.method ?? "GET",
      path: new URL(input instanceof Request ? input.url : input).pathname,
      ...typeof init.body === "string" ? { body: init.body } : {},
      status: response.status,
      answer: jsonOf(text),
      retryAfter: response.headers.get("retry-after"),
      atMs: Date.now(),
    });
  }
  return new Response(text === "" ? null : text, {
    status: response.status,
    headers: response.headers,
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
