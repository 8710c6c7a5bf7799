/** Buyers, sellers, days: who fetches what of whom, and what each learns of it. */
import { RangeSet } from "../../../src/core/range_set.ts";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import { ProviderScores } from "../../../swarm/score.ts";
import type { FetchScene } from "../fetch_sim.ts";
import { runScene } from "../scenes.ts";
import type { SourceModel } from "../swarm_model.ts";
import { SeededRandom } from "../virtual_clock.ts";
import { Account, RULES, type Rules } from "./account.ts";
import {
  type BuyerConduct,
  type BuyerNode,
  isCheater,
  type SellerConduct,
  type SellerNode,
} from "./conduct.ts";

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

/** Content in one fetch. A simulated MiB stands for sixteen: least payments are smaller by as much. */
const BLOB_BYTES = 32 * MIB;

/** The least payment buys so many MiB, but is at least so many sat. */
const TOP_UP_MIB = 2;
const TOP_UP_SAT_MIN = 4;

/** Sellers that one buyer ever hears of: those who have what it likes. */
const KNOWN_SELLERS = 7;

/** How many buyers in all fetch something on a day. */
const FETCH_CHANCE = 0.45;

/** How often a conduct is met among a hundred sellers, and among a hundred buyers. */
const SELLERS: Record<SellerConduct, number> = {
  honest: 55,
  free: 9,
  taker: 6,
  refuser: 6,
  garbage: 6,
  staller: 6,
  overcharger: 6,
  raiser: 6,
};
const BUYERS: Record<BuyerConduct, number> = {
  honest: 88,
  replayer: 3,
  "double-spender": 3,
  "under-payer": 3,
  gracer: 3,
};

/** A market to be simulated. */
export interface MarketOptions {
  readonly seed: number;
  readonly nodeCount?: number;
  readonly days?: number;
  readonly rules?: Partial<Rules>;
}

/** How one fetch ended. */
export interface FetchEntry {
  readonly day: number;
  readonly buyer: BuyerNode;
  readonly outcome: "done" | "failed" | "running";
  readonly hadHonest: boolean;
  readonly bytes: number;
  readonly faults: readonly string[];
}

/** What cheaters kept, in all, where a buyer met them first, and from the third meeting on. */
export interface Loot {
  sat: number;
  firstSat: number;
  firstCount: number;
  laterSat: number;
  laterCount: number;
}

/** See the head of this file. */
export class Market {
  readonly options: Required<Omit<MarketOptions, "rules">> & { readonly rules: Rules };
  readonly sellers: readonly SellerNode[];
  readonly buyers: readonly BuyerNode[];
  readonly accounts = new Map<string, Account>();
  readonly fetches: FetchEntry[] = [];
  /** Sat that each seller took, day by day. */
  readonly income: number[][];
  /** What cheaters got of honest buyers and did not deliver for. */
  readonly loot: Loot = { sat: 0, firstSat: 0, firstCount: 0, laterSat: 0, laterCount: 0 };
  readonly #random: SeededRandom;
  readonly #scores = new Map<string, ProviderScores>();
  #day = 0;

