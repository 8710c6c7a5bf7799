/**
 * Namespaces that engines run in: a network with nothing but loopback, mounts of their own and processes
 * that all end with the first one. Engines look for networks in `/sys/class/net` and for cgroups in
 * `/sys/fs/cgroup`, so `/sys` is mounted anew with the cgroups put back.
 */
import { join } from "node:path";

const UNSHARE = ["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];

/** Why no lab can be had here, or undefined if one can. */
export async function labMissing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "namespaces are a thing of Linux";
  if (Deno.uid() !== 0) return "root is needed to make namespaces";
  for (const program of ["unshare", "ip", "mount", "openssl", "docker-registry", "skopeo"]) {
    const found = await commandOutput("sh", ["-c", `command -v ${program}`]).catch(() => "");
    if (found === "") {
      return `the program ${program} is missing: run tests/interop/install_registry_clients.sh`;
    }
  }
  return await commandOutput("unshare", [...UNSHARE, "true"]).then(
    () => undefined,
    (error: Error) => `the kernel refused namespaces: ${error.message}`,
  );
}

/** Runs a program as the first process of a lab, and ends all of it after `msMax`. @returns Its code. */
export async function runInLab(
  program: string,
  args: readonly string[],
  msMax: number,
): Promise<number> {
  const child = new Deno.Command("unshare", {
    args: [...UNSHARE, program, ...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const deadline = setTimeout(() => {
    console.log(`FAILED  the suite did not end within ${msMax} ms`);
    child.kill("SIGKILL");
  }, msMax);
  const { code } = await child.status;
  clearTimeout(deadline);
  return code;
}

/**
 * Makes this lab a host of its own: loopback up, `/etc`, `/run` and `/var/lib` as they are but with no
 * change reaching the host's, below `directory`.
 */
export async function furnish(directory: string): Promise<void> {
  await commandOutput("ip", ["link", "set", "lo", "up"]);
  const cgroups = join(directory, "cgroup");
  await Deno.mkdir(cgroups);
  await mount("--make-rprivate", "/");
  await mount("--rbind", "/sys/fs/cgroup", cgroups);
  await mount("-t", "sysfs", "sysfs", "/sys");
  await mount("--rbind", cgroups, "/sys/fs/cgroup");
  await mount("-t", "tmpfs", "tmpfs", "/run");
  for (const lower of ["/etc", "/var/lib"]) {
    const [upper, work] = ["upper", "work"].map((kind) =>
      join(directory, `${lower.replaceAll("/", "-").slice(1)}-${kind}`)
    ) as [string, string];
    await Promise.all([Deno.mkdir(upper), Deno.mkdir(work)]);
    const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await mount("-t", "overlay", "-o", layers, "overlay", lower);
  }
  // Images are unpacked in overlays themselves, which cannot lie in one.
  const containers = join(directory, "containers");
  await Promise.all([
    Deno.mkdir(containers),
    Deno.mkdir("/var/lib/containers", { recursive: true }),
  ]);
  await mount("--bind", containers, "/var/lib/containers");
}

/** Lets this host believe that `names` are here, and that they prove it. @returns Key and certificate. */
export async function certify(
  directory: string,
  names: readonly string[],
): Promise<{ readonly key: string; readonly cert: string }> {
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  await commandOutput("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=registry of the lab"],
    ...["-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`],
  ]);
  const pair = { key: await Deno.readTextFile(key), cert: await Deno.readTextFile(cert) };
  await Deno.writeTextFile("/etc/ssl/certs/ca-certificates.crt", pair.cert, { append: true });
  await Deno.writeTextFile("/etc/hosts", `127.0.0.1 localhost ${names.join(" ")}\n`);
  return pair;
}

async function mount(...args: string[]): Promise<void> {
  await commandOutput("mount", args);
}

/** Most that a client's command may take, in milliseconds; then it is killed. */
const COMMAND_MS_MAX = 120_000;

/** Runs a program to its end. @returns What it printed. @throws {Error} With its last words. */
export async function commandOutput(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["--kill-after=5", `${COMMAND_MS_MAX / 1000}`, program, ...args],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const [out, err] = [stdout, stderr].map((it) => new TextDecoder().decode(it)) as [string, string];
  if (code === 0) return out.trim();
  const last = `${out}\n${err}`.trim().slice(-1500);
  throw new Error(`${program} ${args.join(" ")}: exit code ${code}: ${last}`);
}
