/** What must hold of a market, and what it came to: who earned and who lost. */
import { UNITS_PER_SAT, unitsOf } from "../../../wallet/credit_units.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import type { Account } from "./account.ts";
import {
  BUYER_CONDUCTS,
  type BuyerConduct,
  isCheater,
  SELLER_CONDUCTS,
  type SellerConduct,
} from "./conduct.ts";
import type { Market } from "./market.ts";

const MIB = 1024 * 1024;

/** Sellers that mean to cheat. */
const CHEATERS: readonly SellerConduct[] = SELLER_CONDUCTS.filter(isCheater);

/** What an honest seller earns at least, as a multiple of what any cheater does. */
const HONEST_GAIN_MIN = 1.25;

/** What a cheater keeps at a third or later meeting with a buyer at most, as a share of the first. */
const LATER_SHARE_MAX = 0.65;

/** What cheaters, two sellers in five, may take of all that honest buyers pay in the first days. */
const STOLEN_SHARE_MAX = 0.2;

/** Fetches of honest buyers that have to succeed when an honest seller could be asked. */
const DONE_SHARE_MIN = 0.97;

/** Fewer fetches of one kind of buyers say nothing of it. */
const FETCHES_TO_TELL = 20;

/** How the sellers of one conduct fared, each on average. */
export interface SellerReport {
  readonly conduct: SellerConduct;
  readonly count: number;
  readonly sat: number;
  /** Of it, in the first and in the last third of the days. */
  readonly earlySat: number;
  readonly lateSat: number;
  /** What it has and did not deliver for; at an honest seller it can still be used. */
  readonly keptSat: number;
  readonly deliveredMiB: number;
}

/** How the buyers of one conduct fared, all together. */
export interface BuyerReport {
  readonly conduct: BuyerConduct;
  readonly count: number;
  readonly fetchCount: number;
  readonly doneShare: number;
  readonly paidSat: number;
  readonly gotMiB: number;
  /** What it got of honest sellers beyond what it paid, in msat. */
  readonly presentMsat: number;
}

/** Both sides. */
export function reportOf(market: Market): {
  readonly sellers: readonly SellerReport[];
  readonly buyers: readonly BuyerReport[];
} {
  return {
    sellers: SELLER_CONDUCTS.map((conduct) => sellerReport(market, conduct)),
    buyers: BUYER_CONDUCTS.map((conduct) => buyerReport(market, conduct)),
  };
}

/** The lines that are printed. */
export function marketLines(market: Market): string[] {
  const { sellers, buyers } = reportOf(market);
  const { loot, options } = market;
  const honest = buyers.find(({ conduct }) => conduct === "honest")!;
  const lines = sellers.map((one) =>
    `seller ${one.conduct} (${one.count}): took ${one.sat.toFixed(0)} sat each, ` +
    `kept ${one.keptSat.toFixed(0)} of it, delivered ${one.deliveredMiB.toFixed(0)} MiB`
  );
  for (const one of buyers) {
    lines.push(
      `buyer ${one.conduct} (${one.count}): ${(100 * one.doneShare).toFixed(1)} % of its fetches ` +
        `done, paid ${one.paidSat} sat for ${one.gotMiB.toFixed(0)} MiB, ` +
        `${one.presentMsat.toFixed(0)} msat of presents`,
    );
  }
  return [
    `a market of ${options.nodeCount} nodes in ${options.days} days:`,
    ...lines,
    `cheaters kept ${(100 * loot.sat / Math.max(1, honest.paidSat)).toFixed(1)} % of what honest ` +
    `buyers paid: ${(loot.firstSat / Math.max(1, loot.firstCount)).toFixed(1)} sat at a first ` +
    `meeting, ${(loot.laterSat / Math.max(1, loot.laterCount)).toFixed(1)} from the third on`,
  ];
}

