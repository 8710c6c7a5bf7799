/**
 * Compute leases over a network: a provider's host, a lessee's host, a relay's and that of two mints,
 * each a network of its own on one switch, and every part a process of its own. All of it runs in
 * namespaces that are gone when the suite ends. With `--all` also what takes longer: a wall clock that is
 * set, and engines with a daemon. The last line is `N passed, N failed`.
 */
import { labMissing as runcMissing } from "../../provisioning/backends/runc/lab.ts";
import { runInLab } from "../registry/lab.ts";
import { skipSuite } from "../skip_suite.ts";

/** The whole suite, in milliseconds: it takes three minutes on two processors. */
const SUITE_MS_MAX = 20 * 60_000;
const ROOT = new URL("../../../", import.meta.url);
const CASES = new URL("cases.ts", import.meta.url).pathname;

const missing = await runcMissing() ?? await missingProgram();
if (missing !== undefined) skipSuite(missing);
// There is no way to a registry of packages from inside.
const cache = new Deno.Command(Deno.execPath(), {
  args: ["cache", "--quiet", CASES, "node.ts", "mod.ts"],
  cwd: ROOT,
});
if (!(await cache.output()).success) throw new Error("The suite's dependencies cannot be had");
const directory = await Deno.makeTempDir({ prefix: "seedmint-net-" });
try {
  await Deno.chmod(directory, 0o711);
  const args = ["run", "-A", "--no-lock", "--cached-only", CASES, directory, ...Deno.args];
  // The first process of the lab inherits those of leases that end, and must let go of them.
  const first = ["-c", '"$0" "$@"; exit $?', Deno.execPath(), ...args];
  Deno.exitCode = await runInLab("sh", first, SUITE_MS_MAX);
} finally {
  await Deno.remove(directory, { recursive: true });
}

async function missingProgram(): Promise<string | undefined> {
  for (const program of ["nsenter", "ssh-keyscan", "ssh-keygen"]) {
    const found = new Deno.Command("sh", {
      args: ["-c", 'command -v "$0"', program],
      stdout: "null",
    });
    if (!(await found.output()).success) {
      return `the program ${program} is missing: run tests/interop/install_runc.sh`;
    }
  }
  return undefined;
}
