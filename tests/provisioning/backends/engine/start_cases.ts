/** Starts that a kill of the provider cut off; started by start_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { EngineContainers } from "../../../../provisioning/backends/engine/containers.ts";
import type { Engine } from "../../../../provisioning/backends/engine/mod.ts";
import { leasePaths } from "../../../../provisioning/backends/host/instance.ts";
import {
  type LeaseRecord,
  makeDisk,
  type StartOptions,
  unmountDisk,
} from "../../../../provisioning/backends/host/mod.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { stateFolder } from "../runc/lab.ts";

/** An engine whose container is this process, so that it is never kept apart from its host. */
class BareEngine {
  readonly name = "docker";
  readonly calls: string[] = [];
  isRunning = true;

  look() {
    return Promise.resolve({
      status: this.isRunning ? "running" as const : "stopped" as const,
      pid: Deno.pid,
    });
  }

  rootTargets() {
    return Promise.resolve([]);
  }

  kill() {
    return this.#does("kill", false);
  }

  start() {
    return this.#does("start", true);
  }

  #does(call: string, isRunning: boolean): Promise<void> {
    this.calls.push(call);
    this.isRunning = isRunning;
    return Promise.resolve();
  }
}

/** What starting a running container of pid `started` does. */
async function startOver(started: string | undefined): Promise<{
  readonly calls: readonly string[];
  readonly error: string | undefined;
}> {
  const stateDir = await stateFolder();
  const paths = leasePaths(`${stateDir}/lease`);
  await Deno.mkdir(paths.folder);
  await Deno.writeTextFile(
    `${paths.folder}/plan.json`,
    JSON.stringify({ order: { resources: { cpuMillicores: 1, memoryMb: 1, diskMb: 8 } } }),
  );
  if (started !== undefined) await Deno.writeTextFile(`${paths.folder}/started`, started);
  const guard = `${stateDir}/guard`;
  await makeDisk(paths, 8, { guard });
  const engine = new BareEngine();
  const containers = new EngineContainers(engine as unknown as Engine, { clock: systemClock });
  const options: StartOptions = {
    paths,
    imageRoot: stateDir,
    idBase: 200_000,
    guard,
    guardNetwork: () => Promise.resolve(void engine.calls.push("guard")),
    connect: () => Promise.resolve(void engine.calls.push("connect")),
  };
  const error = await containers.start({ leaseId: "container-7" } as LeaseRecord, options)
    .then(() => undefined, (error: Error) => error.message);
  await unmountDisk(paths, systemClock);
  await Deno.remove(stateDir, { recursive: true });
  return { calls: engine.calls, error };
}

Deno.test("start() leaves a container alone whose start came to its end", async () => {
  const { calls, error } = await startOver(String(Deno.pid));
  assert.deepEqual([calls, error], [[], undefined]);
});

for (const [what, started] of [["cut off", undefined], ["another's", "1"]] as const) {
  Deno.test(`start() begins a start again that was ${what}, and looks how it is kept apart`, async () => {
    const { calls, error } = await startOver(started);
    assert.deepEqual(calls, ["kill", "guard", "start", "kill"]);
    assert.match(error ?? "", /it shares the host's user namespace/);
  });
}
