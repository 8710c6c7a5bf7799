/** Bootstrap over a real SSH server, on a host whose files are a layer that is gone afterwards. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  askNode,
  carryOut,
  DIRECTORIES,
  LOOK_SCRIPT,
  lookArguments,
  LOOKED_AT,
  offeredKeys,
  pinHostKey,
  planBootstrap,
  programsFor,
  readFacts,
  readLocalFile,
  SshHost,
  type Wish,
} from "../../../src/app/bootstrap/mod.ts";
import { textFile, versionOf } from "../../../src/app/bootstrap/program.ts";
import { systemClock as clock } from "../../../src/host/system.ts";
import { labProblem, SshLab } from "../../support/bootstrap/ssh_lab.ts";

const SECRET = "f0e1d2c3-very-private";

/** Stands in for the runtime: says what a node would say, and holds its control socket. */
const RUNTIME = `#!/bin/sh
case "$1" in
  --version) echo "deno 2.9.6 (stand-in)"; exit 0 ;;
esac
case "$*" in
  *"node.ts start"*)
    rm -f "$SEEDMINT_DATA/control.sock"
    exec ${Deno.execPath()} eval 'Deno.umask(0o077);
      Deno.listen({ transport: "unix", path: Deno.env.get("SEEDMINT_DATA") + "/control.sock" });
      await new Promise(() => setInterval(() => {}, 1000))' ;;
  *"node.ts status"*) echo '{"running":true,"npub":"npub1x","peerId":"12D3Koo"}' ;;
  *"node.ts provider status"*) echo '{"state":"lending","problems":[]}'; exit 1 ;;
  *"node.ts config"*) [ -f "$DENO_DIR/npm/packages.example.org/a/1.0.0/a.js" ] ;;
esac
`;

