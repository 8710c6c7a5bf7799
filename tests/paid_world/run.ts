/**
 * The whole cross product of kills: every fault point that paying and selling pass, at several of the
 * times that it is passed, each in a fetch of its own.
 *
 *     deno run -A tests/paid_world/run.ts [--size 64MiB | 1GiB] [--payments 40] [--counts 1,2,3] [--only redeem]
 */
import { parseArgs } from "node:util";
import { UNITS_PER_SAT } from "./accounts.ts";
import { runCampaign } from "./campaign.ts";
import { crossProduct, FILM_CAMPAIGNS } from "./plans.ts";
import { type Goods, PaidWorld } from "./world.ts";

/** A seller's history is read as a whole, so it must not be too long. */
const CAMPAIGNS_PER_WORLD = 20;

const MIN_TOP_UP_SAT = 64;

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "64MiB" },
    payments: { type: "string", default: "40" },
    counts: { type: "string", default: "1,2,3" },
    only: { type: "string", default: "" },
  },
});
const [, number, unit] = /^(\d+)(MiB|GiB)$/.exec(values.size) ?? [];
if (number === undefined) throw new SyntaxError("--size is to be like 64MiB or 1GiB");
const sizeMiB = Number(number) * (unit === "GiB" ? 1024 : 1);
const goods: Goods = {
  sizeMiB,
  minTopUpSat: MIN_TOP_UP_SAT,
  priceMsatPerMiB: Math.ceil(Number(values.payments) * MIN_TOP_UP_SAT * 1000 / sizeMiB),
};
const counts = values.counts.split(",").map(Number);
const campaigns = [{ name: "no kill", kills: [] }, ...FILM_CAMPAIGNS, ...crossProduct(counts)]
  .filter(({ name }) => name.includes(values.only));

let failedCount = 0;
let missedCount = 0;
let number_ = 0;
while (number_ < campaigns.length) {
  await using world = await PaidWorld.start(goods);
  let isSound = true;
  for (let here = 0; isSound && here < CAMPAIGNS_PER_WORLD; here++) {
    const campaign = campaigns[number_++];
    if (campaign === undefined) break;
    const startMs = performance.now();
    try {
      const outcome = await runCampaign(world, { ...campaign, name: `${number_}` });
      await world.assertConserved();
      const { credit, account, missed, avoidedCount } = outcome;
      const cost = BigInt(world.size) * BigInt(goods.priceMsatPerMiB);
      const lossSat = Number(credit.used - cost) / Number(UNITS_PER_SAT);
      if (missed.length > 0) missedCount++;
      console.log(
        `ok ${campaign.name}: ${Number(credit.paid / UNITS_PER_SAT)} sat paid, ` +
          `${lossSat.toFixed(2)} lost, ${account.stripCount} strips, avoided ${avoidedCount}, ` +
          `${missed.length === 0 ? "" : "point not passed so often, "}` +
          `${((performance.now() - startMs) / 1000).toFixed(1)} s`,
      );
    } catch (error) {
      failedCount++;
      isSound = false;
      console.log(`FAILED ${campaign.name}:`, error);
    }
    await world.forget(`${number_}`);
  }
}
console.log(
  `${campaigns.length} fetches, ${failedCount} failed, ${missedCount} without their kill`,
);
Deno.exit(failedCount === 0 ? 0 : 1);
