/** Who is there: two mints and a shelf of images, a relay, a provider on an engine, and two lessees. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ChildProcess, type JsonLine, runVerb } from "../../../devnet/processes.ts";
import type { SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { LENDING_FLAGS } from "../../../src/app/permissions.ts";
import { lastLine, RATE_MSAT, until, writeLayout } from "../../e2e/lease/lab.ts";
import { OldClient } from "../../e2e/lease/old_client.ts";
import { LabPurse } from "../../e2e/lease/purse.ts";
import { Bench, type Devnet, fundWallet, ok } from "../../e2e/support.ts";
import { hashToCurveHex } from "../../../wallet/cashu.ts";
import { decodeToken } from "../../../wallet/token.ts";
import { ADDRESSES, enter, type Host, MINT_PORTS } from "./net.ts";

/** A provider that runs. */
export interface WorldProvider {
  readonly data: string;
  readonly npub: string;
  readonly paymentKey: string;
  readonly process: ChildProcess;
}

/** How a provider is started. */
export interface ProviderOptions {
  readonly flags?: readonly string[];
  /** Its directory, so that there may be several. @default {"provider"} */
  readonly name?: string;
  /** What it is started by, on its host. */
  readonly by?: readonly string[];
}

const START_MS_MAX = 90_000;
const TIER = `basic=100m/256MiB/64MiB/${RATE_MSAT}msat`;
/** What the lessees have at the beginning, each. */
const FUNDED_SAT = 15_000;

/** See the head of this file. */
export class LeaseWorld implements AsyncDisposable {
  readonly bench: Bench;
  readonly relay = `ws://${ADDRESSES.relay}:7777`;
  readonly #processes = new Set<ChildProcess>();
  readonly #watchdogs = new Set<string>();
  readonly #providers = new Set<string>();
  net!: Devnet;
  /** Of this machine, of another one alone, and one that nobody has. */
  images!: { readonly box: string; readonly foreign: string; readonly missing: string };
  /** Uses verbs; its ecash is of the mint that providers do not list. */
  anna!: string;
  /** Uses messages; its ecash is of the provider's mint. */
  purse!: LabPurse;
  client!: OldClient;
  #purseData = "";

  private constructor(bench: Bench) {
    this.bench = bench;
  }

