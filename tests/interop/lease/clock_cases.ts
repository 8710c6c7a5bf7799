/** Somebody sets the provider's wall clock while a lease runs: for its processes, with libfaketime. */
import assert from "node:assert/strict";
import { until } from "../../e2e/lease/lab.ts";
import type { Check } from "./rent_cases.ts";
import type { LeaseWorld } from "./world.ts";

const PAID_SAT = 40;
const LATE_MS_MAX = 5_000;
const NAME = "clock";

/** Why it cannot be tried, or the library's path. */
async function library(): Promise<{ readonly path: string } | string> {
  for (const arch of ["x86_64", "aarch64"]) {
    const path = `/usr/lib/${arch}-linux-gnu/faketime/libfaketimeMT.so.1`;
    if (await Deno.stat(path).then(() => true, () => false)) return { path };
  }
  return "the library libfaketime is missing: run tests/interop/install_lease.sh";
}

async function jump(world: LeaseWorld, path: string): Promise<void> {
  const file = world.bench.path("faketime");
  // Put in place at once: a half-written one is no time at all.
  const set = async (offsetS: number) => {
    await Deno.writeTextFile(`${file}.new`, `${offsetS < 0 ? "" : "+"}${offsetS}\n`);
    await Deno.rename(`${file}.new`, file);
  };
  await set(0);
  const provider = await world.provider({
    name: NAME,
    by: [
      "env",
      `LD_PRELOAD=${path}`,
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      "FAKETIME_NO_CACHE=1",
      "FAKETIME_DONT_FAKE_MONOTONIC=1",
      "DONT_FAKE_MONOTONIC=1",
    ],
  });
  const request = await world.request(provider, { sat: PAID_SAT });
  const answer = await world.client.ask(provider.npub, request);
  assert.equal(answer.type, "access", JSON.stringify(answer));
  if (answer.type !== "access") return;
  const beganMs = performance.now() - (Date.now() - (answer.readyMs ?? 0));
  const lastsMs = answer.expiresMs - (answer.readyMs ?? 0);
  const sleepUntil = (ms: number) =>
    new Promise((resolve) => setTimeout(resolve, beganMs + ms - performance.now()));
  await set(3600);
  await sleepUntil(20_000);
  assert.deepEqual(await world.instances(NAME), [answer.lease], "an hour ahead it is still there");
  const [lease] = await world.leases(provider);
  const movedMs = Number(lease!.expiresMs) - answer.expiresMs;
  assert.ok(Math.abs(movedMs - 3_600_000) < 5_000, `its end was moved by ${movedMs} ms`);
  await set(-3600);
  let tookMs = 0;
  await until(async () => {
    tookMs = performance.now() - beganMs;
    return (await world.instances(NAME)).length === 0;
  }, 90_000);
  assert.ok(
    tookMs > lastsMs - 1_500 && tookMs < lastsMs + LATE_MS_MAX,
    `it lasted ${tookMs} ms, ${lastsMs} ms were paid`,
  );
  await set(0);
  await provider.process.stop();
  await world.assertBooks();
}

/** See the head of this file. */
export async function clockCases(
  world: LeaseWorld,
  check: Check,
  skip: (name: string, why: string) => void,
): Promise<void> {
  const name = "a wall clock set an hour ahead and two back neither ends a lease nor makes it last";
  const found = await library();
  if (typeof found === "string") return skip(name, found);
  await check(name, () => jump(world, found.path));
}
