import assert from "node:assert/strict";
import { labMissing, runCases, skippedFor } from "../backends/runc/lab.ts";

const missing = await labMissing();

Deno.test({
  name: "nothing in a real lease keeps its SSH from answering, or runs before it does" +
    skippedFor(missing),
  ignore: missing !== undefined,
  fn: async () => assert.equal(await runCases("../../provider/banner_cases.ts"), undefined),
});
