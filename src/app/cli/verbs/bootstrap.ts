/** `bootstrap`: makes another host a provider of compute, over ssh. */
import { createHash } from "node:crypto";
import { isSeedmintError, SeedmintError } from "../../../core/errors.ts";
import {
  askNode,
  BOOTSTRAP_BACKENDS,
  type BootstrapBackend,
  type CarriedOut,
  carryOut,
  type Destination,
  DIRECTORIES,
  type HostFacts,
  hostNameOf,
  hostSettings,
  knownHostFiles,
  lastLines,
  LOOK_SCRIPT,
  lookArguments,
  LOOKED_AT,
  offeredKeys,
  parseDestination,
  parseFingerprint,
  pinHostKey,
  planBootstrap,
  programsFor,
  readFacts,
  readLocalFile,
  readProgram,
  type RemoteHost,
  settingsOfFlags,
  SshHost,
  type Step,
  type Wish,
} from "../../bootstrap/mod.ts";
import { loadConfig } from "../../config/load.ts";
import { readToml } from "../../config/toml.ts";
import { systemClock } from "../../../host/system.ts";
import { formatBytes } from "../../output/format.ts";
import { absolute } from "../support.ts";
import type { VerbContext } from "../verb.ts";
import { askYes } from "./wallet/consent.ts";

const LOOK_MS_MAX = 60_000;
const SETTINGS_BYTES_MAX = 256 * 1024;

/** The root of the program that runs here. */
const ROOT = new URL("../../../../", import.meta.url);

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, config } = context;
  const destination = parseDestination(context.operands[0]!);
  mayRunPrograms();
  const fingerprint = context.flag("host-key");
  if (fingerprint !== undefined) {
    await pinHostKey(destination, parseFingerprint(fingerprint), {
      dataDirectory: config.values.data,
      signal,
    });
  }
  const base = await readBase(context);
  const backend = readBackend(base, context);
  await using host = await SshHost.open({
    destination,
    knownHosts: knownHostFiles(config.values.data),
    ...identityOf(context),
  });
  out.note(`looking at ${host.name}`);
  const [program, runtime] = await Promise.all([readProgram(ROOT), readRuntime(context)]);
  const question = {
    version: program.id,
    programs: programsFor(backend),
    files: LOOKED_AT,
    directories: DIRECTORIES,
  };
  const facts = await look(context, { host, destination, args: lookArguments(question) });
  const settings = await settingsFor(context, { base, destination, facts });
  const wish: Wish = {
    backend,
    machine: Deno.build.arch,
    runtime,
    runtimeVersion: Deno.version.deno,
    program,
    hashOf: (text) => createHash("sha256").update(text).digest("hex"),
    nowS: Math.floor(systemClock.nowMs() / 1000),
    ...(settings === undefined ? {} : { settings }),
  };
  const plan = planBootstrap(facts, wish);
  if (plan.hindrances.length > 0) throw hindered(host, plan.hindrances);
  if (context.has("dry-run")) return showPlan(context, host, plan.steps);
  await carryOut(host, plan.steps, {
    signal,
    clock: systemClock,
    onStep: (step) =>
      out.json ? out.object({ event: "step", title: step.title }) : out.line(step.title),
  });
  const node = await askNode(host, { signal, clock: systemClock });
  showNode(context, host, { node, stepCount: plan.steps.length });
  return (node.lending?.problems.length ?? 0) === 0 ? 0 : 1;
}

function mayRunPrograms(): void {
  const run = { name: "run" } as const;
  const { state } = Deno.permissions.querySync(run);
  const canAsk = state === "prompt" && Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  if (state === "granted" || canAsk && Deno.permissions.requestSync(run).state === "granted") {
    return;
  }
  throw new SeedmintError(
    "usage",
    "Cannot reach another host: ssh is a program of its own, and the Deno permission --allow-run is " +
      "missing",
  );
}

function identityOf(context: VerbContext): { readonly identity?: string } {
  const path = context.flag("identity");
  return path === undefined ? {} : { identity: absolute(path) };
}

/** A file of settings to begin with. */
interface Base {
  readonly text: string;
  readonly entries: ReadonlyMap<string, { readonly value: unknown }>;
}

async function readBase(context: VerbContext): Promise<Base | undefined> {
  const named = context.flag("settings");
  if (named === undefined) return undefined;
  const path = absolute(named);
  const facts = await Deno.stat(path).catch(() => undefined);
  if (facts === undefined || !facts.isFile || facts.size > SETTINGS_BYTES_MAX) {
    throw new SeedmintError("usage", `Cannot read ${path}: a settings file of the host wanted`);
  }
  const text = await Deno.readTextFile(path);
  await checkSettings(text);
  return { text, entries: readToml(text, path) };
}

/** The text of the host's settings file; undefined: what it has stays. */
async function settingsFor(
  context: VerbContext,
  { base, destination, facts }: {
    readonly base: Base | undefined;
    readonly destination: Destination;
    readonly facts: HostFacts;
  },
): Promise<string | undefined> {
  const given = settingsOfFlags(context.config);
  if (base === undefined && Object.keys(given).length === 0) return undefined;
  const text = hostSettings(base?.text, given, {
    known: new Set(base?.entries.keys()),
    publicHost: await hostNameOf(destination, { signal: context.signal }),
    machine: facts,
  });
  await checkSettings(text);
  return text;
}

/** What the host would say of its settings is said here, before anything is changed there. */
async function checkSettings(text: string): Promise<void> {
  await loadConfig({
    flags: { data: "/var/lib/seedmint" },
    variable: () => undefined,
    readFile: () => Promise.resolve(text),
  });
}

