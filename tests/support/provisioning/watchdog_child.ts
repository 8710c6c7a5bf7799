/** A watchdog for tests: its arguments are the state directory and the file of its process id. */
import { RuncBackend, runWatchdog } from "../../../provisioning/backends/runc/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";

const [stateDir, pidFile] = Deno.args as [string, string];
const backend = await RuncBackend.attach({
  stateDir,
  publicHost: "127.0.0.1",
  clock: systemClock,
  random: systemRandom,
});
const controller = new AbortController();
Deno.addSignalListener("SIGTERM", () => controller.abort());
await runWatchdog({ backend, clock: systemClock, pidFile, signal: controller.signal });
Deno.exit(0);
