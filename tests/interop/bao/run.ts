/**
 * Compares our Bao trees with those of others: the official BLAKE3 vectors, the npm package
 * `@number0/iroh`, and with `--all` the Rust crate bao-tree. Exits with 1 on any mismatch.
 *
 *     deno run -A tests/interop/bao/run.ts [--all]
 */
import { compareIroh } from "./iroh.ts";
import { compareRust } from "./rust.ts";
import type { PartReport } from "./suite.ts";
import { compareVectors } from "./vectors.ts";

const reports: PartReport[] = [await compareVectors(), await compareIroh()];
if (Deno.args.includes("--all")) reports.push(await compareRust());
else {
  const skipped = "it is built from source: pass --all";
  reports.push({ name: "bao-tree 0.16.0", compared: 0, mismatches: [], skipped });
}

for (const { name, compared, mismatches, skipped } of reports) {
  if (skipped !== undefined) console.log(`${name}: skipped, ${skipped}`);
  else console.log(`${name}: ${compared} compared, ${mismatches.length} differ`);
  for (const mismatch of mismatches.slice(0, 20)) console.log(`  ${mismatch}`);
}
Deno.exit(reports.some((report) => report.mismatches.length > 0) ? 1 : 0);
