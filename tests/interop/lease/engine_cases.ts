/** The same renting on engines with a daemon, each on the provider's host. */
import assert from "node:assert/strict";
import type { EngineName } from "../engines/backends.ts";
import { startEngine } from "../engines/daemons.ts";
import { enter } from "./net.ts";
import { type Check, rent } from "./rent_cases.ts";
import type { LeaseWorld } from "./world.ts";

const ENGINES: readonly EngineName[] = ["docker", "podman", "lxd", "incus"];

/** See the head of this file. */
export async function engineCases(
  world: LeaseWorld,
  check: Check,
  skip: (name: string, why: string) => void,
): Promise<void> {
  for (const engine of ENGINES) {
    const name = `the same lease over the network on ${engine}`;
    const home = world.bench.path(`${engine}-home`);
    await Deno.mkdir(home);
    const running = await startEngine(engine, home, enter("provider"))
      .catch((error: Error) => error);
    if (typeof running === "string") {
      skip(name, running);
      continue;
    }
    if (running instanceof Error) {
      await check(`${engine} starts`, () => Promise.reject(running));
      continue;
    }
    await check(name, async () => {
      const provider = await world.provider({
        name: engine,
        flags: ["--provider-backend", engine, "--provider-socket", running.socketPath],
      });
      const report = await world.report(provider);
      assert.equal((report.backend as { ok: unknown }).ok, true, JSON.stringify(report.backend));
      await rent(world, provider, engine);
      await provider.process.stop();
    });
    await running.stop();
  }
}
