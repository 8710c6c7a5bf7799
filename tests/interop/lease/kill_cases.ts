/**
 * A provider killed in the states that pass too quickly to be met by chance: a trigger in its journal
 * refuses the step out of the state, it is killed while it tries again, and the next one goes on.
 */
import assert from "node:assert/strict";
import { until } from "../../e2e/lease/lab.ts";
import type { Check } from "./rent_cases.ts";
import type { LeaseWorld } from "./world.ts";

/** Killed in the others: `tests/e2e/lease`. */
const STATES = ["reserved", "paid", "expiring"] as const;
const PAID_SAT = 60;

async function killIn(world: LeaseWorld, state: typeof STATES[number]): Promise<void> {
  edit(
    world,
    `CREATE TRIGGER hold BEFORE UPDATE ON leases WHEN OLD.state = '${state}' ` +
      `AND NEW.state <> '${state}' BEGIN SELECT RAISE(ABORT, 'held for a test'); END`,
  );
  const first = await world.provider();
  const request = await world.request(first, { sat: PAID_SAT });
  const options = { withinMs: 120_000 };
  const asked = world.client.ask(first.npub, request, options);
  asked.catch(() => {});
  const before = world.client.answers.length;
  let stopped: ReturnType<typeof world.client.ask> | undefined;
  if (state === "expiring") {
    const answer = await asked;
    assert.equal(answer.type, "access", JSON.stringify(answer));
    const lease = answer.type === "access" ? answer.lease : "";
    const stop = { type: "stop", lease, requestId: crypto.randomUUID() } as const;
    stopped = world.client.ask(first.npub, stop, options);
    stopped.catch(() => {});
  }
  await until(() => Promise.resolve(first.process.stderr.includes(`state=${state}`)));
  // It tries again, and stays where it is.
  await until(() => Promise.resolve(first.process.stderr.includes("held for a test")), 10_000)
    .catch(() => {});
  await first.process.kill();
  const journal = world.journal();
  const row = journal.prepare("SELECT state FROM leases ORDER BY number DESC LIMIT 1").get();
  journal.close();
  assert.equal(row?.state, state);
  edit(world, "DROP TRIGGER hold");

  const next = await world.provider();
  const answer = await asked;
  assert.equal(answer.type, "access", `${state}: ${JSON.stringify(answer)}`);
  const lease = answer.type === "access" ? answer.lease : "";
  stopped ??= world.client.ask(next.npub, { type: "stop", lease }, options);
  const end = await stopped;
  assert.equal(end.type, "stop", JSON.stringify(end));
  const refund = end.type === "stop" ? end.refund : undefined;
  assert.ok(refund !== undefined && refund.amountSat > PAID_SAT / 2, JSON.stringify(refund));
  await world.purse.receive(refund.token);
  assert.equal(world.client.answers.length, before + 2, "one answer each");
  assert.ok(!(await world.instances()).includes(lease));
  assert.deepEqual(await world.statesOf(request.token), ["SPENT"]);
  await next.process.stop();
  await world.assertBooks();
}

function edit(world: LeaseWorld, sql: string): void {
  const journal = world.journal();
  journal.exec(sql);
  journal.close();
}

/** See the head of this file. */
export async function killCases(world: LeaseWorld, check: Check): Promise<void> {
  for (const state of STATES) {
    await check(
      `a provider killed while a lease is ${state} goes on where it was`,
      () => killIn(world, state),
    );
  }
}
