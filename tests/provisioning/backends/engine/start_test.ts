import assert from "node:assert/strict";
import { labMissing, runCases, skippedFor } from "../runc/lab.ts";

const missing = await labMissing();

Deno.test({
  name: `containers of engines pass the cases of starts that were cut off${skippedFor(missing)}`,
  ignore: missing !== undefined,
  fn: async () => assert.equal(await runCases("../engine/start_cases.ts"), undefined),
});
