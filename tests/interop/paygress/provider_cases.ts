/** Our lessee at a provider that is paygress-cli, which lends containers of a real LXD. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DevMint } from "../../../devnet/mint/mod.ts";
import { type JsonLine, runVerb } from "../../../devnet/processes.ts";
import { LENDING_FLAGS } from "../../../src/app/permissions.ts";
import { until } from "../../e2e/lease/lab.ts";
import { OldClient } from "../../e2e/lease/old_client.ts";
import { fundWallet, ok } from "../../e2e/support.ts";
import { check, skip } from "../blossom/suite.ts";
import { type RunningEngine, startEngine } from "../engines/daemons.ts";
import { addRemappedUser, commandOutput } from "../engines/lab.ts";
import { Daemon } from "../registry/clients.ts";
import { bareToken, type Ground } from "./ground.ts";
import { bringImage, LXD_IMAGE } from "./lxd_image.ts";

/** Runs them. */
export async function providerCases(ground: Ground): Promise<void> {
  const { directory } = ground;
  await addRemappedUser("dockremap", 300_000);
  const home = join(directory, "lxd");
  await Deno.mkdir(home);
  const engine = await startEngine("lxd", home);
  if (typeof engine === "string") return skip("all cases of its provider", engine);
  const env = { LXD_DIR: home, HOME: join(directory, "lxc-home") };
  await Deno.mkdir(env.HOME);
  await commandOutput("lxc", ["storage", "create", "default", "dir"], env);
  await bringImage(directory, env);
  {
    await using mint = await oldMint(ground);
    await using provider = await startProvider(ground, env, mint.url);
    const data = await lesseeOf(ground, "rents-bob", 300, mint.url);
    await lesseeCases({ ...ground, data, env, provider, mint: mint.url });
  }
  await stopAll(env, engine);
}

interface Rented extends Ground {
  /** The lessee's data directory. */
  readonly data: string;
  /** What `lxc` finds the engine by. */
  readonly env: Record<string, string>;
  readonly provider: Daemon;
  /** The mint that it takes ecash of. */
  readonly mint: string;
}

async function lesseeCases(ground: Rented): Promise<void> {
  const { data, env, provider, mint } = ground;
  const verb = (...args: string[]) => runVerb(...args, "--data", data);
  const flags = ["--for", "90s", "--tier", "basic", "--yes"];

  let offer: JsonLine = {};
  await check("our market lists its offer, online by its heartbeats", async () => {
    await until(async () => {
      offer = (await verb("market", "list")).lines[0] ?? {};
      return offer.name === "Heron";
    });
    assert.equal(offer.location, "EU-South");
    assert.equal(offer.isolation, "shared-kernel");
    assert.deepEqual(offer.capabilities, ["lxc", "vm"]);
    const [tier] = offer.tiers as JsonLine[];
    assert.deepEqual([tier?.id, tier?.rateMsatPerS, tier?.memoryMb], ["basic", 1000, 128]);
  });
  const npub = () => String(offer.npub);

  let lease: JsonLine = {};
  await check("our market spawn rents a container from it", async () => {
    lease = await ok(
      ...["market", "spawn", LXD_IMAGE, "--provider", npub(), ...flags, "--data", data],
    );
    assert.equal(lease.state, "active", provider.said);
    assert.equal(lease.lease, "container-1000");
    assert.equal(lease.paidSat, 90);
    assert.match(await commandOutput("lxc", ["list", "--format", "csv"], env), /paygress-1000,RUN/);
  });
  const id = () => String(lease.id);

  await check("our ssh logs in with the password that it chose", async () => {
    const ran = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-q", "--no-prompt", ...LENDING_FLAGS, "node.ts", "ssh", id()],
        ...["--data", data, "-q", "--", "hostname"],
      ],
      stdin: "null",
    }).output();
    const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(textOf(ran.stdout), "paygress-1000\n", textOf(ran.stderr));
  });

  await check("our status reads its answer", async () => {
    const { lines: [seen] } = await verb("status", id());
    assert.equal(seen?.state, "active");
    assert.equal(seen?.providerState, "Running");
    const leftMs = Number(seen?.expiresMs) - Date.now();
    assert.ok(leftMs > 0 && leftMs <= 90_000, String(leftMs));
  });

  await check("our topup makes it longer", async () => {
    const { extendedS, paidSat } = await ok(
      ...["topup", id(), "--for", "30s", "--yes", "--data", data],
    );
    assert.equal(paidSat, 30);
    assert.ok(Number(extendedS) >= 27 && Number(extendedS) <= 30, String(extendedS));
  });

  await check("our verbs that it does not know are refused here, before it is asked", async () => {
    for (const words of [["stop", id(), "--yes"], ["logs", id()], ["exec", id(), "id"]]) {
      const { code, lines } = await verb(...words);
      assert.notEqual(code, 0);
      assert.match(JSON.stringify(lines.at(-1)), /does not know how/, words.join(" "));
    }
  });

  await check(
    "it answers requests that it does not know in kind, by NIP-17 and by NIP-04",
    async () => {
      await using client = new OldClient(ground.lab.relay);
      for (const kind of ["nip17", "nip04"] as const) {
        const verb = await client.ask(npub(), { type: "leases" }, { kind, withinMs: 20_000 });
        assert.equal(verb.type === "error" && verb.error, "invalid_request", kind);
        const request = { type: "status", lease: "container-1999" } as const;
        const status = await client.ask(npub(), request, { kind, withinMs: 20_000 });
        assert.equal(status.type === "error" && status.error, "not_found", kind);
      }
    },
  );

  await check("what it took and failed to give is told as a loss, in its words", async () => {
    const wrong = await verb(
      ...["market", "spawn", "lab/nothing", "--provider", npub(), ...flags],
    );
    assert.notEqual(wrong.code, 0);
    assert.match(
      JSON.stringify(wrong.lines),
      /Backend failed.*Image not found.*are lost to it/,
      provider.said,
    );
  });

  await check("it is told of a token that is spent, and nothing is rented", async () => {
    const token = await bareToken(mint, data, 70);
    const other = await lesseeOf(ground, "takes", 5, mint);
    await ok("wallet", "receive", token, "--data", other);
    const { code, lines } = await verb(
      ...["market", "spawn", LXD_IMAGE, "--provider", npub(), "--tier", "basic"],
      ...["--token", token, "--yes"],
    );
    assert.notEqual(code, 0);
    assert.match(JSON.stringify(lines.at(-1)), /spent/);
  });

  await check("what was paid is in our books, and the audit finds nothing", async () => {
    assert.equal((await verb("wallet", "audit")).code, 0);
  });
}

