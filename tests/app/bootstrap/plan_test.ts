/** What bootstrap makes of a host's facts, without a host. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { knownHostName, parseDestination } from "../../../src/app/bootstrap/destination.ts";
import { type HostFacts, LOOK_SCRIPT, readFacts } from "../../../src/app/bootstrap/facts.ts";
import {
  fingerprintOf,
  parseFingerprint,
  readOffered,
} from "../../../src/app/bootstrap/host_key.ts";
import { hostSettings } from "../../../src/app/bootstrap/host_settings.ts";
import { importedPackages, trimManifest } from "../../../src/app/bootstrap/packages.ts";
import { DENO, DIRECTORIES, SETTINGS_FILE } from "../../../src/app/bootstrap/places.ts";
import { planBootstrap, programsFor, type Wish } from "../../../src/app/bootstrap/plan.ts";
import { textFile, versionOf } from "../../../src/app/bootstrap/program.ts";
import { quoteWords } from "../../../src/app/bootstrap/quote.ts";
import * as scripts from "../../../src/app/bootstrap/scripts.ts";
import { BOOTSTRAP_BACKENDS, commandText, unitText } from "../../../src/app/bootstrap/unit.ts";
import { readToml } from "../../../src/app/config/toml.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const WISH: Wish = {
  backend: "runc",
  machine: "x86_64",
  runtime: {
    path: "/usr/bin/deno",
    hash: sha256("deno"),
    bytes: 4,
    open: () => Promise.reject(new Error("not read")),
  },
  runtimeVersion: "2.9.6",
  program: versionOf([textFile("node.ts", "1")]),
  settings: 'mint = ["https://mint.example"]\n',
  hashOf: sha256,
  nowS: 1_800_000_000,
};

/** A host on which nothing was done. */
const FRESH: HostFacts = {
  system: "Linux",
  machine: "x86_64",
  distribution: ["debian"],
  hasSystemd: true,
  hasApt: true,
  programs: new Set(["tar", "gzip", "sha256sum", "find", "install", "systemctl"]),
  cpuCount: 2,
  memoryMb: 8192,
  freeMb: 10_000,
  clockS: WISH.nowS,
  userNamespacesMax: 1000,
  hashes: new Map(),
  hasPackages: false,
  directories: new Set(),
  isActive: false,
  isEnabled: false,
  hasSeed: false,
};

/** A host on which everything was done. */
const DONE: HostFacts = {
  ...FRESH,
  programs: new Set(programsFor("runc")),
  hashes: new Map([
    [DENO, WISH.runtime.hash],
    ["/usr/local/bin/seedmint", sha256(commandText())],
    ["/etc/systemd/system/seedmint.service", sha256(unitText("runc"))],
    [SETTINGS_FILE, sha256(WISH.settings!)],
  ]),
  hasPackages: true,
  versionHash: WISH.program.hash,
  currentVersion: WISH.program.id,
  directories: new Set(DIRECTORIES.map(({ path }) => path)),
  isActive: true,
  isEnabled: true,
  hasSeed: true,
};

Deno.test("parseDestination() takes hosts, and nothing that ssh could take for more", () => {
  assert.deepEqual(parseDestination("node7"), { host: "node7" });
  assert.deepEqual(parseDestination("root@node7.example.org:2222"), {
    host: "node7.example.org",
    user: "root",
    port: 2222,
  });
  assert.deepEqual(parseDestination("[2001:db8::7]:22"), { host: "2001:db8::7", port: 22 });
  assert.deepEqual(parseDestination("2001:db8::7"), { host: "2001:db8::7" });
  const refused = [
    "",
    "-oProxyCommand=id",
    "root@-oProxyCommand=id",
    "-l@host",
    "a b",
    "host;id",
    "$(id)",
    "host/path",
    "host:0",
    "host:65536",
    "host\nhost",
    "ro ot@host",
    "[::1",
  ];
  for (const text of refused) assert.throws(() => parseDestination(text), { code: "usage" }, text);
  assert.equal(knownHostName({ host: "a", port: 22 }), "a");
  assert.equal(knownHostName({ host: "a", port: 2222 }), "[a]:2222");
});

