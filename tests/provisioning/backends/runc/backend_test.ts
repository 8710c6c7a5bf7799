import assert from "node:assert/strict";
import { labMissing, runCases, skippedFor } from "./lab.ts";

const missing = await labMissing();
const NAMES = ["conformance", "isolation", "network", "life"];

/** All at once, each in namespaces of its own: they wait more than they work. */
let running: Map<string, Promise<string | undefined>> | undefined;

function run(name: string): Promise<string | undefined> {
  running ??= new Map(NAMES.map((each) => [each, runCases(`./${each}_cases.ts`)]));
  return running.get(name)!;
}

for (const name of NAMES) {
  Deno.test({
    name: `RuncBackend passes its ${name} cases on the real runc${skippedFor(missing)}`,
    ignore: missing !== undefined,
    // The others go on while one is awaited.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => assert.equal(await run(name), undefined),
  });
}
