import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../src/app/config/load.ts";
import {
  endWatchdog,
  ensureWatchdog,
  runningWatchdog,
} from "../../src/app/lifecycle/provider/watchdog.ts";

const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "ensureWatchdog() keeps the one that was told the same, and replaces the one that was not" +
    (isLinux ? "" : " (skipped: Linux is needed)"),
  ignore: !isLinux,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "watchdog-" });
    const state = join(folder, "state");
    await Deno.mkdir(state);
    // Of the provider, without which nobody is watched over.
    await Deno.writeTextFile(join(state, "provider.lock"), "");
    const configOf = async (backend: string) => {
      const socket = join(folder, "nobody.sock");
      const flags = { providerBackend: backend, providerState: state, providerSocket: socket };
      const inputs = {
        flags,
        variable: () => undefined,
        readFile: () => Promise.resolve(undefined),
      };
      return (await loadConfig(inputs)).values;
    };
    const [docker, podman] = [await configOf("docker"), await configOf("podman")];
    const isWatching = async (pid: number) => {
      for (let tries = 0; await runningWatchdog(docker) !== pid; tries++) {
        assert.ok(tries < 300, "it does not begin to watch");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    try {
      const first = await ensureWatchdog(docker);
      await isWatching(first);
      assert.equal(await ensureWatchdog(docker), first);
      const second = await ensureWatchdog(podman);
      assert.notEqual(second, first);
      await isWatching(second);
      assert.equal(await ensureWatchdog(podman), second);
    } finally {
      await endWatchdog(docker);
      assert.equal(await runningWatchdog(docker), undefined);
      await Deno.remove(folder, { recursive: true });
    }
  },
});
