/** Container clients from Debian's packages, each as its users run it, with the files in `/etc`. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { commandOutput } from "./lab.ts";

/** What was pulled, as the client sees it. */
export interface Pulled {
  /** `sha256:` and 64 hex digits, of the manifest or index that the name led to. */
  readonly digest: string;
}

/** A client, with an empty store of images or one of its own. */
export interface Client {
  readonly name: string;
  readonly version: string;
  /** Whether a blob that is missing after the manifest is the end of a pull. */
  readonly isBoundToMirror: boolean;
  /** Pulls for this machine's platform, and throws away. @throws {Error} If the client fails. */
  pull(image: string): Promise<Pulled>;
  /** Pulls an index with the images of all platforms, where the client can. */
  pullAll?(image: string): Promise<Pulled>;
  /** Pulls `image` and pushes it to `to`, at a registry without TLS. */
  push?(image: string, to: string): Promise<void>;
}

/** The clients that are installed, and why the others are not there. */
export interface Clients extends AsyncDisposable {
  readonly all: readonly Client[];
  readonly missing: readonly (readonly [name: string, why: string])[];
}

/** Starts the daemons that some clients have. Their files must be written before. */
export async function startClients(directory: string): Promise<Clients> {
  const daemons: Daemon[] = [];
  const all: Client[] = [];
  const missing: [string, string][] = [];
  for (const [name, program, make] of MAKERS) {
    if (!await isInstalled(program)) {
      missing.push([name, `${program} is not installed`]);
      continue;
    }
    try {
      all.push(await make(directory, daemons));
    } catch (error) {
      missing.push([name, (error as Error).message]);
    }
  }
  return {
    all,
    missing,
    async [Symbol.asyncDispose]() {
      for (const daemon of daemons.reverse()) await daemon[Symbol.asyncDispose]();
    },
  };
}

type Maker = (directory: string, daemons: Daemon[]) => Promise<Client>;

const MAKERS: readonly (readonly [name: string, program: string, make: Maker])[] = [
  ["skopeo", "skopeo", skopeo],
  ["podman", "podman", (directory) => ofStorage("podman", directory)],
  ["buildah", "buildah", (directory) => ofStorage("buildah", directory)],
  ["containerd", "containerd", containerd],
  ["docker", "dockerd", docker],
];

/** Whether a program lies where programs do. */
export async function isInstalled(program: string): Promise<boolean> {
  return await commandOutput("sh", ["-c", `command -v ${program}`]).then(() => true, () => false);
}

async function versionOf(...command: [string, ...string[]]): Promise<string> {
  const [program, ...args] = command;
  return /\d+(\.\d+)+/.exec(await commandOutput(program, args))?.[0] ?? "?";
}

async function skopeo(directory: string): Promise<Client> {
  const copy = async (image: string, ...flags: string[]): Promise<Pulled> => {
    const target = await Deno.makeTempDir({ dir: directory, prefix: "skopeo-" });
    try {
      await commandOutput("skopeo", ["copy", "-q", ...flags, `docker://${image}`, `dir:${target}`]);
      await checkDirectory(target);
      return { digest: await digestOfFile(join(target, "manifest.json")) };
    } finally {
      await Deno.remove(target, { recursive: true });
    }
  };
  return {
    name: "skopeo",
    version: await versionOf("skopeo", "--version"),
    isBoundToMirror: true,
    pull: (image) => copy(image),
    pullAll: (image) => copy(image, "--all"),
    async push(image, to) {
      const flags = ["-q", "--all", "--dest-tls-verify=false"];
      await commandOutput("skopeo", ["copy", ...flags, `docker://${image}`, `docker://${to}`]);
    },
  };
}

/** Each blob in a directory of skopeo's is named by its digest: look whether it is so. */
async function checkDirectory(directory: string): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) {
    if (!/^[0-9a-f]{64}$/.test(name)) continue;
    const found = await digestOfFile(join(directory, name));
    if (found !== `sha256:${name}`) throw new Error(`Wrong bytes: ${found} under ${name}`);
  }
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of (await Deno.open(path)).readable) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}

