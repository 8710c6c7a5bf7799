/** `provider setup`: writes down what is lent, and says what is missing for that. */
import { join } from "node:path";
import { SeedmintError } from "../../../../core/errors.ts";
import { checkSettings } from "../../../../../provisioning/provider/mod.ts";
import { RemoteNode } from "../../../api/remote.ts";
import { settingsOfFlags } from "../../../bootstrap/host_settings.ts";
import { editToml, type SettingValue } from "../../../config/edit_toml.ts";
import { loadConfig } from "../../../config/load.ts";
import { tierMembers, tierText } from "../../../config/provider_values.ts";
import type { Config } from "../../../config/settings.ts";
import { openDataDirectory } from "../../../identity.ts";
import {
  askEngine,
  type EngineFacts,
  examineLending,
  type Finding,
  importFiles,
} from "../../../lending/mod.ts";
import { providerSettings } from "../../../lifecycle/provider/provider_settings_of.ts";
import { tiersThatFit } from "../../../provider_tiers.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

const HEADING = "Lending compute, written by provider setup";

/** Any key will do for checking. */
const SOME_KEY = "0".repeat(64);

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, config, signal } = context;
  const path = config.values.config ?? join(config.values.data, "seedmint.toml");
  const before = await readIfThere(path);
  const imported = await importFiles(context.flagAll("import").map(absolute));
  const given = { ...imported.values, ...settingsOfFlags(config) };
  let text = editToml(before ?? "", given, { path, heading: HEADING });
  let values = await valuesOf(text, context);
  const engine = await askEngine(values);
  if (values.providerTier.length === 0) {
    const added = { "provider-tier": tiersFor(engine) };
    text = editToml(text, added, { path, heading: HEADING });
    values = await valuesOf(text, context);
  }
  checkSettings(providerSettings(values, SOME_KEY));
  for (const note of imported.notes) out.note(`note: ${note}`);
  if (context.has("dry-run")) {
    if (out.json) out.object({ path, before: before ?? null, after: text });
    else out.line(text.trimEnd());
    return 0;
  }
  await write(context, { path, before, text });
  if (!out.json) {
    for (const tier of values.providerTier) out.line(`lends ${tierText(tier)}`);
  }
  const findings = [
    ...await examineLending(values, engine, { signal }),
    await runningFinding(values),
  ];
  for (const finding of findings) show(context, finding);
  return findings.every(({ ok }) => ok) ? 0 : 1;
}

/** The settings that count once the file has this text: without flags, with the environment. */
async function valuesOf(text: string, { config }: VerbContext): Promise<Config> {
  const loaded = await loadConfig({
    flags: { data: config.values.data },
    variable: () => undefined,
    readFile: () => Promise.resolve(text),
  });
  return loaded.values;
}

function tiersFor(engine: EngineFacts | undefined): SettingValue {
  const all = { cpuMillicores: Infinity, memoryMb: Infinity, diskMb: Infinity };
  return tiersThatFit(engine?.capacity ?? all).map(tierMembers);
}

async function write(
  { out, config }: VerbContext,
  { path, before, text }: {
    readonly path: string;
    readonly before: string | undefined;
    readonly text: string;
  },
): Promise<void> {
  if (before === text) {
    if (out.json) out.object({ path, action: "none" });
    else out.line(`${path} says it already`);
    return;
  }
  await openDataDirectory(config.values.data);
  const kept = `${path}.before`;
  try {
    if (before !== undefined) await Deno.writeTextFile(kept, before, { mode: 0o600 });
    const draft = `${path}.new`;
    await Deno.writeTextFile(draft, text, { mode: 0o600 });
    await Deno.rename(draft, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new SeedmintError(
      "storage",
      `Cannot write ${path}: only its owner may; run as that user`,
    );
  }
  const action = before === undefined ? "created" : "changed";
  if (out.json) out.object({ path, action, backup: before === undefined ? null : kept });
  else out.line(`${action} ${path}${before === undefined ? "" : ` (before: ${kept})`}`);
}

async function runningFinding(config: Config): Promise<Finding> {
  const node = await RemoteNode.of(config.data);
  await using _closed = node;
  return {
    subject: "node",
    ok: true,
    text: node === undefined ? "it does not run" : "it runs, with the settings of its start",
    next: node === undefined ? "provider start" : "start it anew, then provider start",
  };
}

function show({ out }: VerbContext, { subject, ok, text, next }: Finding): void {
  if (out.json) return out.object({ subject, ok, text, next: next ?? null });
  out.line(`${ok ? "ok  " : "BAD "} ${subject.padEnd(8)}  ${text}`);
  if (next !== undefined) out.line(`     ${" ".repeat(8)}  -> ${next}`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
