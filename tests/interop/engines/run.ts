/**
 * Leases on engines that are not ours: docker, podman, LXD and Incus as Debian has them, each with the
 * suite that all backends must pass and with what a hostile lessee tries. All of it runs in namespaces
 * of its own (network, mounts, processes); nothing of the host is changed, and nothing is left when
 * the suite ends. The last line is `N passed, N failed`.
 */
import { labMissing, runInLab } from "./lab.ts";
import { skipSuite } from "../skip_suite.ts";

/** The whole suite, in milliseconds: it takes two minutes on two processors. */
const SUITE_MS_MAX = 10 * 60_000;
const CASES = new URL("cases.ts", import.meta.url).pathname;
const ROOT = new URL("../../../", import.meta.url);

const missing = await labMissing();
if (missing !== undefined) skipSuite(missing);
// There is no way to a registry of packages from inside.
const cache = new Deno.Command(Deno.execPath(), {
  args: ["cache", "--quiet", CASES, "engine_cases.ts", "conformance_cases.ts"].map((word) =>
    word.endsWith("_cases.ts") ? new URL(word, import.meta.url).pathname : word
  ),
  cwd: ROOT,
});
if (!(await cache.output()).success) throw new Error("The suite's dependencies cannot be had");
const directory = await Deno.makeTempDir({ prefix: "seedmint-engines-" });
try {
  await Deno.chmod(directory, 0o711);
  const args = ["run", "-A", "--no-lock", "--cached-only", CASES, directory, ...Deno.args];
  Deno.exitCode = await runInLab(Deno.execPath(), args, SUITE_MS_MAX);
} finally {
  await Deno.remove(directory, { recursive: true });
}
