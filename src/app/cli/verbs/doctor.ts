/** `doctor`: whether container clients pull through this node, proven, and what to do if not. */
import { messageOf } from "../../../core/errors.ts";
import type { ProbeImage } from "../../api/image_methods.ts";
import type { StatusReport } from "../../api/methods.ts";
import { RemoteNode } from "../../api/remote.ts";
import { examine, type Examined, type Route } from "../../clients/examine.ts";
import type { HostFiles } from "../../clients/files.ts";
import { type ClientName, CLIENTS } from "../../clients/plan.ts";
import { MIRROR_ADDRESS } from "../../config/registry_settings.ts";
import { detect, HostPrograms, type Installed } from "../../clients/programs.ts";
import { type Proof, proveByClient, proveByRequests } from "../../clients/prove.ts";
import {
  addressOf,
  filesOf,
  homeOf,
  mirrorOf,
  readClients,
  registriesOf,
} from "../client_support.ts";
import type { VerbContext } from "../verb.ts";

/** One thing that was looked at. */
interface Finding {
  /** `node`, or a client. */
  readonly subject: string;
  readonly ok: boolean;
  readonly text: string;
  /** What to do about it. */
  readonly next?: string;
}

/** What is known of the node before clients are looked at. */
interface Ground {
  readonly mirror: string;
  readonly node?: RemoteNode;
  readonly files: HostFiles;
  readonly programs: HostPrograms;
}

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, config, signal } = context;
  const named = readClients(context);
  const node = await RemoteNode.of(config.values.data);
  await using _closed = node;
  const status = await node?.call("status", {}, { signal });
  const mirror = mirrorIn(status) ?? mirrorOf(context);
  const programs = HostPrograms.open({ asks: !out.json });
  const ground = { mirror, files: filesOf(context), programs, ...(node ? { node } : {}) };
  let isWell = true;
  const tell = (finding: Finding) => {
    isWell &&= finding.ok;
    show(context, finding);
  };
  for (const finding of await examineNode(context, status, mirror)) tell(finding);
  for (const finding of named.length > 0 ? [] : await examineProvider(context)) tell(finding);
  const found: Installed[] = [];
  for (const client of named.length > 0 ? named : CLIENTS) {
    const installed = await detect(client, programs, signal);
    if (installed !== undefined) found.push(installed);
    else if (named.length > 0) {
      const next = "install it, or name the clients that are used here";
      if (context.flag("root") === undefined) {
        tell({ subject: client, ok: false, text: "is not installed where programs lie", next });
      } else found.push({ client, program: client });
    }
  }
  if (found.length === 0 && isWell) out.note("note: no container client is installed here");
  if (!programs.mayRun && found.length > 0) {
    out.note("note: clients are not run: the Deno permission --allow-run is missing");
  }
  for (const installed of found) {
    for (const finding of await examineClient(context, installed, ground)) tell(finding);
  }
  return isWell ? 0 : 1;
}

function mirrorIn(status: StatusReport | undefined): string | undefined {
  const url = status?.registry?.mirrorUrl;
  if (url === undefined || url === null) return undefined;
  const { hostname, port } = new URL(url);
  return addressOf({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) });
}

/** Of a machine that lends compute, or is to: what it needs for that. */
async function examineProvider({ config, signal }: VerbContext): Promise<readonly Finding[]> {
  const { values } = config;
  if (values.providerTier.length === 0) return [];
  const { askEngine, examineLending } = await import("../../lending/mod.ts");
  return await examineLending(values, await askEngine(values), { signal });
}

