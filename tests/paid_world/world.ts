/**
 * The paid world: two development mints with a fault proxy before each and one Lightning network in this
 * process; a seller and buyers each in a process of their own. The seller takes ecash of the second mint
 * only, and buyers hold ecash of the first.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemRandom } from "../../src/host/system.ts";
import { peerIdOfSecret } from "../../swarm/net/peer_id.ts";
import type { PaymentTerms } from "../../swarm/ports.ts";
import { Wallet } from "../../wallet/wallet.ts";
import { MatrixWorld, type WalletFolder } from "../support/matrix_world.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { Killed } from "../support/wallet_process.ts";
import { chargedBytes, costOf, creditAccount, sellerAccount, UNITS_PER_SAT } from "./accounts.ts";
import type { Cheat, Fetched, Report, Served, Settled, WireTrouble } from "./commands.ts";
import { TraderProcess } from "./trader.ts";

const MIB = 2 ** 20;

/** Of each chunk group: what a seller may serve beyond credit. */
const GROUP_BYTES = 16 * 1024;

/** Past every locktime of these tests. */
const LOCKED_MS = 5 * 3_600_000;

/** How long redeeming and writing down may take. */
const SETTLE_MS_MAX = 60_000;

/** How long a fetch may take, and how much longer for each MiB: 5 MiB/s on a busy machine. */
const FETCH_MS_MIN = 60_000;
const FETCH_MS_PER_MIB = 200;

/** Sat that a buyer begins with: several times what the content costs. */
const START_FACTOR = 3;

/** What is sold, and for how much. */
export interface Goods {
  readonly sizeMiB: number;
  readonly priceMsatPerMiB: number;
  readonly minTopUpSat: number;
}

/** So that 64 MiB take more payments than one strip holds. */
export const FILM: Goods = { sizeMiB: 64, priceMsatPerMiB: 32_000, minTopUpSat: 64 };

/** A trader's files, whatever became of its process. */
export interface Home {
  readonly name: string;
  readonly wallet: WalletFolder;
  readonly storeDirectory: string;
  readonly peerSecret: string;
  readonly peerId: string;
  readonly startSat: number;
}

/** Eight payments, of one strip. */
export const CLIP: Goods = { sizeMiB: 16, priceMsatPerMiB: 32_000, minTopUpSat: 64 };

/** How a process of a trader is started. */
export interface StartOptions {
  readonly fault?: string;
  readonly wire?: readonly WireTrouble[];
  /** Sat for a subject, a peer and a day. @default {more than there is} */
  readonly budgetSat?: number;
}

/** How the seller is started. */
export interface SellerOptions extends StartOptions {
  readonly cheat?: Cheat;
  readonly bytesPerSecond?: number;
  readonly isDirect?: boolean;
}

/** How a fetch is asked for. */
export interface FetchOptions {
  /** Whether the price is known from an advert. @default {true} */
  readonly isAdvertised?: boolean;
  /** @default {the price} */
  readonly priceMaxMsatPerMiB?: number;
  /** What the wallet is told that may be bought, as a part of the content. @default {1} */
  readonly boughtPart?: number;
  /** @default {a minute, and a fifth of a second for each MiB} */
  readonly waitMs?: number;
  /** Instead of the seller's own address. */
  readonly port?: number;
  readonly isDirect?: boolean;
}

/** See the head of this file. */
export class PaidWorld implements AsyncDisposable {
  readonly goods: Goods;
  readonly size: number;
  readonly matrix: MatrixWorld;
  readonly sellerHome: Home;
  hash = "";
  address = "";
  terms: PaymentTerms | undefined;
  readonly #film: string;
  readonly #stack: AsyncDisposableStack;
  readonly #reports = new Map<string, Report>();
  #startSat = 0;
  #port = 0;
  #seller: TraderProcess | undefined;
  #running = new Set<TraderProcess>();
  #clockMs = 0;

  private constructor(
    parts: Pick<PaidWorld, "goods" | "matrix" | "sellerHome"> & {
      readonly film: string;
      readonly stack: AsyncDisposableStack;
    },
  ) {
    this.goods = parts.goods;
    this.size = parts.goods.sizeMiB * MIB;
    this.matrix = parts.matrix;
    this.sellerHome = parts.sellerHome;
    this.#film = parts.film;
    this.#stack = parts.stack;
  }