/** What must hold and does not, in words; empty when all is well. */
export function faultsOfMarket(market: Market): string[] {
  const faults = market.fetches.flatMap((fetch) => fetch.faults);
  for (const account of market.accounts.values()) faults.push(...faultsOfAccount(account));
  const { sellers, buyers } = reportOf(market);
  const of = (conduct: SellerConduct) => sellers.find((one) => one.conduct === conduct)!;
  for (const conduct of CHEATERS) {
    const { sat } = of(conduct);
    if (sat * HONEST_GAIN_MIN > of("honest").sat) {
      faults.push(
        `a ${conduct} takes ${sat.toFixed(0)} sat, who is honest ${of("honest").sat.toFixed(0)}`,
      );
    }
  }
  const { loot } = market;
  const first = loot.firstSat / Math.max(1, loot.firstCount);
  const later = loot.laterSat / Math.max(1, loot.laterCount);
  if (later > LATER_SHARE_MAX * first) {
    const [then, now] = [first, later].map((sat) => sat.toFixed(1));
    faults.push(`cheaters keep ${now} sat of who knows them, ${then} of strangers`);
  }
  const honest = buyers.find(({ conduct }) => conduct === "honest")!;
  if (loot.sat > STOLEN_SHARE_MAX * honest.paidSat) {
    faults.push(`cheaters keep ${loot.sat.toFixed(0)} of ${honest.paidSat} sat of honest buyers`);
  }
  if (honest.doneShare < DONE_SHARE_MIN) {
    faults.push(`${honest.doneShare} of the fetches of honest buyers succeed`);
  }
  for (const other of buyers) {
    if (other.conduct === "honest" || other.fetchCount < FETCHES_TO_TELL) continue;
    if (other.doneShare >= honest.doneShare) {
      faults.push(`${other.conduct} buyers get more than honest ones`);
    }
  }
  return faults;
}

/** The bounds of one pair, exact to the unit. */
function faultsOfAccount(account: Account): string[] {
  const { seller, buyer, leastUnits } = account;
  const pair = `${buyer.id} at ${seller.id}`;
  const faults: string[] = [];
  if (seller.priceMsatPerMiB === 0) return faults;
  if (account.overRisk > 0n) faults.push(`${pair}: more than two least payments are at risk`);
  const bound = 2n * leastUnits * BigInt(1 + account.forgivenCount);
  if (account.keptUnits > bound) faults.push(`${pair}: more is kept than two least payments`);
  if (seller.conduct !== "honest") return faults;
  const group = unitsOf(GROUP_BYTES, seller.priceMsatPerMiB);
  if (account.debtMax > group) faults.push(`${pair}: more than one chunk group is a present`);
  const sold = BigInt(account.soldBytes) * BigInt(seller.priceMsatPerMiB);
  if (BigInt(account.takenSat) * UNITS_PER_SAT !== sold + account.creditUnits) {
    faults.push(`${pair}: the books do not balance`);
  }
  return faults;
}

function sellerReport(market: Market, conduct: SellerConduct): SellerReport {
  const { sellers, income, options } = market;
  const third = Math.floor(options.days / 3);
  const own = sellers.flatMap((seller, index) => seller.conduct === conduct ? [index] : []);
  const ids = new Set(own.map((index) => sellers[index]!.id));
  const accounts = [...market.accounts.values()].filter(({ seller }) => ids.has(seller.id));
  const mean = (total: number) => own.length === 0 ? 0 : total / own.length;
  const days = (from: number, to?: number) =>
    mean(sum(own.map((index) => sum(income[index]!.slice(from, to)))));
  return {
    conduct,
    count: own.length,
    sat: days(0),
    earlySat: days(0, third),
    lateSat: days(options.days - third),
    keptSat: mean(sum(accounts.map(({ keptUnits }) => satOf(keptUnits)))),
    deliveredMiB: mean(sum(accounts.map(({ verifiedBytes }) => verifiedBytes / MIB))),
  };
}

function buyerReport(market: Market, conduct: BuyerConduct): BuyerReport {
  const fetches = market.fetches.filter(({ buyer }) => buyer.conduct === conduct);
  const fair = fetches.filter(({ hadHonest }) => hadHonest);
  const accounts = [...market.accounts.values()].filter(({ buyer }) => buyer.conduct === conduct);
  const presents = accounts.filter(({ seller }) => seller.conduct === "honest")
    .map(({ creditUnits }) => creditUnits < 0n ? Number(-creditUnits) : 0);
  return {
    conduct,
    count: market.buyers.filter((buyer) => buyer.conduct === conduct).length,
    fetchCount: fetches.length,
    doneShare: fair.filter(({ outcome }) => outcome === "done").length / Math.max(1, fair.length),
    paidSat: sum(accounts.map(({ handedSat }) => handedSat)),
    gotMiB: sum(fetches.map(({ bytes }) => bytes / MIB)),
    presentMsat: sum(presents) / MIB,
  };
}

function satOf(units: bigint): number {
  return Number(units) / Number(UNITS_PER_SAT);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
