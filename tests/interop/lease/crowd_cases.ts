/** More want a lease than there is room for. */
import assert from "node:assert/strict";
import type { SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { until } from "../../e2e/lease/lab.ts";
import { OldClient } from "../../e2e/lease/old_client.ts";
import type { Check } from "./rent_cases.ts";
import type { LeaseWorld, WorldProvider } from "./world.ts";

const CROWD = 100;
const ROOM = 10;
const NAME = "crowd";
/** Longer than all of it takes: nobody's time is over while others still ask. */
const PAID_SAT = 90;

/** Each asks with a key of its own; a provider bounds what one key may have. */
async function crowd(world: LeaseWorld, provider: WorldProvider): Promise<void> {
  // The image is there before they come.
  const first = await world.client.ask(provider.npub, await world.request(provider, { sat: 2 }));
  assert.equal(first.type, "access", JSON.stringify(first));
  await until(async () => (await world.instances(NAME)).length === 0);

  await using stack = new AsyncDisposableStack();
  const lessees: { request: SpawnRequest; client: OldClient }[] = [];
  for (let count = 0; count < CROWD; count++) {
    const request = await world.request(provider, { sat: PAID_SAT });
    lessees.push({ request, client: stack.use(new OldClient(world.relay)) });
  }
  const beganMs = performance.now();
  const answers = await Promise.all(
    lessees.map(({ client, request }) => client.ask(provider.npub, request, { withinMs: 80_000 })),
  );
  console.log(`        all answered after ${Math.round(performance.now() - beganMs)} ms`);
  const kinds = answers.map((answer) => answer.type === "error" ? answer.error : answer.type);
  const of = (what: string) => lessees.filter((_, index) => kinds[index] === what);
  const [ran, refused] = [of("access"), of("no_capacity")];
  assert.deepEqual([ran.length, refused.length], [ROOM, CROWD - ROOM], [...new Set(kinds)].join());
  assert.equal((await world.instances(NAME)).length, ROOM);
  const { free, openCount } = await world.report(provider);
  assert.deepEqual([(free as { cpuMillicores: number }).cpuMillicores, openCount], [0, ROOM]);
  const states = async (those: typeof lessees) => {
    const all = await Promise.all(those.map(({ request }) => world.statesOf(request.token)));
    return [...new Set(all.flat())];
  };
  assert.deepEqual(await states(refused), ["UNSPENT"], "none of their tokens is touched");
  assert.deepEqual(await states(ran), ["SPENT"]);
  for (const { client } of lessees) assert.equal(client.answers.length, 1, "one answer each");
  const ports = answers.flatMap((answer) => answer.type === "access" ? answer.sshPort : []);
  assert.equal(new Set(ports).size, ROOM, "each has a port of its own");
  for (const [index, answer] of answers.entries()) {
    if (answer.type !== "access") continue;
    const stop = { type: "stop", lease: answer.lease } as const;
    const stopped = await lessees[index]!.client.ask(provider.npub, stop);
    const refund = stopped.type === "stop" ? stopped.refund : undefined;
    assert.ok(refund !== undefined, JSON.stringify(stopped));
    await world.purse.receive(refund.token);
  }
  assert.deepEqual(await world.instances(NAME), []);
  await world.assertBooks();
}

/** See the head of this file. */
export async function crowdCases(world: LeaseWorld, check: Check): Promise<void> {
  await check(`of ${CROWD} spawns at once, ${ROOM} find room and nobody else pays`, async () => {
    const flags = ["--provider-cpu", String(ROOM * 100)];
    const provider = await world.provider({ name: NAME, flags });
    await crowd(world, provider);
    await provider.process.stop();
  });
}