Deno.test("quoteWords() gives a shell exactly the words, whatever is in them", async () => {
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(
      "",
      "'",
      "$(id)",
      "`id`",
      "-n",
      "\n",
      "\\",
      "a'b\"c",
      "*",
      "~",
      "!!",
      "#",
      "${IFS}",
    ),
  ).filter((text) => !text.includes("\0"));
  const lists = fc.sample(fc.array(word, { maxLength: 8 }), { numRuns: 60, seed: 7 });
  // One shell for all of them: each list is a line of words between markers.
  const script = lists.map((words) => `printf '%s\\0' ${quoteWords([...words, "end"])}\n`).join("");
  const child = new Deno.Command("sh", {
    args: ["-s"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { stdout } = await child.output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(text, lists.map((words) => [...words, "end", ""].join("\0")).join(""));
  assert.throws(() => quoteWords(["a\0b"]), RangeError);
});

Deno.test("readOffered() reads keys of a host and leaves out what is none", () => {
  const blob = "AAAAC3NzaC1lZDI1NTE5AAAAIMy1xCBhXlSbVPH+tvu5LmVpBIPUfwJHQnY0jEpWfbUF";
  const text =
    `# a:2222 SSH-2.0-OpenSSH_9.2\n[a]:2222 ssh-ed25519 ${blob}\r\n[a]:2222 evil ${blob}\nx\n`;
  const [key, ...rest] = readOffered(text, { host: "a", port: 2222 });
  assert.deepEqual(rest, []);
  assert.equal(key!.line, `[a]:2222 ssh-ed25519 ${blob}`);
  assert.equal(key!.fingerprint, fingerprintOf(blob));
  assert.equal(parseFingerprint(key!.fingerprint), key!.fingerprint);
  for (
    const wrong of ["", "MD5:00", "SHA256:short", `${key!.fingerprint}=`, `x${key!.fingerprint}`]
  ) {
    assert.throws(() => parseFingerprint(wrong), { code: "usage" });
  }
});

Deno.test("readFacts() reads what the script says, and refuses what is something else", () => {
  const hash = sha256("x");
  const facts = readFacts([
    "Welcome!",
    "seedmint:system=Linux",
    "seedmint:machine=x86_64",
    "seedmint:clock=1800000000",
    "seedmint:free=2097152",
    "seedmint:program=runc",
    `seedmint:hash:/a=${hash}`,
    "seedmint:hash:/b=nonsense",
    "seedmint:current=\x1b[31mred",
    "seedmint:active=active",
  ].join("\n"));
  assert.equal(facts.freeMb, 2048);
  assert.deepEqual([...facts.hashes], [["/a", hash]]);
  assert.ok(facts.isActive && !facts.isEnabled);
  assert.equal(facts.currentVersion, "\ufffd[31mred");
  assert.throws(() => readFacts("Last login: today\n"), { code: "protocol" });
});

Deno.test("planBootstrap() finds nothing to do on a host on which everything was done", () => {
  assert.deepEqual(planBootstrap(DONE, WISH), { hindrances: [], steps: [] });
});

Deno.test("planBootstrap() does everything on a fresh host, in an order that works", () => {
  const titles = planBootstrap(FRESH, WISH).steps.map(({ title }) => title.split(" ")[0]);
  assert.deepEqual(titles, [
    "install",
    ...DIRECTORIES.map(() => "make"),
    "bring",
    "bring",
    "let",
    "let",
    "write",
    "write",
    "write",
    "enable",
    "start",
  ]);
});

Deno.test("planBootstrap() mends what differs and starts the service anew", () => {
  const titles = (facts: Partial<HostFacts>, wish: Partial<Wish> = {}) =>
    planBootstrap({ ...DONE, ...facts }, { ...WISH, ...wish }).steps.map(({ title }) => title);
  const tampered = titles({ versionHash: sha256("other") });
  assert.match(tampered[0]!, /^bring version/);
  assert.equal(tampered.at(-1), "restart seedmint.service");
  assert.deepEqual(titles({ isActive: false }), ["start seedmint.service"]);
  assert.match(titles({}, { settings: "x = 1\n" })[0]!, /^replace .*seedmint.toml$/);
  const { settings: _, ...rest } = WISH;
  assert.deepEqual(planBootstrap(DONE, rest).steps, [], "settings that are there stay");
  assert.ok(titles({}, { backend: "podman" }).includes("start podman.socket"));
});

Deno.test("planBootstrap() changes nothing where something is missing, and says what to do", () => {
  const { settings: _, ...noSettings } = WISH;
  const cases: readonly (readonly [Partial<HostFacts>, Wish, RegExp, RegExp])[] = [
    [{ system: "Darwin" }, WISH, /it runs Darwin/, /Linux/],
    [{ machine: "aarch64" }, WISH, /processor is aarch64/, /--deno/],
    [{ hasSystemd: false }, WISH, /systemd/, /systemd/],
    [{ hasApt: false }, WISH, /it lacks runc, dropbear/, /install/],
    [{ freeMb: 100 }, WISH, /100 MiB/, /free 1024 MiB/],
    [{ clockS: WISH.nowS + 300 }, WISH, /300 s ahead/, /timedatectl/],
    [{ clockS: WISH.nowS - 61 }, WISH, /61 s behind/, /timedatectl/],
    [{ userNamespacesMax: 0 }, WISH, /user namespaces/, /sysctl/],
    [{ programs: new Set() }, WISH, /lacks tar, gzip/, /install/],
    [{}, noSettings, /no settings/, /--mint/],
  ];
  for (const [facts, wish, text, next] of cases) {
    const plan = planBootstrap({ ...FRESH, ...facts }, wish);
    assert.deepEqual(plan.steps, []);
    assert.match(plan.hindrances[0]!.text, text);
    assert.match(plan.hindrances[0]!.next, next);
  }
});

Deno.test("no step of bootstrap has the settings on a command line", () => {
  const { steps } = planBootstrap(FRESH, { ...WISH, settings: 'x = "very private"\n' });
  for (const { script, args } of steps) {
    assert.ok(![script, ...args].some((word) => word.includes("very private")));
  }
});

Deno.test("every script of bootstrap is one that sh can read", async () => {
  for (const script of [LOOK_SCRIPT, ...Object.values(scripts)]) {
    const { success, stderr } = await new Deno.Command("sh", { args: ["-n", "-c", script] })
      .output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
});

Deno.test("the service has no mount namespace of its own, and leases outlive it", () => {
  for (const backend of BOOTSTRAP_BACKENDS) {
    const unit = unitText(backend);
    assert.match(unit, /^KillMode=process$/m);
    assert.match(unit, /^NoNewPrivileges=true$/m);
    assert.match(unit, /^CapabilityBoundingSet=~.*CAP_SYS_MODULE/m);
    assert.doesNotMatch(unit, /^(Protect|Private|Read|Inaccessible|Temporary|Mount|Bind|Root)/m);
  }
  assert.match(unitText("podman"), /^After=network-online.target podman.socket$/m);
});

Deno.test("systemd takes the service for one, where its checker is installed", async (t) => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/seedmint.service`;
  const text = unitText("docker").replaceAll(/\/opt\/seedmint\/bin\/deno/g, "/bin/true");
  await Deno.writeTextFile(path, text.replace(/^(After|Wants)=.*docker.*$/gm, ""));
  let output: Deno.CommandOutput | undefined;
  try {
    output = await new Deno.Command("systemd-analyze", { args: ["verify", path] }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.remove(folder, { recursive: true });
  const isThere = output !== undefined;
  await t.step({
    name: isThere ? "checked" : "skipped: no systemd-analyze",
    ignore: !isThere,
    fn: () => {
      const said = new TextDecoder().decode(output!.stderr);
      assert.doesNotMatch(said, /seedmint\.service.*(Unknown|Failed to parse|Invalid|ignoring)/);
    },
  });
});

Deno.test("hostSettings() adds what a provider needs, and asks for what nobody can choose", () => {
  const options = {
    known: new Set<string>(),
    publicHost: "node7.example.org",
    machine: { cpuCount: 2, memoryMb: 8192 },
  };
  const given = { mint: ["https://mint.example"], relay: ["wss://relay.example"] };
  const table = readToml(hostSettings(undefined, given, options), "made");
  assert.equal(table.get("provider")!.value, true);
  assert.equal(table.get("provider-public-host")!.value, "node7.example.org");
  assert.equal((table.get("provider-tier")!.value as unknown[]).length, 2, "those that fit");
  assert.throws(() => hostSettings(undefined, { relay: given.relay }, options), /--mint/);
  assert.throws(() => hostSettings(undefined, { mint: given.mint }, options), /--relay/);
  const base = 'mint = ["https://a.example"]\nrelay = ["wss://r.example"]\nprovider = false\n';
  const known = new Set(["mint", "relay", "provider"]);
  const kept = readToml(hostSettings(base, {}, { ...options, known }), "made");
  assert.equal(kept.get("provider")!.value, false);
});

Deno.test("trimManifest() keeps what the program imports, and what that needs, alone", () => {
  const config = JSON.stringify({
    name: "n",
    tasks: { x: "y" },
    imports: { a: "npm:a@1.0.0", "@s/b": "npm:@s/b@2.0.0", dev: "npm:dev@3.0.0" },
  });
  const lock = JSON.stringify({
    version: "5",
    specifiers: {
      "npm:a@1.0.0": "1.0.0",
      "npm:@s/b@2.0.0": "2.0.0_c@1.0.0",
      "npm:dev@3.0.0": "3.0.0",
    },
    npm: {
      "a@1.0.0": { dependencies: ["c@1.0.0"] },
      "@s/b@2.0.0_c@1.0.0": { dependencies: ["c@1.0.0", "d"] },
      "c@1.0.0": {},
      "c@2.0.0": {},
      "d@4.0.0": { optionalDependencies: ["a"] },
      "dev@3.0.0": {},
    },
    workspace: { dependencies: ["npm:a@1.0.0", "npm:@s/b@2.0.0", "npm:dev@3.0.0"] },
  });
  const trimmed = trimManifest(config, lock, new Set(["@s/b"]));
  assert.deepEqual(JSON.parse(trimmed.config).imports, { "@s/b": "npm:@s/b@2.0.0" });
  assert.deepEqual(
    trimmed.packages.map(({ name, version }) => `${name}@${version}`).sort(),
    ["@s/b@2.0.0", "a@1.0.0", "c@1.0.0", "d@4.0.0"],
  );
  assert.deepEqual(JSON.parse(trimmed.lock).workspace.dependencies, ["npm:@s/b@2.0.0"]);
  assert.throws(() => trimManifest(config, '{"version":"6"}', new Set()), { code: "unavailable" });
  assert.deepEqual(
    importedPackages('import x from "@s/b/deep";\nexport * from "a";\nimport("c"); from "node:fs"'),
    ["@s/b", "a", "c"],
  );
});