function readBackend(base: Base | undefined, { config }: VerbContext): BootstrapBackend {
  const isFlag = config.sources.providerBackend.startsWith("--");
  const inFile = base?.entries.get("provider-backend")?.value;
  const said = isFlag || inFile === undefined ? config.values.providerBackend : inFile;
  const backend = BOOTSTRAP_BACKENDS.find((one) => one === said);
  if (backend !== undefined) return backend;
  throw new SeedmintError(
    "usage",
    `Cannot set up a host for ${String(said).slice(0, 24)}: one of ${
      BOOTSTRAP_BACKENDS.join(", ")
    } wanted; install a cluster or LXD by its own means, then run provider setup there`,
  );
}

async function readRuntime(context: VerbContext) {
  const named = context.flag("deno");
  if (named === undefined && Deno.build.os !== "linux") {
    throw new SeedmintError(
      "usage",
      `Cannot bring this machine's Deno to a host with Linux: get Deno ${Deno.version.deno} for ` +
        "Linux and name the file with --deno",
    );
  }
  return await readLocalFile(
    named === undefined ? await Deno.realPath(Deno.execPath()) : absolute(named),
  );
}

async function look(
  context: VerbContext,
  { host, destination, args }: {
    readonly host: RemoteHost;
    readonly destination: Destination;
    readonly args: readonly string[];
  },
): Promise<HostFacts> {
  const { signal } = context;
  const ask = () => host.run(LOOK_SCRIPT, args, { signal, timeoutMs: LOOK_MS_MAX });
  let result;
  try {
    result = await ask();
  } catch (error) {
    if (!isSeedmintError(error, "not-found")) throw error;
    await meet(context, destination, error);
    result = await ask();
  }
  if (result.code !== 0) {
    throw new SeedmintError(
      "unavailable",
      `Cannot look at ${host.name} (code ${result.code}): ${lastLines(result.stderr, 3)}`,
    );
  }
  return readFacts(result.stdout);
}

/** Shows the keys of a host that is not known, and asks; where nobody is, says what to do. */
async function meet(
  context: VerbContext,
  destination: Destination,
  error: SeedmintError,
): Promise<void> {
  const { out, input, signal, config } = context;
  const keys = await offeredKeys(destination, { signal });
  const shown = keys.map(({ type, fingerprint }) => `  ${fingerprint} (${type})`).join("\n");
  const first = keys.find(({ type }) => type === "ssh-ed25519") ?? keys[0]!;
  const compare =
    "Compare with what the host itself shows, on its console or where you rented it: " +
    "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
  if (!input.isTerminal || out.json) {
    throw new SeedmintError(
      error.code,
      `${error.message}. It offers:\n${shown}\n${compare}\n` +
        `If one is the same, run again with --host-key ${first.fingerprint}`,
    );
  }
  out.error(`${error.message}. It offers:\n${shown}\n${compare}`);
  if (!await askYes(context, `Is ${first.fingerprint} what the host shows?`)) {
    throw new SeedmintError("denied", "Did not connect: you did not know the host's key");
  }
  await pinHostKey(destination, first.fingerprint, { dataDirectory: config.values.data, signal });
}

function hindered(
  host: RemoteHost,
  hindrances: readonly { readonly text: string; readonly next: string }[],
): SeedmintError {
  const lines = hindrances.map(({ text, next }) => `  ${text}\n    -> ${next}`);
  return new SeedmintError(
    "denied",
    `Cannot set up ${host.name}; nothing was changed:\n${lines.join("\n")}`,
  );
}

function showPlan({ out }: VerbContext, host: RemoteHost, steps: readonly Step[]): number {
  for (const step of steps) {
    if (out.json) {
      const { title, script, args } = step;
      out.object({ event: "would", title, script, args, input: inputText(step) ?? null });
      continue;
    }
    out.line(`would ${step.title}`);
    out.line(`${step.script}\n# with: ${step.args.join(" ")}`.replace(/^/gm, "    "));
    const text = inputText(step);
    if (text !== undefined) out.line(text.trimEnd().replace(/^/gm, "    < "));
  }
  if (out.json) {
    out.object({ event: "done", host: host.name, changed: 0, wouldChange: steps.length });
  } else if (steps.length === 0) out.line(`${host.name}: nothing to change`);
  return 0;
}

function inputText({ input }: Step): string | undefined {
  switch (input?.kind) {
    case undefined:
      return undefined;
    case "text":
      return input.text;
    case "file":
      return `${input.file.path}, ${formatBytes(input.file.bytes)}, SHA-256 ${input.file.hash}`;
    case "archive":
      return `this program: ${input.program.fileCount} files of ${
        formatBytes(input.program.bytes)
      }`;
    default:
      return input satisfies never;
  }
}

function showNode(
  { out }: VerbContext,
  host: RemoteHost,
  { node, stepCount }: { readonly node: CarriedOut; readonly stepCount: number },
): void {
  const { npub, peerId, lending } = node;
  if (out.json) {
    out.object({
      event: "done",
      host: host.name,
      changed: stepCount,
      npub,
      peerId,
      lending: lending ?? null,
    });
    return;
  }
  if (stepCount === 0) out.line(`${host.name}: nothing to change`);
  out.line(`provider  ${npub}`);
  out.line(`peer id   ${peerId}`);
  out.line(`lending   ${lending?.state ?? "not known: see provider status there"}`);
  for (const problem of lending?.problems ?? []) out.line(`problem   ${problem}`);
  if (stepCount > 0) {
    out.note(`note: there, seedmint provider status tells more; open its ports to lessees`);
  }
}
