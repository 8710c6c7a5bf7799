/** What cannot be delivered is not charged, or paid back; and what is killed goes on where it was. */
import assert from "node:assert/strict";
import type { Answer, SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { commandOutput } from "../registry/lab.ts";
import type { Check } from "./rent_cases.ts";
import type { LeaseWorld } from "./world.ts";

const PAID_SAT = 40;

/** What came back with an answer that says no, taken in. */
async function refundOf(world: LeaseWorld, answer: Answer, error: string): Promise<number> {
  assert.equal(answer.type === "error" && answer.error, error, JSON.stringify(answer));
  const refund = answer.type === "error" ? answer.refund : undefined;
  if (refund !== undefined) await world.purse.receive(refund.token);
  return refund?.amountSat ?? 0;
}

/** Makes the engine refuse while `work` goes on: the program that it runs fails. */
async function withBrokenRuntime(world: LeaseWorld, work: () => Promise<void>): Promise<void> {
  const runc = await commandOutput("sh", ["-c", "command -v runc"]);
  const [copy, fake] = [world.bench.path("runc"), world.bench.path("no-runc")];
  await Deno.copyFile(runc, copy);
  await Deno.writeTextFile(
    fake,
    '#!/bin/sh\ncase " $* " in *" run "*|*" create "*) echo no more of them >&2; exit 1;; esac\n' +
      `exec ${copy} "$@"\n`,
    { mode: 0o755 },
  );
  await commandOutput("mount", ["--bind", fake, runc]);
  try {
    await work();
  } finally {
    await commandOutput("umount", [runc]);
  }
}

/** See the head of this file. */
export async function failureCases(world: LeaseWorld, check: Check): Promise<void> {
  const provider = await world.provider();
  for (const name of ["missing", "foreign"] as const) {
    await check(`an image that is ${name} costs nothing, and a bare token comes back`, async () => {
      const before = await world.instances();
      const image = world.images[name];
      const locked = await world.request(provider, { sat: PAID_SAT, image });
      const bare = await world.purse.token(PAID_SAT);
      const open = await world.request(provider, { sat: PAID_SAT, image, token: bare });
      const answers = await Promise.all(
        [locked, open].map((request: SpawnRequest) =>
          world.client.ask(provider.npub, request, { withinMs: 120_000 })
        ),
      );
      assert.equal(await refundOf(world, answers[0]!, "image_unavailable"), 0);
      assert.deepEqual(await world.statesOf(locked.token), ["UNSPENT"]);
      const backSat = await refundOf(world, answers[1]!, "image_unavailable");
      assert.ok(backSat >= PAID_SAT - 2, `${backSat} sat came back`);
      assert.deepEqual(await world.instances(), before);
      await world.assertBooks();
    });
  }
  await check("an engine that refuses costs nothing", () =>
    withBrokenRuntime(world, async () => {
      const before = await world.instances();
      const request = await world.request(provider, { sat: PAID_SAT });
      const answer = await world.client.ask(provider.npub, request);
      const backSat = await refundOf(world, answer, "backend_error");
      assert.ok(backSat >= PAID_SAT - 2, `${backSat} sat came back`);
      assert.deepEqual(await world.instances(), before);
      await world.assertBooks();
    }));
  await provider.process.stop();
}
