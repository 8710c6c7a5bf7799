/**
 * One buyer's paid fetch with kills on the way. Each kill names a fault point of one side and the how
 * manieth time it is passed; a side that died is started again with the next kill that is its own.
 */
import assert from "node:assert/strict";
import { ChildError, Killed } from "../support/wallet_process.ts";
import type { TraderProcess } from "./trader.ts";
import type { Home, PaidWorld, Reckoning } from "./world.ts";

/** Who dies. */
export type Side = "buyer" | "seller";

/** Who dies, where. */
export interface Kill {
  readonly side: Side;
  readonly point: string;
  /** The how manieth time, from the start of the process. */
  readonly count: number;
}

/** One buyer's way. */
export interface Campaign {
  readonly name: string;
  /** In the order in which each side dies. */
  readonly kills: readonly Kill[];
  /** Points of the buyer past the locktime. */
  readonly lateFaults?: readonly string[];
  /** Whether the price is known from an advert. @default {true} */
  readonly isAdvertised?: boolean;
  /** What the wallet is told that may be bought: more than 1 leaves top-ups over. @default {1} */
  readonly boughtPart?: number;
  /** What the buyer begins with, in sat. */
  readonly startSat?: number;
}

/** What came of it. */
export interface Outcome extends Reckoning {
  /** Kills whose point was not passed. */
  readonly missed: readonly Kill[];
  /** How often the buyer took the seller for a cheat. */
  readonly avoidedCount: number;
}

/** Fetches asked for besides one for each kill: a seller that is starting has none. */
const SPARE_TRIES = 6;

/** A buyer that lost all that it may risk takes its seller for a cheat for less than so long. */
const AVOIDED_MS = 24 * 3_600_000;

/** How long a process that the other side saw die may take to end. */
const DYING_MS = 100;

/** Runs it to its end, and holds everything that the issue promises. */
export async function runCampaign(world: PaidWorld, campaign: Campaign): Promise<Outcome> {
  const home = await world.buyer(campaign.name, campaign.startSat);
  const kills = new Kills(campaign.kills);
  if (kills.left("seller").length > 0) {
    await world.stopSeller();
    await kills.start("seller", (fault) => world.startSeller(fault));
  }
  let buyer = await kills.start("buyer", (fault) => world.startBuyer(home, fault));
  const reviveSeller = async () => {
    kills.done("seller");
    await kills.start("seller", (fault) => world.startSeller(fault));
  };
  let avoidedCount = 0;
  const triesMax = campaign.kills.length + SPARE_TRIES;
  let isDone = false;
  for (let tries = 1; !isDone; tries++) {
    try {
      await world.fetch(buyer, campaign);
      isDone = true;
    } catch (error) {
      if (!(error instanceof Killed) && !(error instanceof ChildError)) throw error;
      if (tries >= triesMax) throw error;
      if (error.message.includes("nothing is bought of it until")) {
        avoidedCount++;
        await world.jump(AVOIDED_MS, [world.seller, buyer]);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, DYING_MS));
    if (world.seller.isOver) await reviveSeller();
    if (!buyer.isOver) continue;
    await buyer[Symbol.asyncDispose]();
    kills.done("buyer");
    buyer = await kills.start("buyer", (fault) => world.startBuyer(home, fault));
  }
  const outcome = await reckonUp(world, { campaign, home, buyer, kills, reviveSeller });
  return { ...outcome, avoidedCount };
}

async function reckonUp(
  world: PaidWorld,
  { campaign, home, buyer, kills, reviveSeller }: {
    readonly campaign: Campaign;
    readonly home: Home;
    readonly buyer: TraderProcess;
    readonly kills: Kills;
    readonly reviveSeller: () => Promise<void>;
  },
): Promise<Omit<Outcome, "avoidedCount">> {
  await world.assertVerified(buyer);
  await world.settleSeller(home, reviveSeller);
  const missed = kills.all;
  if (kills.left("seller").length > 0) {
    // One that waits for its point must not die of the next buyer.
    await world.stopSeller();
    await world.startSeller();
  }
  await world.settleBuyer(home, buyer, campaign.lateFaults);
  const sellerKills = campaign.kills.filter(({ side }) => side === "seller").length;
  return { ...world.assertFair(home, { sellerKills }), missed };
}

/** Kills that are still to come. */
class Kills {
  readonly #left: Record<Side, Kill[]>;

  constructor(kills: readonly Kill[]) {
    this.#left = {
      buyer: kills.filter(({ side }) => side === "buyer"),
      seller: kills.filter(({ side }) => side === "seller"),
    };
  }

  get all(): Kill[] {
    return [...this.#left.buyer, ...this.#left.seller];
  }

  left(side: Side): readonly Kill[] {
    return this.#left[side];
  }

  done(side: Side): void {
    assert.ok(this.#left[side].shift() !== undefined, `the ${side} died of nothing`);
  }

  /** Starts a process with the next kill of its side, which it may die of while it opens. */
  async start<T>(
    side: Side,
    open: (options: { readonly fault?: string }) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const [kill] = this.#left[side];
      try {
        return await open(kill === undefined ? {} : { fault: `${kill.point}:${kill.count}` });
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        this.done(side);
      }
    }
  }
}
