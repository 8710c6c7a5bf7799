import assert from "node:assert/strict";
import { labMissing, runCases, skippedFor } from "../../provisioning/backends/runc/lab.ts";

const missing = await labMissing();

Deno.test({
  name: `a provider of real processes survives being killed${skippedFor(missing)}`,
  ignore: missing !== undefined,
  fn: async () => assert.equal(await runCases(import.meta.resolve("./kill_cases.ts")), undefined),
});