  constructor(options: MarketOptions) {
    const { seed, nodeCount = 1000, days = 12 } = options;
    this.options = { seed, nodeCount, days, rules: { ...RULES, ...options.rules } };
    this.#random = new SeededRandom(seed);
    const sellerCount = Math.floor(nodeCount * 0.2);
    this.sellers = Array.from({ length: sellerCount }, (_, index) => this.#seller(index));
    this.buyers = Array.from(
      { length: nodeCount - sellerCount },
      (_, index) => this.#buyer(index, sellerCount),
    );
    this.income = this.sellers.map(() => []);
  }

  /** Lets all days pass. */
  run(): this {
    for (this.#day = 0; this.#day < this.options.days; this.#day++) {
      for (const income of this.income) income.push(0);
      // Who is there today; the others come back.
      const online = this.sellers.map(() => this.#random.chance(0.85));
      for (const buyer of this.buyers) {
        if (this.#random.chance(FETCH_CHANCE)) this.#fetch(buyer, online);
      }
    }
    return this;
  }

  /** Closes what scores are kept in. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const scores of this.#scores.values()) await scores[Symbol.asyncDispose]();
  }

  #seller(index: number): SellerNode {
    const random = this.#random;
    const conduct = drawn(random, SELLERS);
    // Who means to cheat asks a little less, to be asked first.
    const price = conduct === "honest" ? 500 + random.below(1500) : 300 + random.below(1300);
    const priceMsatPerMiB = conduct === "free" ? 0 : price;
    return {
      id: `${conduct}-${index}`,
      conduct,
      priceMsatPerMiB,
      minTopUpSat: Math.max(TOP_UP_SAT_MIN, Math.ceil((priceMsatPerMiB * TOP_UP_MIB) / 1000)),
      bandwidth: conduct === "free" ? random.between(0.2, 2) * MIB : random.between(4, 30) * MIB,
      latencyMs: random.between(1, 60),
    };
  }

  #buyer(index: number, sellerCount: number): BuyerNode {
    const random = this.#random;
    const known = new Set<number>();
    while (known.size < Math.min(KNOWN_SELLERS, sellerCount)) known.add(random.below(sellerCount));
    const conduct = drawn(random, BUYERS);
    return {
      id: `${conduct}-buyer-${index}`,
      conduct,
      thrift: random.pick(["balanced", "balanced", "balanced", "cheapest", "fastest"]),
      known: [...known],
    };
  }

  #fetch(buyer: BuyerNode, online: readonly boolean[]): void {
    const random = this.#random;
    const asked = buyer.known.filter((index) => online[index] && random.chance(0.75));
    const met = asked.map((index) => this.#account(buyer, index));
    for (const account of met) account.meetings++;
    const accounts = met.filter((account) => account.begin(this.#day, BLOB_BYTES));
    const before = met.map(({ takenSat, keptUnits }) => ({ takenSat, keptUnits }));
    const scores = this.#scoresOf(buyer);
    const peers = accounts.map((account) => this.#model(account, scores));
    const scene: FetchScene = {
      size: BLOB_BYTES,
      peers,
      discoveryEndsMs: 300,
      seed: random.below(2 ** 31),
      policy: "swarm-only",
      thrift: buyer.thrift,
    };
    const result = runScene(scene);
    for (const [at, account] of met.entries()) {
      const index = this.sellers.indexOf(account.seller);
      this.income[index]![this.#day]! += account.takenSat - before[at]!.takenSat;
      if (buyer.conduct !== "honest" || !isCheater(account.seller.conduct)) continue;
      this.#noteLoot(account, account.keptUnits - before[at]!.keptUnits);
    }
    let bytes = 0;
    for (const count of result.bytesBySource.values()) bytes += count;
    this.fetches.push({
      day: this.#day,
      buyer,
      outcome: result.outcome,
      hadHonest: accounts.some(({ seller }) =>
        seller.conduct === "honest" || seller.conduct === "free"
      ),
      bytes,
      faults: result.faults,
    });
    this.#learn(accounts, scores, result);
  }

  #noteLoot({ meetings }: Account, units: bigint): void {
    const { loot } = this;
    const sat = Number(units) / Number(UNITS_PER_SAT);
    loot.sat += sat;
    if (meetings === 1) {
      loot.firstSat += sat;
      loot.firstCount++;
    } else if (meetings >= 3) {
      loot.laterSat += sat;
      loot.laterCount++;
    }
  }

  /** As `BlobFetch` teaches its scores. */
  #learn(
    accounts: readonly Account[],
    scores: ProviderScores | undefined,
    result: ReturnType<typeof runScene>,
  ): void {
    for (const account of accounts) {
      const { id } = account.seller;
      const codes = result.failures.filter((failure) => failure.id === id)
        .map(({ code }) => code).filter((code) => code !== "payment-required");
      const bytes = result.bytesBySource.get(id) ?? 0;
      if (codes.includes("corrupt")) account.lied();
      if (bytes === 0 && codes.length === 0) continue;
      const measured = result.measured.find((one) => one.id === id);
      scores?.record(id, {
        ...measured,
        bytes,
        failed: codes.some((code) => code !== "not-found"),
        lied: codes.includes("corrupt"),
      });
    }
  }

  #model(account: Account, scores: ProviderScores | undefined) {
    const { id, conduct, priceMsatPerMiB, bandwidth, latencyMs } = account.seller;
    const prior = scores?.priorOf(id);
    const model: SourceModel = {
      id,
      kind: "peer",
      latencyMs,
      bandwidth,
      holds: RangeSet.ALL,
      tellsHoldings: false,
      pieceGroups: 32,
      till: account,
      ...(priceMsatPerMiB === 0 ? {} : { priceMsatPerMiB }),
      ...(conduct === "garbage" ? { liesAfterGroups: 0 } : {}),
    };
    const foundMs = this.#random.between(0, 200);
    return { ...model, foundMs, ...(prior === undefined ? {} : { prior }) };
  }

  #account(buyer: BuyerNode, index: number): Account {
    const seller = this.sellers[index]!;
    return this.accounts.getOrInsertComputed(
      `${buyer.id} ${seller.id}`,
      () => new Account(buyer, seller, this.options.rules),
    );
  }

  #scoresOf(buyer: BuyerNode): ProviderScores | undefined {
    if (!this.options.rules.remembers) return undefined;
    return this.#scores.getOrInsertComputed(buyer.id, () =>
      new ProviderScores({
        path: ":memory:",
        clock: { nowMs: () => this.#day * DAY_MS },
      }));
  }
}

/** One of the names, each as often as its weight says. */
function drawn<Name extends string>(random: SeededRandom, weights: Record<Name, number>): Name {
  const entries = Object.entries(weights) as [Name, number][];
  let left = random.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return entries[0]![0];
}
