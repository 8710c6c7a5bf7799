/** The development network as a whole: a relay, Lightning, mints, and fault proxies where wanted. */
import { join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { ProcessLock } from "../../src/sqlite/mod.ts";
import { loadPlan, type MintPlan, MINTS_MAX, type NetPlan } from "./plan.ts";
import { Service } from "./service.ts";

/** Options of {@link runDevnet}. */
export interface DevnetOptions {
  /** Where its state is; made if it is missing. */
  readonly directory: string;
  /** How many mints. @default As many as there were, or two. */
  readonly mints?: number;
  /** The first port to use. @default As before, or 7780. */
  readonly port?: number;
  /** Input fee of new keysets, in parts of a thousand sat for each proof. @default {0} */
  readonly feePpk?: number;
  /** Puts a fault proxy in front of each mint. @default {false} */
  readonly faults?: boolean;
  readonly clock: Clock;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** What a network tells while it runs. */
export interface DevnetEvents {
  readonly ready: (network: DevnetAddresses) => void;
  /** A process died and runs again. */
  readonly restarted: (part: { name: string; why: string; pid: number }) => void;
}

/** Where a wallet finds one mint. */
export interface MintAddress {
  readonly name: string;
  /** Through the fault proxy if there is one. */
  readonly url: string;
  /** Takes orders at `/admin/…`. */
  readonly adminUrl: string;
  /** Of the fault proxy, if there is one. */
  readonly faultsUrl?: string;
}

/** Where everything listens. */
export interface DevnetAddresses {
  readonly directory: string;
  readonly relay: string;
  readonly lightning: string;
  readonly mints: readonly MintAddress[];
  /** Process ids by the names of the parts: `relay`, `lightning`, `mint-A`, `faults-A`. */
  readonly pids: Readonly<Record<string, number>>;
}

/**
 * Starts everything and resolves when `signal` is aborted and all processes have ended.
 *
 * @throws {SeedmintError} `locked` if another process runs the network of this folder; `unavailable`
 * if a part does not start, or dies again and again; then, too, nothing is left running.
 */
export async function runDevnet(options: DevnetOptions, events: DevnetEvents): Promise<void> {
  const { directory, mints, signal } = options;
  if (mints !== undefined && !(Number.isInteger(mints) && mints >= 1 && mints <= MINTS_MAX)) {
    throw new SeedmintError("usage", `Cannot start ${mints} mints: 1 to ${MINTS_MAX} are possible`);
  }
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  await using resources = new AsyncDisposableStack();
  resources.use(
    ProcessLock.take(join(directory, "devnet.lock"), `the development network in ${directory}`),
  );
  const plan = await loadPlan(directory, {
    mintCount: mints,
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  const givenUp = Promise.withResolvers<never>();
  givenUp.promise.catch(() => {});
  const network = new Network(options, {
    use: (service) => resources.use(service),
    onRestart: events.restarted,
    onGivenUp: givenUp.reject,
  });
  try {
    events.ready(await network.start(plan));
    await Promise.race([aborted(signal), givenUp.promise]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface NetworkHooks {
  readonly use: (service: Service) => Service;
  readonly onRestart: DevnetEvents["restarted"];
  readonly onGivenUp: (error: SeedmintError) => void;
}

/** Starts the parts, one after the other: each needs the one before it. */
class Network {
  readonly #options: DevnetOptions;
  readonly #hooks: NetworkHooks;
  readonly #pids: Record<string, number> = {};

  constructor(options: DevnetOptions, hooks: NetworkHooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  async start(plan: NetPlan): Promise<DevnetAddresses> {
    const { directory } = this.#options;
    const relay = await this.#run("relay", "devnet/net/relay_main.ts", [
      ...["--port", String(plan.relayPort), "--data", join(directory, "relay")],
    ]);
    const lightning = await this.#run("lightning", "devnet/lightning/main.ts", [
      ...["--port", String(plan.lightningPort), "--data", join(directory, "lightning"), "--json"],
    ]);
    const mints: MintAddress[] = [];
    for (const mint of plan.mints.slice(0, this.#options.mints)) {
      mints.push(await this.#startMint(mint, String(lightning.url)));
    }
    const urls = { relay: String(relay.url), lightning: String(lightning.url) };
    return { directory, ...urls, mints, pids: this.#pids };
  }

  async #startMint(plan: MintPlan, lightning: string): Promise<MintAddress> {
    const { directory, feePpk = 0, faults = false } = this.#options;
    const { name } = plan;
    const mint = await this.#run(`mint-${name}`, "devnet/mint/main.ts", [
      ...["--name", name, "--lightning", lightning, "--data", join(directory, `mint-${name}`)],
      ...["--port", String(plan.port), "--admin-port", String(plan.adminPort)],
      ...["--fee-ppk", String(feePpk), "--json"],
    ]);
    const address = { name, url: String(mint.url), adminUrl: String(mint.adminUrl) };
    if (!faults) return address;
    const proxy = await this.#run(`faults-${name}`, "devnet/fault_proxy/main.ts", [
      ...["--target", address.url, "--port", String(plan.proxyPort)],
      ...["--admin-port", String(plan.proxyAdminPort), "--json"],
    ]);
    return { ...address, url: String(proxy.url), faultsUrl: String(proxy.adminUrl) };
  }

  async #run(
    name: string,
    script: string,
    args: readonly string[],
  ): Promise<Readonly<Record<string, unknown>>> {
    const { directory, clock, signal } = this.#options;
    signal.throwIfAborted();
    const service = this.#hooks.use(
      new Service({
        ...{ name, script, args, clock, signal },
        logPath: join(directory, `${name}.log`),
        onRestart: (why, pid) => this.#hooks.onRestart({ name, why, pid }),
        onGivenUp: this.#hooks.onGivenUp,
      }),
    );
    const ready = await service.start();
    this.#pids[name] = service.pid;
    return ready;
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

/** Whether processes can be started at all. @throws {SeedmintError} `usage` with what to run. */
export async function checkPermissions(): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "run" });
  if (state === "granted") return;
  throw new SeedmintError(
    "usage",
    "Cannot start the development network: it starts processes of its own, which needs every permission; run: deno run -A node.ts devnet",
  );
}