  static async start(goods: Goods = FILM, seller: SellerOptions = {}): Promise<PaidWorld> {
    await using stack = new AsyncDisposableStack();
    const matrix = stack.use(await MatrixWorld.start({ mints: 2, feePpk: 100 }));
    const film = join(matrix.kit.directory, "film.bin");
    await writeFilm(film, goods.sizeMiB);
    const sellerHome = await makeHome(matrix, { name: "seller", sat: 0 });
    const world = new PaidWorld({ goods, matrix, sellerHome, film, stack: stack.move() });
    try {
      await world.startSeller(seller);
      await world.setPrice(goods);
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  get seller(): TraderProcess {
    return this.#seller ?? assert.fail("the seller runs");
  }

  /** What a least payment is worth, in units. */
  get leastUnits(): bigint {
    return BigInt(this.goods.minTopUpSat) * UNITS_PER_SAT;
  }

  /** Starts the seller, anew on the same files and port if it was there before. */
  async startSeller(options: SellerOptions = {}): Promise<void> {
    const { cheat, bytesPerSecond, isDirect, ...start } = options;
    const process = await this.#open(this.sellerHome, { ...start, port: this.#port });
    this.#seller = process;
    const { address, hashes } = await process.ask<Served>({
      do: "serve",
      files: [this.#film],
      ...cheat === undefined ? {} : { cheat },
      ...bytesPerSecond === undefined ? {} : { bytesPerSecond },
      ...isDirect === undefined ? {} : { isDirect },
    });
    this.address = address;
    this.hash = hashes[0]!;
    this.#port = Number(/\/tcp\/(\d+)/.exec(address)![1]);
  }

  /** Ends the seller in good order. */
  async stopSeller(): Promise<void> {
    await this.seller[Symbol.asyncDispose]();
  }

  /** Sets what content costs from now on. */
  async setPrice(goods: Pick<Goods, "priceMsatPerMiB" | "minTopUpSat">): Promise<void> {
    const { priceMsatPerMiB, minTopUpSat } = goods;
    this.terms = await this.seller.ask<PaymentTerms>({
      do: "price",
      priceMsatPerMiB,
      minTopUpSat,
      mints: [this.matrix.urls[1]!],
    });
  }

  /** A new buyer with ecash of the first mint. */
  async buyer(name: string, startSat?: number): Promise<Home> {
    const { sizeMiB, priceMsatPerMiB } = this.goods;
    const sat = startSat ?? Math.ceil(sizeMiB * priceMsatPerMiB / 1000) * START_FACTOR;
    this.#startSat += sat;
    return await makeHome(this.matrix, { name, sat });
  }

  startBuyer(home: Home, options: StartOptions = {}): Promise<TraderProcess> {
    return this.#open(home, { ...options, port: 0 });
  }

  /** One try to fetch the content. @throws {Killed} @throws {ChildError} */
  async fetch(buyer: TraderProcess, options: FetchOptions = {}): Promise<Fetched> {
    const { isAdvertised = true, boughtPart = 1, port } = options;
    const { waitMs = FETCH_MS_MIN + this.goods.sizeMiB * FETCH_MS_PER_MIB } = options;
    const address = port === undefined
      ? this.address
      : this.address.replace(/\/tcp\/\d+/, `/tcp/${port}`);
    return await buyer.ask<Fetched>({
      do: "fetch",
      hash: this.hash,
      address,
      bytesMax: Math.round(this.size * boughtPart),
      priceMaxMsatPerMiB: options.priceMaxMsatPerMiB ?? this.goods.priceMsatPerMiB,
      waitMs,
      ...isAdvertised ? { terms: this.terms! } : {},
      ...options.isDirect === true ? { isDirect: true } : {},
    });
  }

  /** Cuts and freezes what goes between a buyer and the seller; buyers are to dial its port. */
  link(): TcpProxy {
    return this.#stack.use(new TcpProxy(this.#port));
  }

  /** Moves everybody's time on. */
  async jump(ms: number, processes: readonly TraderProcess[]): Promise<void> {
    this.matrix.kit.clock.jump(ms);
    this.#clockMs += ms;
    for (const process of processes) await process.ask({ do: "jump", ms });
  }

  /** What the buyer's store holds is the content, read from its disk again. */
  async assertVerified(buyer: TraderProcess): Promise<void> {
    assert.equal(await this.verifiedBytes(buyer), this.size);
  }

  /** How much of the content the buyer's store holds, read from its disk again. */
  async verifiedBytes(buyer: TraderProcess): Promise<number> {
    const { goodCount, badCount } = await buyer.ask<{ goodCount: number; badCount: number }>({
      do: "verify",
      hash: this.hash,
    });
    assert.equal(badCount, 0);
    return goodCount * GROUP_BYTES;
  }

  /**
   * The seller has redeemed all that the buyer paid, and written down all that it sold. `revive` starts
   * it again when it died on the way.
   */
  async settleSeller(buyer: Home, revive?: () => Promise<void>): Promise<void> {
    const deadlineMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      if (this.seller.isOver && revive !== undefined) await revive();
      const unsettled = await this.#unsettledAtSeller(buyer).catch((error) => {
        if (error instanceof Killed && revive !== undefined) return "the seller died";
        throw error;
      });
      if (unsettled === undefined) return;
      assert.ok(performance.now() < deadlineMs, `the seller comes to rest: ${unsettled}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What of a buyer's trade the seller has still to do; undefined for nothing. */
  async #unsettledAtSeller(buyer: Home): Promise<string | undefined> {
    const account = creditAccount(this.sellerHome.wallet.directory, buyer.peerId);
    const openCount = (account.payments.credited ?? 0) + (account.payments.queued ?? 0);
    if (openCount > 0) return `${openCount} payments are not redeemed`;
    if (account.drawn !== 0n) return "a slice of credit is drawn";
    const { unsettled } = await this.seller.ask<Settled>({ do: "settle" });
    return unsettled.length === 0 ? undefined : unsettled.map(stateOf).join(", ");
  }

  /**
   * Past all locktimes: the buyer has back what nobody redeemed. `lateFaults` kill it on the way, one
   * after the other. Returns its books, and ends it.
   */
  async settleBuyer(
    home: Home,
    running: TraderProcess,
    lateFaults: readonly string[] = [],
  ): Promise<Report> {
    await running[Symbol.asyncDispose]();
    await this.jump(LOCKED_MS, [this.seller]);
    for (const fault of lateFaults) {
      const child = await this.startBuyer(home, { fault }).catch((error) => {
        if (error instanceof Killed) return undefined;
        throw error;
      });
      if (child === undefined) continue;
      await assert.rejects(child.ask({ do: "settle" }), Killed, `${fault} is passed`);
      await child.ended();
    }
    const report = await this.#settledHere(home);
    assert.deepEqual(report.audit, []);
    for (const mint of report.balance.mints) {
      assert.deepEqual([mint.reservedSat, mint.outgoingSat, mint.incomingSat], [0, 0, 0]);
    }
    this.#reports.set(home.name, report);
    return report;
  }

  /** The wallet of a buyer that has ended, opened in this process until nothing of it is open. */
  async #settledHere(home: Home): Promise<Report> {
    await using wallet = await Wallet.open({
      directory: home.wallet.directory,
      seedWords: home.wallet.words,
      clock: this.matrix.kit.clock,
      random: systemRandom,
    });
    const deadlineMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const open = await wallet.pending();
      if (open.length === 0) break;
      assert.ok(performance.now() < deadlineMs, `still open: ${open.map(stateOf).join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return {
      balance: await wallet.balance(),
      audit: await wallet.audit(),
      history: await wallet.history({ limit: 1000 }),
    };
  }

  /** Gives the room of a buyer's store back. */
  async forget(name: string): Promise<void> {
    await Deno.remove(join(this.matrix.kit.directory, `${name}-store`), { recursive: true })
      .catch(() => {});
  }

  /** What buyers and seller hold, and fees, is what was funded; and the mints say the same. */
  async assertConserved(): Promise<void> {
    const seller = await this.seller.ask<Report>({ do: "report" });
    assert.deepEqual(seller.audit, []);
    const reports = [...this.#reports.values(), seller];
    this.matrix.assertConserved(reports);
    const held = reports.reduce((sum, { balance }) => sum + balance.totalSat, 0);
    const fees = reports.reduce((sum, report) => sum + feesOf(report), 0);
    assert.equal(held + fees, this.#startSat, "wallets and fees are what was funded");
  }

  /** What a buyer gave away for good, in sat: what it began with, without what it has and fees. */
  givenSat(home: Home): number {
    const report = this.#reports.get(home.name)!;
    return home.startSat - report.balance.totalSat - feesOf(report);
  }

  /** All that both books say of a trade, compared with each other. */
  reckon(home: Home): Reckoning {
    const credit = creditAccount(this.sellerHome.wallet.directory, home.peerId);
    const account = sellerAccount(home.wallet.directory, this.sellerHome.peerId);
    const servedBytes = chargedBytes(this.sellerHome.storeDirectory, home.peerId);
    return { credit, account, servedBytes };
  }

  /**
   * What the issue promises of an honest trade, to the unit: no credit without a payment and no payment
   * without credit, what the buyer lost, and what the seller did.
   */
  assertFair(
    home: Home,
    options: {
      readonly sellerKills?: number;
      /** What the content was worth, in units. @default {all of it at the price} */
      readonly cost?: bigint;
      /** The highest price that something was sold at. @default {the price} */
      readonly priceMsatPerMiB?: number;
    } = {},
  ): Reckoning {
    const reckoning = this.reckon(home);
    const { credit, account, servedBytes } = reckoning;
    const price = options.priceMsatPerMiB ?? this.goods.priceMsatPerMiB;
    const cost = options.cost ?? costOf(this.size, price);
    assert.equal(credit.paid, credit.incoming, "credit is what payments came to");
    assert.equal(credit.payments.dead ?? 0, 0, "no payment was worth nothing");
    const claimedSat = account.parts.claimed?.netSat ?? 0;
    assert.equal(BigInt(claimedSat) * UNITS_PER_SAT, credit.paid, "what was redeemed is credited");
    assert.equal(account.paid, credit.paid, "buyer and seller agree on what was paid");
    const sold = Object.values(credit.sales).reduce((sum, one) => sum + one, 0n);
    assert.equal(sold, credit.used, "what is used is what was sold or lost");
    // The buyer: all that was used and is not its content is lost to it.
    const loss = credit.used - cost;
    const most = 2n * this.leastUnits;
    assert.ok(loss <= most, `the buyer lost ${inSat(loss)} sat, at most ${inSat(most)}`);
    // The seller: what it let through is paid, but for one group.
    const group = costOf(GROUP_BYTES, price);
    assert.ok(credit.used <= credit.paid + group, "no more is used than was paid, but for a group");
    if (options.priceMsatPerMiB !== undefined) return reckoning;
    const served = costOf(servedBytes, price);
    assert.ok(served <= credit.paid + group, `the seller gave ${inSat(served - credit.paid)} sat`);
    const kills = BigInt(options.sellerKills ?? 0);
    const unbooked = served - credit.used;
    assert.ok(unbooked <= group * (kills + 1n), `${inSat(unbooked)} sat are not in the books`);
    assert.ok(
      -unbooked <= kills * this.leastUnits,
      `a crash of the seller lost ${inSat(-unbooked)} sat`,
    );
    return reckoning;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#running) process.kill();
    for (const process of this.#running) await process[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }

  async #open(
    home: Home,
    { fault, wire, port, budgetSat = 1_000_000 }: StartOptions & { readonly port: number },
  ): Promise<TraderProcess> {
    const child = new TraderProcess(fault === undefined ? {} : { fault });
    this.#running.add(child);
    void child.log.then((log) => {
      this.#running.delete(child);
      this.matrix.logs.push(log);
    });
    try {
      await child.ask({
        do: "open",
        walletDirectory: home.wallet.directory,
        storeDirectory: home.storeDirectory,
        seedWords: home.wallet.words,
        peerSecret: home.peerSecret,
        port,
        aheadMs: this.#clockMs,
        budgetSat,
        ...wire === undefined ? {} : { wire },
      });
    } catch (error) {
      child.kill();
      await child[Symbol.asyncDispose]();
      throw error;
    }
    return child;
  }
}

/** Both sides' books of one trade. */
export interface Reckoning {
  readonly credit: ReturnType<typeof creditAccount>;
  readonly account: ReturnType<typeof sellerAccount>;
  /** Content that the seller let through, in bytes. */
  readonly servedBytes: number;
}

/** Fees that a wallet paid, in sat: what it set aside for melts and got back is none. */
export function feesOf(report: Report): number {
  return report.history.flatMap(({ entries }) => entries)
    .filter(({ kind }) => kind === "fee" || kind === "melt-change")
    .reduce((sum, { deltaSat }) => sum - deltaSat, 0);
}

function inSat(units: bigint): string {
  return (Number(units) / Number(UNITS_PER_SAT)).toFixed(3);
}

function stateOf(
  { kind, state, reason }: {
    readonly kind: string;
    readonly state: string;
    readonly reason: string | null;
  },
): string {
  return `${kind} ${state}: ${reason}`;
}

async function makeHome(
  matrix: MatrixWorld,
  { name, sat }: { readonly name: string; readonly sat: number },
): Promise<Home> {
  const wallet = await matrix.funded(name, sat);
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const storeDirectory = join(matrix.kit.directory, `${name}-store`);
  await Deno.mkdir(storeDirectory);
  return {
    name,
    wallet,
    storeDirectory,
    peerSecret: secret.toHex(),
    peerId: await peerIdOfSecret(secret),
    startSat: sat,
  };
}

async function writeFilm(path: string, sizeMiB: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const piece = new Uint8Array(MIB);
  for (let index = 0; index < sizeMiB; index++) {
    for (let at = 0; at < MIB; at += 65_536) {
      crypto.getRandomValues(piece.subarray(at, at + 65_536));
    }
    for (let done = 0; done < MIB;) done += await file.write(piece.subarray(done));
  }
}
