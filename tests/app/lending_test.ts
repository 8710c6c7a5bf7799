/** `provider setup` and `system reset`, as people run them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../src/app/cli/main.ts";
import { parseTable } from "../../src/app/config/toml.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import { newSeedWords } from "../../src/core/keys.ts";
import { LeaseJournal } from "../../provisioning/leases/mod.ts";
import { ProcessLock } from "../../src/sqlite/mod.ts";
import type { WalletApi } from "../../wallet/wallet_api.ts";
import { sharedPorts } from "../../src/app/lending/local_ports.ts";
import { FakePve, TOKEN } from "../provisioning/backends/proxmox/fake_pve.ts";
import { walletDouble } from "./wallet_double.ts";

/** A machine of its own, with what a node keeps on it. */
class Machine implements AsyncDisposable {
  readonly folder: string;
  readonly data: string;
  readonly state: string;
  /** What the wallet holds. */
  totalSat = 0;
  /** What somebody types; without it nobody is there. */
  typed: string | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.data = join(folder, "data");
    this.state = join(folder, "state");
  }

  static async open(): Promise<Machine> {
    const machine = new Machine(await Deno.makeTempDir({ prefix: "seedmint-machine-" }));
    await Deno.chmod(machine.folder, 0o755);
    return machine;
  }

  async run(...args: string[]) {
    let [out, err] = ["", ""];
    const line = () => Promise.resolve(this.typed ?? "");
    const { wallet } = walletDouble({
      balance: () =>
        Promise.resolve(
          { totalSat: this.totalSat, mints: [] } as Awaited<ReturnType<WalletApi["balance"]>>,
        ),
    });
    const code = await main([...args, "--data", this.data, "--provider-state", this.state], {
      writeOut: (bytes) => out += new TextDecoder().decode(bytes),
      writeErr: (bytes) => err += new TextDecoder().decode(bytes),
      isErrTerminal: false,
      columns: 80,
      isColored: false,
    }, {
      input: { isTerminal: this.typed !== undefined, isTyped: false, line, text: line },
      openWallet: () =>
        Promise.resolve({ mode: "alone", wallet, [Symbol.asyncDispose]: () => Promise.resolve() }),
    });
    return { code, out, err };
  }

  async settings(): Promise<Readonly<Record<string, unknown>>> {
    return parseTable(await Deno.readTextFile(join(this.data, "seedmint.toml")), "");
  }

  /** What a node would have left behind. */
  async fill(): Promise<void> {
    for (const folder of ["store/blobs", "wallet", "provider"]) {
      await Deno.mkdir(join(this.data, folder), { recursive: true, mode: 0o700 });
    }
    await Deno.chmod(this.data, 0o700);
    for (const file of ["seed", "store/blobs/x", "adverts.sqlite-wal", "notes.txt"]) {
      await Deno.writeTextFile(join(this.data, file), "text");
    }
    for (const folder of ["images", "leases"]) {
      await Deno.mkdir(join(this.state, folder), { recursive: true });
    }
  }

  async names(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.data)) names.push(name);
    return names.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;

Deno.test("provider setup writes what is lent, and says what is missing", async () => {
  await using machine = await Machine.open();
  const { code, out } = await machine.run("provider", "setup");
  assert.equal(code, 1);
  assert.match(out, /BAD {2}mints +none\n +-> name one with --mint URL/);
  assert.match(out, /BAD {2}relays +none/);
  assert.match(out, /BAD {2}address +not known/);
  const tiers = (await machine.settings())["provider-tier"] as { id: string }[];
  assert.equal(tiers[0]!.id, "basic");
});

Deno.test("ports that the kernel gives to connections are found, unless they are reserved", () => {
  const local = "32768\t60999\n";
  const range = { first: 32_000, last: 33_000 };
  assert.equal(sharedPorts({ first: 30_000, last: 32_767 }, { local, reserved: "" }), undefined);
  assert.deepEqual(sharedPorts(range, { local, reserved: "\n" }), { first: 32_768, last: 33_000 });
  const some = { local, reserved: "32768,32900-33500\n" };
  assert.deepEqual(sharedPorts(range, some), { first: 32_769, last: 32_899 });
  assert.equal(sharedPorts(range, { local, reserved: "32768-33000\n" }), undefined);
  assert.equal(sharedPorts(range, { local: "", reserved: "" }), undefined);
});

