/**
 * Runs every interop suite against implementations that are not ours. Without `--all` what takes long is
 * left out: those that are built from source (Rust, Go, Kubernetes), and, of the leases over a network,
 * those on docker, podman, LXD and Incus and those whose wall clock is set. Each suite says what it
 * skipped and why; one that was skipped counts as neither passed nor failed. The last line is
 * `N passed, N failed`.
 */
import { SKIPPED_EXIT_CODE } from "./skip_suite.ts";

const ROOT = new URL("../../", import.meta.url);
/** One suite, in milliseconds; building cdk-mintd takes most of it. */
const SUITE_MS_MAX = 45 * 60_000;

async function suites(): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL("tests/interop/", ROOT))) {
    if (!entry.isDirectory) continue;
    const path = `tests/interop/${entry.name}/run.ts`;
    const exists = await Deno.stat(new URL(path, ROOT)).then(() => true, () => false);
    if (exists) found.push(path);
  }
  return found.sort();
}

let passed = 0;
const failed: string[] = [];
const skipped: string[] = [];
for (const suite of await suites()) {
  console.log(`\n== ${suite}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", suite, ...Deno.args],
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), SUITE_MS_MAX);
  const { success, code } = await child.status;
  clearTimeout(deadline);
  if (success) passed++;
  else if (code === SKIPPED_EXIT_CODE) skipped.push(suite);
  else failed.push(suite);
}
if (skipped.length > 0) console.log(`\nSkipped: ${skipped.join(", ")}`);
if (failed.length > 0) console.log(`\nFailed: ${failed.join(", ")}`);
console.log(`\n${passed} passed, ${failed.length} failed`);
Deno.exit(failed.length === 0 ? 0 : 1);
