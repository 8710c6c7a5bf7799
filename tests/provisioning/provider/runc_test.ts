import assert from "node:assert/strict";
import { labMissing, runCases } from "../backends/runc/lab.ts";

Deno.test({
  name: "a provider rents real containers of runc, over its own restart and to their end",
  ignore: await labMissing() !== undefined,
  fn: async () => assert.equal(await runCases("../../provider/runc_cases.ts"), undefined),
});
