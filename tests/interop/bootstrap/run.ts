/**
 * `bootstrap` with OpenSSH's server: a host that has nothing becomes a provider that lends, with this
 * program and its Deno as they are, and without any way to a registry of packages. Files of the host are
 * a layer over this machine's that is gone afterwards; systemd is a script of ours there. The last line
 * is `N passed, N failed`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { labProblem, SshLab } from "../../support/bootstrap/ssh_lab.ts";
import { skipSuite } from "../skip_suite.ts";

const ROOT = new URL("../../../", import.meta.url);

const problem = await labProblem() ?? await runcProblem();
if (problem !== undefined) skipSuite(problem);

/** Play money, and a relay. */
class Devnet implements AsyncDisposable {
  readonly relay: string;
  readonly mint: string;
  readonly #child: Deno.ChildProcess;

  private constructor(
    child: Deno.ChildProcess,
    ready: { relay: string; mints: { url: string }[] },
  ) {
    this.#child = child;
    this.relay = ready.relay;
    this.mint = ready.mints[0]!.url;
  }

  static async start(folder: string): Promise<Devnet> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "node.ts",
        "devnet",
        "--json",
        "--data",
        join(folder, "devnet"),
        "--port",
        "7980",
      ],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("\n")) break;
    }
    return new Devnet(child, JSON.parse(text.split("\n")[0]!));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#child.status;
  }
}

let [passed, failed] = [0, 0];
async function check(name: string, fn: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  try {
    await fn();
    passed++;
    console.log(`ok   ${name} (${Math.round(performance.now() - startMs)} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : error}`);
  }
}

{
  await using lab = await SshLab.start();
  await using net = await Devnet.start(lab.folder);
  const target = `root@127.0.0.1:${lab.port}`;
  const common = ["--data", join(lab.folder, "data"), "--identity", join(lab.folder, "key")];
  const settings = [
    ...["--mint", net.mint, "--relay", net.relay, "--listen", "/ip4/127.0.0.1/tcp/0"],
    ...["--provider-tier", "small=100m/64MiB/64MiB/1000msat", "--provider-ports", "31600-31610"],
  ];
  const bootstrap = (...args: string[]) => run(["bootstrap", target, ...common, ...args]);
  const files = () =>
    lab.sh("find /opt/seedmint /var/lib/seedmint* /usr/local/bin /etc/systemd/system | sort");

  await check("it says which key an unknown host has, and stops", async () => {
    const { code, err } = await bootstrap(...settings);
    assert.equal(code, 1);
    assert.ok(err.includes(`run again with --host-key ${lab.fingerprint}`), err);
  });

  await check("--dry-run prints every command and file, and changes nothing", async () => {
    const before = await files();
    const { code, out } = await bootstrap(...settings, "--host-key", lab.fingerprint, "--dry-run");
    assert.equal(code, 0);
    assert.match(out, /^would bring Deno/m);
    assert.match(out, /^ {4}< ExecStart=\/opt\/seedmint\/bin\/deno run/m);
    assert.match(out, new RegExp(`^    < mint = \\["${net.mint}"\\]$`, "m"));
    assert.equal(await files(), before);
  });

  await check("a host that has nothing becomes a provider that lends", async () => {
    const { code, out, err } = await bootstrap(...settings);
    assert.equal(code, 0, out + err);
    assert.match(out, /^provider {2}npub1[0-9a-z]+$/m);
    assert.match(out, /^lending {3}lending$/m);
  });

  await check("the command there speaks with the node", async () => {
    const report = JSON.parse(await lab.sh("/usr/local/bin/seedmint provider status --json"));
    assert.equal(report.state, "lending");
    assert.equal(report.backend.ok, true);
    assert.equal(report.tiers[0].id, "small");
    assert.equal(report.publicHost, "127.0.0.1");
  });

  await check("it made a seed of its own, which nobody else may read", async () => {
    assert.match(await lab.sh("stat -c '%a %U' /var/lib/seedmint/seed"), /^600 root/);
  });

  await check("run again it changes nothing, with the same settings and without", async () => {
    const pid = await lab.sh("cat /run/lab/pid");
    for (const given of [settings, []]) {
      const { code, out } = await bootstrap(...given);
      assert.equal(code, 0);
      assert.match(out, /: nothing to change$/m);
    }
    assert.equal(await lab.sh("cat /run/lab/pid"), pid);
  });

  await check(
    "other settings replace the file, keep the old one, and start the node anew",
    async () => {
      const { code, out } = await bootstrap(...settings, "--provider-name", "Owl");
      assert.equal(code, 0, out);
      assert.match(out, /^replace \/var\/lib\/seedmint\/seedmint.toml$/m);
      assert.match(await lab.sh("cat /var/lib/seedmint/seedmint.toml"), /provider-name = "Owl"/);
      assert.doesNotMatch(await lab.sh("cat /var/lib/seedmint/seedmint.toml.before"), /Owl/);
    },
  );
}

console.log(`\n${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);

async function run(args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "node.ts", ...args],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** Packages are not installed for this: the host has what this machine has. */
async function runcProblem(): Promise<string | undefined> {
  for (const program of ["runc", "dropbear", "nft"]) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${program}`],
      stdout: "null",
    }).output();
    if (!success) return `${program} is missing: run tests/interop/install_runc.sh`;
  }
  return undefined;
}