Deno.test("bootstrap over SSH", async (t) => {
  const problem = await labProblem();
  if (problem !== undefined) {
    await t.step({ name: `skipped: ${problem}`, ignore: true, fn: () => {} });
    return;
  }
  await using lab = await SshLab.start();
  const { folder, port } = lab;
  const signal = AbortSignal.timeout(60_000);
  const data = join(folder, "data");
  await Deno.mkdir(data, { mode: 0o700 });
  const destination = { host: "127.0.0.1", port, user: "root" };
  const ours = join(data, "known_hosts");
  const open = (more: Partial<Parameters<typeof SshHost.open>[0]> = {}) =>
    SshHost.open({ destination, identity: join(folder, "key"), knownHosts: [ours], ...more });
  const refused = async (more: Parameters<typeof open>[0], code: string, pattern: RegExp) => {
    await using host = await open(more);
    await assert.rejects(host.run("id", [], { signal, timeoutMs: 20_000 }), (error: Error) => {
      assert.equal((error as { code?: string }).code, code, error.message);
      assert.match(error.message, pattern);
      return true;
    });
  };

  await t.step("a host whose key is not known is told nothing", async () => {
    await refused({}, "not-found", /host key is not known/);
    assert.doesNotMatch(lab.log, /Accepted publickey/);
  });

  await t.step("a fingerprint that the host does not have is not believed", async () => {
    const wrong = `SHA256:${"A".repeat(43)}`;
    const options = { dataDirectory: data, signal };
    await assert.rejects(pinHostKey(destination, wrong, options), { code: "conflict" });
    await assert.rejects(Deno.stat(ours), Deno.errors.NotFound);
    const offered = (await offeredKeys(destination, { signal })).map((key) => key.fingerprint);
    assert.deepEqual(offered, [lab.fingerprint]);
    await pinHostKey(destination, lab.fingerprint, options);
    await pinHostKey(destination, lab.fingerprint, options);
    assert.equal((await Deno.readTextFile(ours)).trim().split("\n").length, 1);
  });

  await t.step("a host with another key than the known one is told nothing", async () => {
    const known = await Deno.readTextFile(ours);
    const other = join(folder, "other_known");
    const key = (await Deno.readTextFile(join(folder, "key.pub"))).split(" ")[1]!;
    await Deno.writeTextFile(other, known.replace(/\S+\s*$/, `${key}\n`));
    await refused({ knownHosts: [other] }, "conflict", /another host key/);
  });

  await t.step("a user without a key there, or without root, is told what to do", async () => {
    await refused({ identity: join(folder, "host_key") }, "denied", /ssh-copy-id/);
    const tester = { ...destination, user: "tester" };
    await refused({ destination: tester }, "denied", /sudo/);
    await refused({ destination: { ...destination, port: 1 } }, "unavailable", /firewall/);
  });

  await using host = await open();

  await t.step("words arrive as they are, and nothing in them is run", async () => {
    const words = [
      "a b",
      "it's",
      "$(touch /pwned)",
      "`touch /pwned`",
      "",
      "-n",
      "\n",
      "*",
      "\\",
      "ü",
    ];
    const hostile = [...words, "; touch /pwned #", "'; touch /pwned; '", '"$(touch /pwned)"', "!!"];
    const { stdout, code } = await host.run('printf "%s\\0" "$@"; exit 7', hostile, {
      signal,
      timeoutMs: 20_000,
    });
    assert.deepEqual(stdout.split("\0"), [...hostile, ""]);
    assert.equal(code, 7);
    assert.equal(await lab.sh("ls -d /pwned"), "");
  });

  await t.step(
    "what a host prints without end is cut, and a script without end is ended",
    async () => {
      const much = await host.run("head -c 3000000 /dev/zero | tr '\\0' x", [], {
        signal,
        timeoutMs: 20_000,
      });
      assert.equal(much.stdout.length, 256 * 1024);
      await assert.rejects(host.run("sleep 30", [], { signal, timeoutMs: 300 }), {
        code: "timeout",
      });
    },
  );

  const runtime = join(folder, "deno");
  await Deno.writeTextFile(runtime, RUNTIME);
  const wish: Wish = {
    backend: "runc",
    machine: Deno.build.arch,
    runtime: await readLocalFile(runtime),
    runtimeVersion: "2.9.6",
    program: versionOf([
      textFile("node.ts", "1"),
      textFile(`src/${"long/".repeat(30)}name with space.ts`, "2"),
      textFile("npm/packages.example.org/a/1.0.0/a.js", "3"),
    ]),
    settings: `mint = ["${SECRET}"]\n`,
    hashOf: (text) => createHash("sha256").update(text).digest("hex"),
    nowS: Math.floor(Date.now() / 1000),
  };
  const planned = async () => {
    const args = lookArguments({
      version: wish.program.id,
      programs: programsFor("runc"),
      files: LOOKED_AT,
      directories: DIRECTORIES,
    });
    const { stdout } = await host.run(LOOK_SCRIPT, args, { signal, timeoutMs: 20_000 });
    const facts = readFacts(stdout);
    // What this machine lacks for leases is not installed for a test.
    return planBootstrap({ ...facts, programs: new Set(programsFor("runc")) }, wish);
  };
  const done = async () => {
    const { steps, hindrances } = await planned();
    assert.deepEqual(hindrances, []);
    await carryOut(host, steps, { signal, clock, onStep: () => {} });
    return steps.map(({ title }) => title);
  };

  await t.step("a fresh host is set up, and its node answers", async () => {
    assert.equal((await done()).length, DIRECTORIES.length + 9);
    const node = await askNode(host, { signal, clock });
    assert.deepEqual(node, {
      npub: "npub1x",
      peerId: "12D3Koo",
      lending: { state: "lending", problems: [] },
    });
    const modes = await lab.sh(
      "cd /var/lib && stat -c '%a %n' seedmint seedmint/* seedmint-leases",
    );
    assert.equal(
      modes,
      [
        "700 seedmint",
        "700 seedmint/control.sock",
        "600 seedmint/seedmint.toml",
        "711 seedmint-leases",
        "",
      ].join("\n"),
    );
    assert.match(await lab.sh("/usr/local/bin/seedmint status --json"), /12D3Koo/);
  });

  await t.step("a second run finds nothing to do, and does not touch the service", async () => {
    const before = await lab.sh("grep -c restart /run/lab/systemctl.log; cat /run/lab/pid");
    assert.deepEqual(await done(), []);
    assert.equal(await lab.sh("grep -c restart /run/lab/systemctl.log; cat /run/lab/pid"), before);
  });

  await t.step(
    "what was changed there by hand is put right, and the service starts anew",
    async () => {
      await lab.sh("echo evil >> /opt/seedmint/current/node.ts; echo >> /usr/local/bin/seedmint");
      const titles = await done();
      assert.deepEqual(titles.map((title) => title.split(" ")[0]), [
        "bring",
        "replace",
        "enable",
        "restart",
      ]);
      assert.equal(await lab.sh("cat /opt/seedmint/current/node.ts"), "1");
      await askNode(host, { signal, clock });
      assert.deepEqual(await done(), []);
    },
  );

  await t.step("what comes incomplete replaces nothing", async () => {
    const { steps } = planBootstrap({ ...readFacts(FRESH_FACTS), hashes: new Map() }, wish);
    const write = steps.find(({ title }) => title.endsWith("seedmint.toml"))!;
    const cut = { ...write, input: { kind: "text" as const, text: "cut" } };
    await assert.rejects(
      carryOut(host, [cut], { signal, clock, onStep: () => {} }),
      /it came incomplete/,
    );
    assert.match(await lab.sh("cat /var/lib/seedmint/seedmint.toml"), new RegExp(SECRET));
  });

  await t.step(
    "a step that fails says which, and what was said there, without its colours",
    async () => {
      const step = {
        title: "try something",
        script: "printf '\\033[31mred\\033[0m \\007bell\\n' >&2; exit 4",
        args: [],
        timeoutMs: 10_000,
      };
      await assert.rejects(
        carryOut(host, [step], { signal, clock, onStep: () => {} }),
        /Cannot try something on root@127.0.0.1:\d+ \(code 4\):\nred \ufffdbell\n/,
      );
    },
  );

  await t.step("no settings were in a list of processes or in the server's log", () => {
    assert.ok(!lab.log.includes(SECRET));
    const { steps } = planBootstrap({ ...readFacts(FRESH_FACTS), hashes: new Map() }, wish);
    const words = steps.flatMap(({ script, args }) => [script, ...args]);
    assert.ok(words.every((word) => !word.includes(SECRET)));
  });
});

/** A host with nothing on it. */
const FRESH_FACTS = [
  "seedmint:system=Linux",
  `seedmint:machine=${Deno.build.arch}`,
  `seedmint:clock=${Math.floor(Date.now() / 1000)}`,
  "seedmint:systemd=yes",
  "seedmint:apt=yes",
  "seedmint:free=9999999",
  "seedmint:namespaces=100",
  ...programsFor("runc").map((name) => `seedmint:program=${name}`),
].join("\n");
