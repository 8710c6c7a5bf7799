/**
 * Leases on a real Kubernetes node: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
 * kube-proxy, containerd and a registry, all in namespaces of their own (network, mounts, processes), with
 * nothing left when the suite ends. The suite of all backends runs on it, then what only a cluster has.
 * Kubernetes is built from Debian's source package once (some ten minutes), so it runs with `--all` only.
 *
 *     deno run -A tests/interop/kubernetes/run.ts --all
 *
 * `--filter=TEXT` takes some cases only; `KUBERNETES_FOLDER` may name a folder with a `bin` that was built
 * before. It takes about six minutes, most of them the five seconds that a namespace takes to go.
 */
import { labMissing, runInLab } from "../registry/lab.ts";
import { skipSuite } from "../skip_suite.ts";

const ROOT = new URL("../../../", import.meta.url);
const CASES = new URL("cases.ts", import.meta.url).pathname;
/** The whole suite, building not counted. */
const SUITE_MS_MAX = 20 * 60_000;

if (!Deno.args.includes("--all")) skipSuite("built from source, pass --all");
if (Deno.build.os !== "linux" || Deno.uid() !== 0) skipSuite("root on Linux is needed");
const folder = Deno.env.get("KUBERNETES_FOLDER") ??
  new URL("target/interop/kubernetes", ROOT).pathname;
const installing = new Deno.Command("sh", {
  args: [new URL("install.sh", import.meta.url).pathname, folder],
  stdin: "null",
});
if ((await installing.output()).code !== 0) skipSuite("Kubernetes cannot be built here, see above");
const missing = await labMissing();
if (missing !== undefined) skipSuite(missing);

const directory = await Deno.makeTempDir({ prefix: "seedmint-kubernetes-" });
await Deno.chmod(directory, 0o711);
const group = `seedmint-${directory.split("-").at(-1)}`;
try {
  // There is no way to a registry of packages from inside.
  const cache = new Deno.Command(Deno.execPath(), { args: ["cache", "--quiet", CASES], cwd: ROOT });
  if (!(await cache.output()).success) throw new Error("The suite's dependencies cannot be had");
  const only = Deno.args.filter((arg) => arg.startsWith("--filter="));
  const args = ["test", "-A", "--no-check", "--no-lock", "--cached-only", ...only, CASES];
  Deno.exitCode = await runInLab(
    Deno.execPath(),
    [...args, "--", directory, folder, group],
    SUITE_MS_MAX,
  );
} finally {
  await removeGroups();
  // From outside, where nothing of it is mounted.
  await Deno.remove(directory, { recursive: true });
}

/** Control groups outlive the namespaces, and for a moment the processes that were in them. */
async function removeGroups(): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const { stdout } = await new Deno.Command("find", {
      args: ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/${group}*`],
      stderr: "null",
    }).output();
    const paths = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
    if (paths.length === 0) return;
    for (const path of paths) await Deno.remove(path).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  console.log(`control groups of ${group} are left in /sys/fs/cgroup`);
}
