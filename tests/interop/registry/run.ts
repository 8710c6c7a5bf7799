/**
 * The mirror and the push registry against container clients and registries that are not ours: skopeo,
 * podman, buildah, containerd, docker, LXD, Incus and docker-registry, as Debian has them, and the
 * conformance suite of the OCI project. All of it runs in namespaces of its own (network, mounts,
 * processes), where `docker.io` is a registry of ours and the clients' files in `/etc` are what `setup`
 * writes; nothing of the host is changed, and nothing is left when the suite ends. `--all` takes larger
 * images. The last line is `N passed, N failed`.
 */
import { skipSuite } from "../skip_suite.ts";
import { labMissing, runInLab } from "./lab.ts";

/** The whole suite, in milliseconds. */
const SUITE_MS_MAX = 20 * 60_000;
const ROOT = new URL("../../../", import.meta.url);
const CASES = new URL("cases.ts", import.meta.url).pathname;

const missing = await labMissing();
if (missing !== undefined) skipSuite(missing);
// There is no way to a registry of packages from inside.
const cache = new Deno.Command(Deno.execPath(), {
  args: ["cache", "--quiet", "node.ts", CASES],
  cwd: ROOT,
});
if (!(await cache.output()).success) throw new Error("The node's dependencies cannot be had");
const directory = await Deno.makeTempDir({ prefix: "seedmint-registry-" });
try {
  const args = ["run", "-A", "--no-lock", "--cached-only", CASES, directory, ...Deno.args];
  Deno.exitCode = await runInLab(Deno.execPath(), args, SUITE_MS_MAX);
} finally {
  // From outside, where nothing of it is mounted.
  await Deno.remove(directory, { recursive: true });
}
