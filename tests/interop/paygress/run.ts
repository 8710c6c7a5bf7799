/**
 * Compute leases with the real paygress-cli: its client rents from our provider, which lends on runc, and
 * our lessee rents from its provider, which lends on LXD. All of it runs in namespaces of its own with
 * a relay and mints of a development network. It is built from source, so it runs with `--all` only.
 *
 *     deno run -A tests/interop/paygress/run.ts --all
 *
 * `SEEDMINT_PAYGRESS` may name a program that was built before; `--only=client` or `--only=provider`
 * takes one half. The last line is `N passed, N failed`.
 */
import { labMissing as runcMissing } from "../../provisioning/backends/runc/lab.ts";
import { labMissing, runInLab } from "../engines/lab.ts";
import { skipSuite } from "../skip_suite.ts";
import { installPaygress } from "./install.ts";

/** Building not counted, in milliseconds: it takes two minutes on two processors. */
const SUITE_MS_MAX = 10 * 60_000;
const ROOT = new URL("../../../", import.meta.url);
const CASES = new URL("cases.ts", import.meta.url).pathname;

if (!Deno.args.includes("--all")) skipSuite("built from source, pass --all");
const missing = await runcMissing() ?? await labMissing();
if (missing !== undefined) skipSuite(missing);
const installed = await installPaygress();
if ("skipped" in installed) skipSuite(installed.skipped);
// There is no way to a registry of packages from inside.
const cache = new Deno.Command(Deno.execPath(), {
  args: ["cache", "--quiet", CASES, "node.ts"],
  cwd: ROOT,
});
if (!(await cache.output()).success) throw new Error("The suite's dependencies cannot be had");
const directory = await Deno.makeTempDir({ prefix: "seedmint-paygress-" });
try {
  await Deno.chmod(directory, 0o711);
  const args = ["run", "-A", "--no-lock", "--cached-only", CASES, directory, installed.program];
  Deno.exitCode = await runInLab(Deno.execPath(), [...args, ...Deno.args], SUITE_MS_MAX);
} finally {
  await Deno.remove(directory, { recursive: true });
}