/** Whether the node runs, and answers where clients ask. */
async function examineNode(
  { signal, config }: VerbContext,
  status: StatusReport | undefined,
  mirror: string,
): Promise<readonly Finding[]> {
  const subject = "node";
  if (status === undefined) {
    const next = `start --data ${config.values.data} --mirror-listen ${mirror}`;
    return [{ subject, ok: false, text: `none runs on ${config.values.data}`, next }];
  }
  if ((status.registry?.mirrorUrl ?? null) === null) {
    const next = `start it with --mirror-listen ${mirror}`;
    return [{ subject, ok: false, text: "it runs without a mirror", next }];
  }
  const findings: Finding[] = status.problems.map((text) => ({ subject, ok: true, text }));
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
    const response = await fetch(`http://${mirror}/v2/`, { signal: limit });
    await response.body?.cancel();
    const text = `the mirror at ${mirror} answers ${response.status}`;
    return [...findings, { subject, ok: response.status === 200, text }];
  } catch (error) {
    signal.throwIfAborted();
    const text = `the mirror at ${mirror} does not answer: ${messageOf(error)}`;
    return [...findings, { subject, ok: false, text, next: "see status, and the node's log" }];
  }
}

async function examineClient(
  context: VerbContext,
  installed: Installed,
  ground: Ground,
): Promise<readonly Finding[]> {
  const { client, version, program } = installed;
  const findings: Finding[] = [];
  const say = (ok: boolean, text: string, next?: string) =>
    findings.push({ subject: client, ok, text, ...(next === undefined ? {} : { next }) });
  say(true, `${version?.text ?? "version not known"} (${program})`);
  let examined: Examined;
  try {
    examined = await examine(client, {
      files: ground.files,
      mirror: ground.mirror,
      registries: registriesOf(context).map(({ registry }) => registry),
      ...homeOf(context),
      ...(version === undefined ? {} : { version }),
    });
  } catch (error) {
    say(false, messageOf(error), "mend the file, then run doctor again");
    return findings;
  }
  const isUsual = ground.mirror === addressOf(MIRROR_ADDRESS);
  const setup = `setup ${client}${context.has("user") ? " --user" : ""}${
    isUsual ? "" : ` --mirror-listen ${ground.mirror}`
  }`;
  const { routes } = examined;
  const named = (some: readonly Route[]) => some.map(({ registry }) => registry).join(", ");
  const well = routes.filter(({ place }) => place === 0);
  if (well.length > 0) say(true, `asks ${ground.mirror} first for ${named(well)}`);
  const never = routes.filter(({ place }) => place === undefined);
  if (never.length > 0) say(false, `does not ask ${ground.mirror} for ${named(never)}`, setup);
  for (const { registry, place, mirrors, path } of routes) {
    if (place === undefined || place === 0) continue;
    say(false, `asks ${mirrors[0]} first for ${registry} (${path})`, `put ours first: ${setup}`);
  }
  for (const fault of examined.faults) say(false, fault, setup);
  for (const proof of await prove(context, client, ground)) {
    const next = findings.some(({ ok }) => !ok)
      ? "mend the above first"
      : "restart the client, then run doctor again";
    say(proof.isProven, proof.text, proof.isProven ? undefined : next);
  }
  return findings;
}

/** Lets the client pull what only this node has. */
async function prove(
  context: VerbContext,
  client: ClientName,
  { node, programs, files, mirror }: Ground,
): Promise<readonly Proof[]> {
  if (context.has("no-pull") || node === undefined) return [];
  const { signal } = context;
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  let image: ProbeImage;
  try {
    image = await node.call("image.probe", { architecture }, { signal });
  } catch (error) {
    signal.throwIfAborted();
    return [{ by: "requests", isProven: false, text: messageOf(error) }];
  }
  const probe = { registry: "docker.io", ...image };
  const scratch = await Deno.makeTempDir({ prefix: "seedmint-doctor-" });
  try {
    // Another root's files are not those that the programs here read.
    const isHere = context.flag("root") === undefined;
    const options = { programs, files, probe, signal, scratch, ...homeOf(context) };
    const byClient = isHere ? await proveByClient(client, options) : [];
    if (byClient.length > 0) return byClient;
    return [await proveByRequests(client, { probe, mirror, signal })];
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

function show({ out }: VerbContext, { subject, ok, text, next }: Finding): void {
  if (out.json) return out.object({ subject, ok, text, next: next ?? null });
  out.line(`${ok ? "ok  " : "BAD "} ${subject.padEnd(10)}  ${text}`);
  if (next !== undefined) out.line(`     ${" ".repeat(10)}  -> ${next}`);
}
