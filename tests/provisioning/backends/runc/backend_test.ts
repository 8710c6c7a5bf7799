import assert from "node:assert/strict";
import { labMissing, runCases } from "./lab.ts";

const missing = await labMissing();

for (const name of ["conformance"]) {
  Deno.test({
    name: `RuncBackend passes its ${name} cases on the real runc`,
    ignore: missing !== undefined,
    fn: async () => assert.equal(await runCases(`./${name}_cases.ts`), undefined),
  });
}
