/** A host with a real SSH server, in a layer over this machine's files that is gone with it. */
import { join } from "node:path";
import { TAR_END, tarHeader, tarPadding } from "../../../swarm/registry/images/tar_write.ts";

const HERE = new URL("./", import.meta.url);

/** Why no such host can be made here, to be said; undefined if one can. */
export async function labProblem(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "mount namespaces need root on Linux";
  for (
    const path of ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen", "/usr/bin/unshare"]
  ) {
    if (!await Deno.stat(path).then(() => true, () => false)) {
      return `${path} is missing: run tests/interop/install_sshd.sh`;
    }
  }
  const folder = await Deno.makeTempDir();
  const script = 'mount -t tmpfs t "$1" && cd "$1" && mkdir u w r && ' +
    "mount -t overlay o -o lowerdir=/,upperdir=u,workdir=w r";
  const { success } = await new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", script, "sh", folder],
    stdout: "null",
    stderr: "null",
  }).output();
  await Deno.remove(folder);
  return success ? undefined : "a layer over this machine's files cannot be mounted here";
}

/** A host that is up. */
export class SshLab implements AsyncDisposable {
  readonly port: number;
  /** Files of whoever connects: `key`, and an empty `known_hosts`. */
  readonly folder: string;
  /** `SHA256:…` of the host's key. */
  readonly fingerprint: string;
  readonly #child: Deno.ChildProcess;
  #log = "";
  readonly #logging: Promise<void>;

  private constructor(
    options: { port: number; folder: string; fingerprint: string; child: Deno.ChildProcess },
  ) {
    this.port = options.port;
    this.folder = options.folder;
    this.fingerprint = options.fingerprint;
    this.#child = options.child;
    this.#logging = this.#read();
  }

  /** What the server said. */
  get log(): string {
    return this.#log;
  }

  /** Starts one. @param options `files`: more files of the host, by path. */
  static async start(
    options: { readonly files?: Readonly<Record<string, string>> } = {},
  ): Promise<SshLab> {
    const folder = await Deno.makeTempDir({ prefix: "seedmint-sshd-" });
    await keyPair(join(folder, "key"));
    await keyPair(join(folder, "host_key"));
    const port = freePort();
    const mount = join(folder, "host");
    await Deno.mkdir(mount);
    const files: Record<string, string> = {
      "root/.ssh/authorized_keys": await Deno.readTextFile(join(folder, "key.pub")),
      "lab/host_key": await Deno.readTextFile(join(folder, "host_key")),
      "lab/sshd_config": [
        "HostKey /lab/host_key",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "UsePAM no",
        "StrictModes no",
        "LogLevel VERBOSE",
        "MaxStartups 100",
        "",
      ].join("\n"),
      "usr/local/sbin/systemctl": await Deno.readTextFile(new URL("systemctl.sh", HERE)),
      ...options.files,
    };
    const child = new Deno.Command("unshare", {
      args: ["--mount", "sh", new URL("make_host.sh", HERE).pathname, mount, String(port)],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await ReadableStream.from(archive(files)).pipeTo(child.stdin);
    const { stdout } = await new Deno.Command("ssh-keygen", {
      args: ["-lf", join(folder, "host_key.pub")],
    }).output();
    const fingerprint = new TextDecoder().decode(stdout).split(" ")[1]!;
    const lab = new SshLab({ port, folder, fingerprint, child });
    await lab.#awaitUp();
    return lab;
  }

  /** Where a file of the host is, seen from here. */
  path(path: string): string {
    return `/proc/${this.#child.pid}/root${path}`;
  }

  /** The text of a file of the host. */
  async read(path: string): Promise<string> {
    return await Deno.readTextFile(this.path(path));
  }

  /** Runs a script on the host without SSH, for looking. */
  async sh(script: string): Promise<string> {
    const { stdout } = await new Deno.Command("chroot", {
      args: [this.path("/"), "/bin/sh", "-c", script],
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What watches leases outlives the node by design.
    await this.sh("kill $(cat /run/lab/pid /var/lib/seedmint-leases/watchdog.pid)");
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#logging;
    await Deno.remove(this.folder, { recursive: true });
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) this.#log += decoder.decode(chunk);
  }

  async #awaitUp(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (this.#log.includes("Server listening")) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`The SSH server did not start:\n${this.#log}`);
  }
}

async function keyPair(path: string): Promise<void> {
  await new Deno.Command("ssh-keygen", {
    args: ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path],
  }).output();
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function* archive(files: Readonly<Record<string, string>>): Iterable<Uint8Array<ArrayBuffer>> {
  for (const [path, text] of Object.entries(files)) {
    const bytes = new TextEncoder().encode(text);
    yield tarHeader(path, bytes.length);
    yield bytes;
    yield tarPadding(bytes.length);
  }
  yield TAR_END;
}
