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

/** Several worlds at a time: much of a kill is waiting for a process to start. */
async function runLanes(goods: Goods, campaigns: readonly Campaign[], count: number) {
  const lanes = Array.from(
    { length: count },
    (_, lane) => campaigns.filter((_, index) => index % count === lane),
  );
  const ends = await Promise.allSettled(lanes.map((lane) => runLane(goods, lane)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

Deno.test("a paid fetch over two strips and two mints ends well though either side is killed on the way into it", () =>
  runLanes(FILM, FILM_CAMPAIGNS, 2));

Deno.test("a paid fetch ends well though either side is killed at any point while content flows", () =>
  runLanes(CLIP, CLIP_CAMPAIGNS, 3));
