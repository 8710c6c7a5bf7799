import assert from "node:assert/strict";
import { loadPlan, readPlan } from "../../../devnet/net/plan.ts";

Deno.test("loadPlan() gives ports that are free, keeps them, and moves only when it is told to", async () => {
  const directory = await Deno.makeTempDir();
  try {
    assert.equal(await readPlan(directory), undefined);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const first = await loadPlan(directory, { mintCount: 1, port });
    assert.ok(first.relayPort > port, "a taken port is left out");
    assert.deepEqual(first.mints.map(({ name }) => name), ["A"]);
    const grown = await loadPlan(directory, { mintCount: 3, port });
    assert.deepEqual(grown.mints[0], first.mints[0]);
    assert.deepEqual(grown.mints.map(({ name }) => name), ["A", "B", "C"]);
    assert.deepEqual(await loadPlan(directory, { mintCount: undefined }), grown);
    assert.deepEqual(await readPlan(directory), grown);
    const ports = [grown.relayPort, grown.lightningPort].concat(
      grown.mints.flatMap((
        mint,
      ) => [mint.port, mint.adminPort, mint.proxyPort, mint.proxyAdminPort]),
    );
    assert.equal(new Set(ports).size, ports.length);
    const moved = await loadPlan(directory, { mintCount: 2, port: port + 100 });
    assert.ok(moved.relayPort >= port + 100);
    assert.deepEqual(moved.mints.map(({ name }) => name), ["A", "B", "C"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