/** podman and buildah keep images at one place and say the same of them. */
async function ofStorage(program: "podman" | "buildah", directory: string): Promise<Client> {
  const args = ["--root", join(directory, `${program}-graph`), "--runroot", `/run/lab-${program}`];
  const run = (...rest: string[]) => commandOutput(program, [...args, ...rest]);
  const forget = () => run("rmi", "--all", "--force");
  const inspect = program === "podman"
    ? ["image", "inspect", "--format", "{{.Digest}}"]
    : ["inspect", "--type", "image", "--format", "{{.FromImageDigest}}"];
  return {
    name: program,
    version: await versionOf(program, "--version"),
    isBoundToMirror: true,
    async pull(image) {
      const id = (await run("pull", "-q", image)).split("\n").at(-1)!;
      try {
        const digest = await run(...inspect, id);
        return { digest };
      } finally {
        await forget();
      }
    },
    async push(image, to) {
      await run("pull", "-q", image);
      try {
        await run("push", "-q", "--tls-verify=false", image, `docker://${to}`);
      } finally {
        await forget();
      }
    },
  };
}

async function containerd(directory: string, daemons: Daemon[]): Promise<Client> {
  const place = ["--root", join(directory, "containerd-root"), "--state", "/run/containerd"];
  daemons.push(new Daemon("containerd", ["--log-level", "warn", ...place]));
  await until(() => commandOutput("ctr", ["version"]));
  const run = (...args: string[]) => commandOutput("ctr", ["--namespace", "lab", ...args]);
  const files = ["--hosts-dir", "/etc/containerd/certs.d"];
  const pull = async (image: string, ...flags: string[]): Promise<Pulled> => {
    await run("images", "pull", ...files, ...flags, image);
    const line = (await run("images", "ls", `name==${image}`)).split("\n").at(-1) ?? "";
    return { digest: /sha256:[0-9a-f]{64}/.exec(line)?.[0] ?? line };
  };
  const forget = (...images: string[]) => run("images", "rm", "--sync", ...images);
  return {
    name: "containerd",
    version: await versionOf("containerd", "--version"),
    isBoundToMirror: false,
    async pull(image) {
      const pulled = await pull(image);
      await forget(image);
      return pulled;
    },
    async pullAll(image) {
      const pulled = await pull(image, "--all-platforms");
      await forget(image);
      return pulled;
    },
    async push(image, to) {
      await pull(image, "--all-platforms");
      await run("images", "tag", image, to);
      await run("images", "push", "--plain-http", to);
      await forget(image, to);
    },
  };
}

async function docker(directory: string, daemons: Daemon[]): Promise<Client> {
  const place = ["--data-root", join(directory, "docker-root"), "--exec-root", "/run/docker-exec"];
  const alone = ["--iptables=false", "--bridge=none", "--pidfile", "/run/docker.pid"];
  const sockets = ["--host", "unix:///run/docker.sock"];
  daemons.push(new Daemon("dockerd", ["--log-level", "warn", ...sockets, ...place, ...alone]));
  const run = (...args: string[]) => commandOutput("docker", args);
  await until(() => run("info"));
  const forget = (...images: string[]) => run("image", "rm", "--force", ...images);
  return {
    name: "docker",
    version: await versionOf("dockerd", "--version"),
    isBoundToMirror: false,
    async pull(image) {
      await run("pull", "-q", image);
      const format = "{{index .RepoDigests 0}}";
      const digest = (await run("image", "inspect", "--format", format, image)).split("@")[1]!;
      await forget(image);
      return { digest };
    },
    async push(image, to) {
      await run("pull", "-q", image);
      await run("tag", image, to);
      await run("push", "-q", to);
      await forget(image, to);
    },
  };
}

/** A program that stays, with its last words. */
export class Daemon implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #words: Promise<unknown>;
  /** Last words on stderr. */
  said = "";

  constructor(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#child = new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#words = this.#listen();
  }

  async #listen(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.said = (this.said + text).slice(-4_096);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const signal = (name: Deno.Signal) => {
      try {
        this.#child.kill(name);
      } catch {
        // It ended by itself.
      }
    };
    signal("SIGTERM");
    const insist = setTimeout(() => signal("SIGKILL"), 10_000);
    await this.#child.status;
    clearTimeout(insist);
    await this.#words;
  }
}

/** Waits until `look` succeeds, for half a minute. */
export async function until<T>(look: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