/**
 * A mint that its wallet knows: cdk 0.14.3 makes ids of keysets of version 2 from the keys alone, where
 * NUT-02 has the fee in them since, and takes no ecash of a mint that has one: "Keyset id incorrect".
 */
function oldMint({ lab }: Ground): Promise<DevMint> {
  const { lightning } = lab.net;
  return DevMint.start({ name: "old", lightning, inputFeePpk: 100, keysetIdVersion: 1 });
}

/** A lessee's data directory with money of that mint. */
async function lesseeOf({ lab }: Ground, name: string, sat: number, mint: string): Promise<string> {
  const data = lab.bench.path(name);
  await Deno.mkdir(data, { mode: 0o700 });
  const settings = `mint = ["${mint}"]\nrelay = ["${lab.relay}"]\nmdns = false\n`;
  await Deno.writeTextFile(join(data, "seedmint.toml"), settings);
  await fundWallet(lab.bench, lab.net, { data, sat, mint });
  return data;
}

/** Its provider, in the foreground. */
async function startProvider(
  { directory, program, lab }: Ground,
  env: Record<string, string>,
  mint: string,
): Promise<Daemon> {
  const config = join(directory, "paygress.json");
  const secret = crypto.getRandomValues(new Uint8Array(32)).toHex();
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      backend_type: "LXD",
      proxmox_url: "",
      proxmox_token_id: "",
      proxmox_token_secret: "",
      proxmox_node: "",
      proxmox_storage: "default",
      proxmox_template: "",
      proxmox_bridge: "",
      vmid_range_start: 1000,
      vmid_range_end: 1999,
      nostr_private_key: secret,
      nostr_relays: [lab.relay],
      provider_name: "Heron",
      provider_location: "EU-South",
      public_ip: "127.0.0.1",
      capabilities: ["lxc", "vm"],
      specs: [{
        id: "basic",
        name: "Basic",
        description: "1 vCPU, 128 MB",
        cpu_millicores: 1000,
        memory_mb: 128,
        rate_msats_per_sec: 1000,
      }],
      whitelisted_mints: [mint],
      heartbeat_interval_secs: 10,
      minimum_duration_seconds: 60,
      cashu_wallet_db_path: join(directory, "paygress.redb"),
    }),
  );
  return new Daemon(program, ["provider", "start", "--config", config], {
    ...env,
    NO_COLOR: "1",
    RUST_LOG: "info",
  });
}

async function stopAll(env: Record<string, string>, engine: RunningEngine): Promise<void> {
  const names = await commandOutput("lxc", ["list", "--format", "csv", "-c", "n"], env);
  for (const name of names.split("\n").filter((line) => line !== "")) {
    await commandOutput("lxc", ["delete", "--force", name], env);
  }
  await engine.stop();
}