  static async open(): Promise<LeaseWorld> {
    await using stack = new AsyncDisposableStack();
    const bench = stack.use(await Bench.open());
    await Deno.chmod(bench.directory, 0o711);
    const world = stack.use(new LeaseWorld(bench));
    await world.#start("relay", ["relay", `${ADDRESSES.relay}:7777`, "--memory"]);
    const [net] = await Promise.all([
      world.#start("mints", [
        ...["devnet", "--data", bench.path("devnet"), "--mints", "2", "--fee-ppk", "100"],
        ...["--port", String(MINT_PORTS.first)],
      ], ["--allow-all"]),
      world.#shelve(),
    ]);
    world.net = net as unknown as Devnet;
    [world.anna, world.#purseData] = await Promise.all([
      world.#lessee("anna", 1),
      world.#lessee("purse", 0),
    ]) as [string, string];
    world.purse = await LabPurse.open(world.#purseData, world.net.mints[0]!.url);
    world.client = new OldClient(world.relay);
    stack.move();
    return world;
  }

  /** The last words of those that were started last, for when something fails. */
  lastWords(): string {
    return [...this.#processes].at(-1)?.stderr.slice(-3000) ?? "";
  }

  /** Where a provider keeps its leases. */
  stateDir(name = "provider"): string {
    return this.bench.path(`${name}-state`);
  }

  /** Starts a provider (again), which lends at once. */
  async provider(options: ProviderOptions = {}): Promise<WorldProvider> {
    const { name = "provider", flags = [], by = [] } = options;
    const data = this.bench.path(name);
    await Deno.mkdir(this.stateDir(name), { recursive: true, mode: 0o711 });
    this.#providers.add(data);
    this.#watchdogs.add(join(this.stateDir(name), "watchdog.pid"));
    const process = new ChildProcess({
      script: "node.ts",
      flags: LENDING_FLAGS,
      within: [...enter("provider"), ...by],
      args: [
        ...["provider", "start", "--json", "--data", data, "--no-mdns"],
        ...["--listen", `/ip4/${ADDRESSES.provider}/tcp/0`, "--relay", this.relay],
        ...["--mint", this.net.mints[0]!.url, "--provider-tier", TIER],
        ...["--provider-public-host", ADDRESSES.provider],
        ...["--provider-state", this.stateDir(name), "--provider-duration-min", "1s"],
        ...["--provider-leases-per-key", "50", ...flags],
      ],
    });
    this.#processes.add(process);
    const ready = await process.waitFor((line) => line.event === "ready", START_MS_MAX);
    const known = { data, npub: String(ready.npub), process, paymentKey: "" };
    await until(async () => (await this.report(known)).state === "lending", START_MS_MAX);
    return { ...known, paymentKey: String((await this.report(known)).paymentKey) };
  }

  /** What `provider status` says. */
  async report({ data }: Pick<WorldProvider, "data">): Promise<JsonLine> {
    return (await runVerb("provider", "status", "--data", data)).lines.at(-1) ?? {};
  }

  /** What the provider's journal says of its leases, oldest first. */
  async leases({ data }: Pick<WorldProvider, "data">): Promise<readonly JsonLine[]> {
    const { lines } = await runVerb("provider", "leases", "--all", "--data", data);
    return lines.toSorted((a, b) => Number(a.createdMs) - Number(b.createdMs));
  }

  /** What the engine has, by the names of leases. */
  async instances(name?: string): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of Deno.readDir(join(this.stateDir(name), "leases"))) {
      names.push(entry.name);
    }
    return names.sort();
  }

  /** A request with a token of `sat`, locked to the provider unless something else is said. */
  async request(
    { paymentKey }: Pick<WorldProvider, "paymentKey">,
    { sat, ...rest }: Partial<SpawnRequest> & { readonly sat: number },
  ): Promise<SpawnRequest> {
    return {
      type: "spawn",
      token: rest.token ?? await this.purse.token(sat, paymentKey),
      image: this.images.box,
      sshUsername: "user",
      sshPassword: "W9ZG2GIUOWiPkYID",
      requestId: crypto.randomUUID(),
      ...rest,
    };
  }

  /** What a mint says of a token's proofs, each state once. */
  async statesOf(token: string): Promise<string[]> {
    const { mint, proofs } = decodeToken(token, (id) => id);
    const response = await fetch(`${mint}/v1/checkstate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ Ys: proofs.map(({ secret }) => hashToCurveHex(secret)) }),
    });
    const { states } = await response.json() as { states: { state: string }[] };
    assert.equal(states.length, proofs.length);
    return [...new Set(states.map(({ state }) => state))];
  }

  /** A verb of the lessee, on the lessee's host. */
  async verb(...args: string[]): Promise<JsonLine> {
    return lastLine(await runVerb(...args, "--data", this.anna));
  }

  /** The journal of a provider that does not run. */
  journal(name = "provider"): DatabaseSync {
    return new DatabaseSync(join(this.bench.path(name), "provider/leases.sqlite"));
  }

  /** What each mint owes is what wallets hold, and no wallet finds fault with itself. */
  async assertBooks(): Promise<void> {
    await this.purse[Symbol.asyncDispose]();
    const parties = [this.anna, this.#purseData, ...this.#providers];
    await Promise.all(parties.map((data) => ok("wallet", "resume", "--data", data)));
    const held = await Promise.all(parties.map(async (data) => {
      const { mints } = await ok("wallet", "balance", "--data", data);
      await ok("wallet", "audit", "--data", data);
      return mints as JsonLine[];
    }));
    this.purse = await LabPurse.open(this.#purseData, this.net.mints[0]!.url);
    for (const { url, adminUrl } of this.net.mints) {
      const { result } = await (await fetch(`${adminUrl}/admin/books`)).json();
      const sats = held.map((mints) => {
        const line = mints.find(({ mint }) => mint === url) ?? {};
        return ["freeSat", "reservedSat", "outgoingSat", "incomingSat"]
          .reduce((sum, name) => sum + Number(line[name] ?? 0), 0);
      });
      const heldSat = sats.reduce((sum, sat) => sum + sat, 0);
      assert.equal(heldSat, Number(result.outstanding), `${url} owes, wallets hold ${sats}`);
      assert.equal(result.isBalanced, true);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client?.[Symbol.asyncDispose]();
    await this.purse?.[Symbol.asyncDispose]();
    await Promise.allSettled([...this.#processes].map((process) => process.stop()));
    for (const path of this.#watchdogs) {
      const pid = Number(await Deno.readTextFile(path).catch(() => 0));
      try {
        if (pid > 1) Deno.kill(pid, "SIGTERM");
      } catch {
        // It went by itself.
      }
    }
  }

  async #start(host: Host, args: readonly string[], flags?: readonly string[]): Promise<JsonLine> {
    const process = new ChildProcess({
      script: "node.ts",
      args: [...args, "--json"],
      within: enter(host),
      ...(flags === undefined ? {} : { flags }),
    });
    this.#processes.add(process);
    return await process.waitFor((line) => line.event === "ready", START_MS_MAX);
  }

  async #lessee(name: string, mint: number): Promise<string> {
    const data = this.bench.path(name);
    await Deno.mkdir(data, { mode: 0o700 });
    const mints = this.net.mints.map(({ url }) => url);
    await Deno.writeTextFile(
      join(data, "seedmint.toml"),
      `mint = ${JSON.stringify(mints)}\nrelay = ["${this.relay}"]\nmdns = false\n`,
    );
    await fundWallet(this.bench, this.net, { data, sat: FUNDED_SAT, mint: mints[mint]! });
    return data;
  }

  /** A node that has the images, and tells. */
  async #shelve(): Promise<void> {
    const shelf = this.bench.path("shelf");
    const push = `127.0.0.1:${MINT_PORTS.last}`;
    await this.#start("mints", [
      ...["start", "--data", shelf, "--no-mdns", "--relay", this.relay],
      ...["--listen", `/ip4/${ADDRESSES.mints}/tcp/0`, "--push-listen", push],
    ]);
    const digests: string[] = [];
    for (const [name, platform] of [["box"], ["foreign", "riscv64"]] as const) {
      const layout = this.bench.path(name);
      digests.push(await writeLayout(layout, platform));
      const builder = ["--data", this.bench.path("builder")];
      await ok("image", "push", layout, `${push}/lab/${name}:1`, ...builder);
      const image = `seedmint.local/lab/${name}:1`;
      await ok("image", "announce", image, "--visibility", "public", "--data", shelf);
    }
    this.images = {
      box: `seedmint.local/lab/box@${digests[0]}`,
      foreign: `seedmint.local/lab/foreign@${digests[1]}`,
      missing: `seedmint.local/lab/missing@sha256:${"5e".repeat(32)}`,
    };
  }
}
