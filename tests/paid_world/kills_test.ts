/**
 * Paid fetches between two processes over two mints, of which either is killed (SIGKILL) at every fault
 * point that paying and selling pass: each at least once here; `run.ts` has the whole cross product.
 */
import assert from "node:assert/strict";
import { type Campaign, runCampaign } from "./campaign.ts";
import { ALL_POINTS, CLIP_CAMPAIGNS, FILM_CAMPAIGNS } from "./plans.ts";
import { CLIP, FILM, type Goods, PaidWorld } from "./world.ts";

/** Runs campaigns one after the other in a world of their own. */
async function runLane(goods: Goods, campaigns: readonly Campaign[]): Promise<void> {
  await using world = await PaidWorld.start(goods);
  for (const campaign of campaigns) {
    const { missed, account } = await runNamed(world, campaign);
    if (goods === FILM) assert.ok(account.stripCount >= 2, `${account.stripCount} strips`);
    if (missed.length === 0) continue;
    // How often a point is passed depends on how fast the machine is: once, it is passed always.
    const again = missed.map((kill) => ({ ...kill, count: 1 }));
    const second = await runNamed(world, {
      ...campaign,
      name: `${campaign.name} again`,
      kills: again,
    });
    assert.deepEqual(second.missed, [], "every point is passed");
  }
}

async function runNamed(world: PaidWorld, campaign: Campaign) {
  try {
    const outcome = await runCampaign(world, campaign);
    await world.assertConserved();
    return outcome;
  } catch (cause) {
    throw new Error(`The fetch "${campaign.name}" did not end well`, { cause });
  }
}

Deno.test("the kills of these tests are at every point that paying and selling pass", () => {
  const campaigns = [...FILM_CAMPAIGNS, ...CLIP_CAMPAIGNS];
  const planned = campaigns.flatMap(({ kills, lateFaults = [] }) => [
    ...kills.map(({ point }) => point),
    ...lateFaults.map((fault) => fault.slice(0, fault.lastIndexOf(":"))),
  ]);
  assert.deepEqual([...new Set(planned)].sort(), [...new Set(ALL_POINTS)].sort());
});

for (const campaign of FILM_CAMPAIGNS) {
  Deno.test(`a paid fetch over two strips and two mints ends well: kills of ${campaign.name}`, () =>
    runLane(FILM, [campaign]));
}

Deno.test("a paid fetch ends well though either side is killed at any point while content flows", async () => {
  const half = CLIP_CAMPAIGNS.length >> 1;
  await Promise.all([
    runLane(CLIP, CLIP_CAMPAIGNS.slice(0, half)),
    runLane(CLIP, CLIP_CAMPAIGNS.slice(half)),
  ]);
});