Deno.test("provider setup keeps what the file says, and what it was before", async () => {
  await using machine = await Machine.open();
  await Deno.mkdir(machine.data, { mode: 0o700 });
  const path = join(machine.data, "seedmint.toml");
  await Deno.writeTextFile(path, "# mine\npay = false\n");
  const tier = ["--provider-tier", "small=500m/512MiB/1GiB/20msat"];
  await machine.run("provider", "setup", ...tier, "--provider-public-host", "a.example");
  assert.match(await Deno.readTextFile(path), /^# mine\npay = false\n/);
  assert.equal(await Deno.readTextFile(`${path}.before`), "# mine\npay = false\n");
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  const text = await Deno.readTextFile(path);
  const again = await machine.run("provider", "setup", ...tier);
  assert.match(again.out, /says it already/);
  assert.equal(await Deno.readTextFile(path), text);
});

Deno.test("provider setup --dry-run prints the file and writes nothing", async () => {
  await using machine = await Machine.open();
  const { code, out } = await machine.run(
    "provider",
    "setup",
    "--dry-run",
    "--mint",
    "https://m.example",
  );
  assert.equal(code, 0);
  assert.deepEqual(parseTable(out, "")["mint"], ["https://m.example"]);
  await assert.rejects(Deno.stat(machine.data), Deno.errors.NotFound);
});

Deno.test("provider setup refuses what could not be lent, and writes nothing", async () => {
  await using machine = await Machine.open();
  const tier = "a=1000m/1GiB/1GiB/1msat";
  const twice = await machine.run(
    "provider",
    "setup",
    "--provider-tier",
    tier,
    "--provider-tier",
    tier,
  );
  assert.equal(twice.code, 2);
  assert.match(twice.err, /two tiers have one id/);
  await assert.rejects(Deno.stat(machine.data), Deno.errors.NotFound);
});

Deno.test("provider setup takes over the files of a Paygress provider, and no secret", async () => {
  await using machine = await Machine.open();
  const secret = "ab".repeat(32);
  const env = join(machine.folder, ".env");
  const spec = '{"id":"basic","cpu_millicores":1000,"memory_mb":1024,"rate_msats_per_sec":100}';
  await Deno.writeTextFile(join(machine.folder, "pod-specs.json"), `[${spec}]`);
  await Deno.writeTextFile(
    env,
    [
      `NOSTR_PRIVATE_KEY=${secret}`,
      "NOSTR_RELAYS=ws://127.0.0.1:2",
      "WHITELISTED_MINTS=http://127.0.0.1:2/",
      "POD_SPECS_FILE=pod-specs.json",
      "SSH_HOST=203.0.113.9",
      "SSH_PORT_RANGE_START=2000",
      "SSH_PORT_RANGE_END=3000",
      "MINIMUM_POD_DURATION_SECONDS=90",
      "BASE_IMAGE=linuxserver/openssh-server:latest",
    ].join("\n"),
  );
  const { out, err } = await machine.run("provider", "setup", "--import", env);
  const settings = await machine.settings();
  const tiers = settings["provider-tier"] as Record<string, unknown>[];
  assert.equal(tiers[0]!.id, "basic");
  assert.equal(tiers[0]!.rate_msats_per_sec, 100);
  assert.equal(settings["provider-ports"], "2000-3000");
  assert.equal(settings["provider-duration-min"], "90s");
  assert.equal(settings["provider-public-host"], "203.0.113.9");
  assert.deepEqual(settings.mint, ["http://127.0.0.1:2"]);
  assert.match(err, /Nostr secret was not taken over/);
  const everything = out + err + await Deno.readTextFile(join(machine.data, "seedmint.toml"));
  assert.ok(!everything.includes(secret));
  const config = join(machine.folder, "provider-config.json");
  await Deno.writeTextFile(
    config,
    '{"provider_name":"Owl","ssh_port_start":31000,"ssh_port_end":31010}',
  );
  await machine.run("provider", "setup", "--import", config);
  assert.equal((await machine.settings())["provider-name"], "Owl");
  assert.equal((await machine.settings())["provider-ports"], "31000-31010");
});

Deno.test("system reset removes what is a node's, and nothing else", async () => {
  await using machine = await Machine.open();
  await machine.fill();
  const nobody = await machine.run("system", "reset");
  assert.equal(nobody.code, 2);
  assert.match(nobody.err, /say --yes/);
  machine.typed = "n";
  assert.equal((await machine.run("system", "reset")).code, 1);
  assert.equal((await machine.run("system", "reset", "--dry-run")).code, 0);
  assert.ok((await machine.names()).includes("seed"));
  machine.typed = "y";
  const { code, err } = await machine.run("system", "reset");
  assert.equal(code, 0, err);
  assert.deepEqual(await machine.names(), ["notes.txt"]);
  await assert.rejects(Deno.stat(machine.state), Deno.errors.NotFound);
  assert.match((await machine.run("system", "reset", "--yes")).out, /nothing to remove/);
});

Deno.test("system reset removes nothing of a directory that is no node's, whatever stands in it", async () => {
  await using machine = await Machine.open();
  // A home, say, that --data named by mistake.
  for (const folder of ["wallet", "store", "uploads", "ssh", "provider"]) {
    await Deno.mkdir(join(machine.data, folder), { recursive: true });
    await Deno.writeTextFile(join(machine.data, folder, "mine.txt"), "text");
  }
  await Deno.writeTextFile(join(machine.data, "prices.json"), "{}");
  const { code, err } = await machine.run("system", "reset", "--yes");
  assert.equal(code, 1);
  assert.match(err, /is no node's data/);
  assert.equal((await machine.names()).length, 6);
});

Deno.test("system reset follows no link out of what is a node's", async () => {
  await using machine = await Machine.open();
  await machine.fill();
  const other = join(machine.folder, "other");
  await Deno.mkdir(other);
  await Deno.writeTextFile(join(other, "mine.txt"), "text");
  await Deno.symlink(other, join(machine.data, "uploads"));
  await Deno.symlink(other, join(machine.data, "store", "blobs", "link"));
  await Deno.symlink(other, join(machine.state, "leases", "link"));
  assert.equal((await machine.run("system", "reset", "--yes")).code, 0);
  assert.equal(await Deno.readTextFile(join(other, "mine.txt")), "text");
});

Deno.test("system reset --keep-seed leaves the node who it is", async () => {
  await using machine = await Machine.open();
  await machine.fill();
  assert.equal((await machine.run("system", "reset", "--yes", "--keep-seed")).code, 0);
  assert.deepEqual(await machine.names(), ["notes.txt", "seed"]);
});

Deno.test("system reset keeps money unless it is told to lose it", async () => {
  await using machine = await Machine.open();
  await machine.fill();
  machine.totalSat = 21;
  const { code, err } = await machine.run("system", "reset", "--yes");
  assert.equal(code, 1);
  assert.match(err, /the wallet holds 21 sat; take it out/);
  assert.ok((await machine.names()).includes("wallet"));
  assert.equal((await machine.run("system", "reset", "--yes", "--lose-money")).code, 0);
});

Deno.test("system reset keeps leases that are lent, or that run, unless it is told to end them", async () => {
  await using machine = await Machine.open();
  await machine.fill();
  {
    using journal = LeaseJournal.open({ path: join(machine.data, "provider", "leases.sqlite") });
    journal.leases.reserve({
      owner: "ab".repeat(32),
      terms: {
        spec: {
          id: "basic",
          name: "Basic",
          description: "",
          cpuMillicores: 1000,
          memoryMb: 64,
          diskMb: 64,
          rateMsatPerS: 1,
        },
        image: "ubuntu",
        env: {},
        authorizedKeys: [],
        sshUser: "root",
        hostKey: "key",
        hostKeyFingerprint: "SHA256:f",
        tokenId: "aa".repeat(32) as Sha256,
        isTokenSafe: true,
        wantsNotices: false,
      },
      wantedPorts: [],
    }, {
      total: { cpuMillicores: 4000, memoryMb: 8192, diskMb: 8192 },
      range: { first: 30_000, last: 30_009 },
      nowMs: 1000,
    });
  }
  const { code, err } = await machine.run("system", "reset", "--yes");
  assert.equal(code, 1);
  assert.match(err, /1 leases are lent, 0 rented, 0 run here; end them \(provider stop --evict/);
  assert.equal((await machine.run("system", "reset", "--yes", "--end-leases")).code, 0);
});

Deno.test({
  name: "system reset counts what an engine has of a lease, also when nobody can tell whose it is" +
    (isRoot ? "" : " (skipped: root on Linux is needed)"),
  ignore: !isRoot,
  async fn() {
    await using machine = await Machine.open();
    await machine.fill();
    const lease = join(machine.state, "leases", "container-1000");
    await Deno.mkdir(lease);
    await Deno.writeTextFile(join(lease, "lease.json"), "damaged");
    const { code, err } = await machine.run("system", "reset", "--yes");
    assert.equal(code, 1);
    assert.match(err, /0 leases are lent, 0 rented, 1 run here/);
  },
});

Deno.test("system reset ends what is left of leases on a Proxmox, whose books are lost here", async () => {
  await using machine = await Machine.open();
  await using pve = new FakePve();
  await Deno.mkdir(machine.data, { mode: 0o700 });
  await Deno.writeTextFile(join(machine.data, "seed"), newSeedWords());
  // What lending on Proxmox leaves there: no folder of leases.
  await Deno.mkdir(machine.state);
  await Deno.writeTextFile(join(machine.state, "provider.lock"), "");
  await Deno.writeTextFile(join(machine.state, "provider.id"), "0a1b2c3d\n");
  const token = join(machine.folder, "token");
  await Deno.writeTextFile(token, TOKEN);
  const record = { version: 1, owner: "ab".repeat(32), expiresMs: 1, phase: "made", ports: [] };
  for (const [vmid, tags] of [[100, "seedmint-0a1b2c3d"], [101, "seedmint-default"]] as const) {
    const lease = { ...record, leaseId: "container-1000", hostPort: 30_000, image: "ab" };
    const description = `seedmint ${JSON.stringify(lease)}`;
    const config = { hostname: "container-1000", tags, description };
    pve.containers.set(vmid, { config, status: "running", rules: [], firewall: {} });
  }
  const reset = ["system", "reset", "--yes", "--provider-backend", "proxmox"];
  reset.push("--provider-engine-url", `${pve.url}/node/pve/storage/disks`);
  reset.push("--provider-engine-auth", token);
  const { code, err } = await machine.run(...reset);
  assert.equal(code, 1);
  assert.match(err, /0 leases are lent, 0 rented, 1 run here/);
  pve.fault = () => 500;
  assert.equal((await machine.run(...reset, "--end-leases")).code, 1);
  assert.ok((await machine.names()).includes("seed"), "nothing goes as long as it cannot be told");
  pve.fault = () => undefined;
  const done = await machine.run(...reset, "--end-leases");
  assert.equal(done.code, 0, done.err);
  assert.deepEqual([...pve.containers.keys()], [101], "those of another provider stay");
  await assert.rejects(Deno.stat(machine.state), Deno.errors.NotFound);
});

Deno.test("system reset leaves data alone that a process works on", async () => {
  await using machine = await Machine.open();
  await machine.fill();
  using _held = ProcessLock.take(join(machine.data, "store", "lock"), "the store");
  const { code, err } = await machine.run("system", "reset", "--yes");
  assert.equal(code, 1);
  assert.match(err, /is using it/);
  assert.ok((await machine.names()).includes("seed"));
});
