/** Whether a machine can lend what its settings say, and what to do if not. */
import { messageOf } from "../../core/errors.ts";
import type { BackendProbe, Resources } from "../../../provisioning/ports.ts";
import type { Config } from "../config/settings.ts";
import { openBackend } from "../lifecycle/provider/backend.ts";
import { formatBytes } from "../output/format.ts";
import { lendingLine, mayLend } from "../permissions.ts";
import { connectionPorts } from "./local_ports.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly subject: string;
  readonly ok: boolean;
  readonly text: string;
  /** What to do about it, or next. */
  readonly next?: string;
}

/** How long a mint or a relay may take, in milliseconds. */
const ANSWER_MS_MAX = 5_000;

const MIB = 1024 * 1024;

/** What the engine says. */
export interface EngineFacts {
  readonly probe: BackendProbe;
  readonly capacity?: Resources;
}

/** Asks the engine that the settings choose; undefined where this process may not. */
export async function askEngine(config: Config): Promise<EngineFacts | undefined> {
  if (!mayLend()) return undefined;
  try {
    // Beside a provider that may run.
    await using backend = await openBackend(config, "watchdog");
    const probe = await backend.probe();
    return probe.ok ? { probe, capacity: await backend.capacity() } : { probe };
  } catch (error) {
    const probe = {
      ok: false,
      problem: messageOf(error),
      description: config.providerBackend,
      isolation: "shared-kernel" as const,
      capabilities: [],
    };
    return { probe };
  }
}

/** Looks at all that lending needs. */
export async function examineLending(
  config: Config,
  engine: EngineFacts | undefined,
  options: { readonly signal: AbortSignal },
): Promise<readonly Finding[]> {
  const mints = [...new Set([...config.mint, ...config.mintAccepted])];
  const [mintFindings, relayFindings] = await Promise.all([
    Promise.all(mints.map((url) => examineMint(url, options.signal))),
    Promise.all(config.relay.map((url) => examineRelay(url, options.signal))),
  ]);
  return [
    ...engineFindings(config, engine),
    ...(mints.length > 0 ? mintFindings : [bad("mints", "none", "name one with --mint URL")]),
    ...(config.relay.length > 0
      ? relayFindings
      : [bad("relays", "none, and lessees find providers by relays", "name one with --relay URL")]),
    ...addressFindings(config),
    ...await portFindings(config),
  ];
}

function engineFindings(config: Config, engine: EngineFacts | undefined): readonly Finding[] {
  const subject = "engine";
  if (engine === undefined) {
    const text = `${config.providerBackend} was not looked at: this process may not run programs`;
    return [bad(subject, text, `${lendingLine()} provider setup`)];
  }
  const { probe, capacity } = engine;
  if (!probe.ok) {
    const text = `${probe.description}: ${probe.problem ?? "it does not work"}`;
    return [bad(subject, text, "mend that, or choose another with --provider-backend")];
  }
  const findings = [good(subject, `${probe.description}, isolation ${probe.isolation}`)];
  if (capacity === undefined) return findings;
  const total = leastOf(capacity, config);
  findings.push(good(subject, `for leases: ${shown(total)}`));
  for (const tier of config.providerTier) {
    if (slots(tier, total) > 0) continue;
    const text = `${tier.id} needs ${shown(tier)}: there is room for none`;
    findings.push(bad("tier", text, "make it smaller with --provider-tier"));
  }
  return findings;
}

function addressFindings(config: Config): readonly Finding[] {
  const { providerPublicHost: host, providerPorts: { first, last } } = config;
  if (host === undefined) {
    return [
      bad("address", "not known", "say where lessees reach this: --provider-public-host HOST"),
    ];
  }
  const isNear =
    /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|localhost$|::1$|f[cd])/
      .test(host);
  const reach = isNear ? `${host}, which only this network reaches` : host;
  return [{
    subject: "address",
    ok: true,
    text: `${reach}, ports ${first} to ${last}`,
    next: "let TCP and UDP to these ports in, wherever a firewall is",
  }];
}

/** A lease fails whose port a connection of this machine holds by chance. */
async function portFindings(config: Config): Promise<readonly Finding[]> {
  // The ports of a cluster are its nodes'.
  if (config.providerBackend === "kubernetes") return [];
  const shared = await connectionPorts(config.providerPorts);
  if (shared === undefined) return [];
  const { first, last } = shared;
  return [{
    subject: "ports",
    ok: true,
    text: `connections of this machine use ${first} to ${last}, too, and fail leases by chance`,
    next: "choose others with --provider-ports, or keep them free: " +
      `sysctl -w net.ipv4.ip_local_reserved_ports=${first}-${last}`,
  }];
}

async function examineMint(url: string, signal: AbortSignal): Promise<Finding> {
  try {
    const response = await fetch(`${url}/v1/info`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
      redirect: "error",
    });
    await response.body?.cancel();
    if (response.ok) return good("mint", `${url} answers`);
    return bad("mint", `${url} answers ${response.status}`, "check its URL");
  } catch (error) {
    signal.throwIfAborted();
    return bad(
      "mint",
      `${url} does not answer: ${messageOf(error)}`,
      "check its URL and the network",
    );
  }
}

async function examineRelay(url: string, signal: AbortSignal): Promise<Finding> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
  const outcome = Promise.withResolvers<boolean>();
  const socket = new WebSocket(url);
  socket.onopen = () => outcome.resolve(true);
  socket.onerror = () => outcome.resolve(false);
  socket.onclose = () => outcome.resolve(false);
  limit.addEventListener("abort", () => outcome.resolve(false), { once: true });
  const isThere = await outcome.promise;
  socket.close();
  signal.throwIfAborted();
  return isThere
    ? good("relay", `${url} answers`)
    : bad("relay", `${url} does not answer`, "check its URL and the network");
}

/** What is left of the machine when the settings lend less than all of it. */
function leastOf(capacity: Resources, config: Config): Resources {
  const of = (bytes: number | undefined) =>
    bytes === undefined ? Infinity : Math.floor(bytes / MIB);
  return {
    cpuMillicores: Math.min(capacity.cpuMillicores, config.providerCpu ?? Infinity),
    memoryMb: Math.min(capacity.memoryMb, of(config.providerMemory)),
    diskMb: Math.min(capacity.diskMb, of(config.providerDisk)),
  };
}

function slots(tier: Resources, total: Resources): number {
  return Math.floor(Math.min(
    total.cpuMillicores / tier.cpuMillicores,
    total.memoryMb / tier.memoryMb,
    total.diskMb / tier.diskMb,
  ));
}

function shown({ cpuMillicores, memoryMb, diskMb }: Resources): string {
  return `${cpuMillicores / 1000} cores, ${formatBytes(memoryMb * MIB)} of memory, ` +
    `${formatBytes(diskMb * MIB)} of disk`;
}

function good(subject: string, text: string): Finding {
  return { subject, ok: true, text };
}

function bad(subject: string, text: string, next: string): Finding {
  return { subject, ok: false, text, next };
}
