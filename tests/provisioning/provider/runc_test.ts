import assert from "node:assert/strict";
import { labMissing, runCases, skippedFor } from "../backends/runc/lab.ts";

const missing = await labMissing();

Deno.test({
  name: "a provider rents real containers of runc, over its own restart and to their end" +
    skippedFor(missing),
  ignore: missing !== undefined,
  fn: async () => assert.equal(await runCases("../../provider/runc_cases.ts"), undefined),
});
