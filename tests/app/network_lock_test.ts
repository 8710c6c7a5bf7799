import assert from "node:assert/strict";
import { lockNetwork } from "../../src/app/lifecycle/provider/network_lock.ts";
import { isSeedmintError } from "../../src/core/errors.ts";

const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "lockNetwork() lets one provider lend in a network, and says what another can do" +
    (isLinux ? "" : " (skipped: Linux is needed)"),
  ignore: !isLinux,
  async fn() {
    // Of this test alone: a provider may run here.
    const folder = await Deno.makeTempDir({ prefix: "seedmint-lock-" });
    const take = (providerBackend: "runc" | "docker" | "kubernetes") =>
      lockNetwork({ providerBackend }, folder);
    {
      using _held = take("runc");
      const isLocked = (error: unknown) =>
        isSeedmintError(error, "locked") && /stop that one \(provider stop\)/.test(error.message);
      assert.throws(() => take("docker"), isLocked);
      using _elsewhere = take("kubernetes");
    }
    {
      using _again = take("docker");
      const [{ name }] = await Array.fromAsync(Deno.readDir(folder)) as [Deno.DirEntry];
      assert.match(name, /^seedmint-lending-\d+\.lock$/);
      assert.equal((await Deno.stat(`${folder}/${name}`)).mode! & 0o777, 0o600);
    }
    await Deno.remove(folder, { recursive: true });
  },
});
