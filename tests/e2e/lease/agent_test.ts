import assert from "node:assert/strict";
import { labMissing, runCases, skippedFor } from "../../provisioning/backends/runc/lab.ts";

const missing = await labMissing();

Deno.test({
  name: `an agent rents from a provider of real processes${skippedFor(missing)}`,
  ignore: missing !== undefined,
  fn: async () => assert.equal(await runCases(import.meta.resolve("./agent_cases.ts")), undefined),
});
