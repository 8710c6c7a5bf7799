/** Files of a Paygress provider, as settings of ours. */
import { dirname, resolve } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import {
  importConfig,
  type ImportedSettings,
  importEnv,
  podSpecsFileOf,
  readEnvFile,
  readPodSpecs,
} from "../../../provisioning/wire/mod.ts";
import type { SettingValue } from "../config/edit_toml.ts";
import { type Tier, TIER_DISK_MB, tierMembers } from "../config/provider_values.ts";

/** What came of the files. */
export interface Imported {
  readonly values: Readonly<Record<string, SettingValue>>;
  /** What could not be taken over, and what to look at; no secret is in them. */
  readonly notes: readonly string[];
}

const FILE_BYTES_MAX = 256 * 1024;

/**
 * Reads files: `.env` with `POD_SPECS` or `POD_SPECS_FILE`, a list of tiers, or a JSON configuration,
 * told apart by how they begin. What a later one says goes before.
 *
 * @throws {SeedmintError} `usage` or `invalid` with the file.
 */
export async function importFiles(paths: readonly string[]): Promise<Imported> {
  let values: Record<string, SettingValue> = {};
  const notes: string[] = [];
  for (const path of paths) {
    const settings = await readFile(resolve(path));
    values = { ...values, ...valuesOf(settings) };
    notes.push(...notesOf(settings).map((note) => `${path}: ${note}`));
  }
  return { values, notes };
}

async function readFile(path: string): Promise<ImportedSettings> {
  const text = await readText(path);
  const begin = text.trimStart()[0];
  if (begin === "{") return importConfig(text);
  if (begin === "[") return { specs: readPodSpecs(text), warnings: [] };
  const variables = readEnvFile(text);
  const specsFile = podSpecsFileOf(variables);
  if (specsFile === undefined) return importEnv(variables);
  const podSpecs = await readText(resolve(dirname(path), specsFile));
  return importEnv(variables, { podSpecs });
}

async function readText(path: string): Promise<string> {
  const facts = await Deno.stat(path).catch(() => undefined);
  if (facts === undefined || !facts.isFile || facts.size > FILE_BYTES_MAX) {
    throw new SeedmintError(
      "usage",
      `Cannot import ${path}: a file of at most ${FILE_BYTES_MAX / 1024} KiB wanted, such as a ` +
        "provider's .env, pod-specs.json or configuration",
    );
  }
  return await Deno.readTextFile(path);
}

function valuesOf(settings: ImportedSettings): Record<string, SettingValue> {
  const values: Record<string, SettingValue> = {};
  const set = (key: string, value: SettingValue | undefined) => {
    if (value !== undefined) values[key] = value;
  };
  const { sshPorts: ports, minDurationS, httpBind } = settings;
  set("provider-name", settings.name);
  set("provider-location", settings.location);
  set("provider-public-host", settings.publicHost);
  set("relay", settings.relays);
  set("mint", settings.mints);
  set("provider-tier", settings.specs?.map((spec) => tierMembers(tierOf(spec))));
  if (minDurationS !== undefined) set("provider-duration-min", `${Math.max(1, minDurationS)}s`);
  if (ports !== undefined && ports.first >= 1024) {
    set("provider-ports", `${ports.first}-${ports.last}`);
  }
  if (httpBind !== undefined) set("provider-http", httpBind);
  return values;
}

/** Paygress knows no disk. */
function tierOf(spec: Omit<Tier, "diskMb">): Tier {
  return { ...spec, diskMb: TIER_DISK_MB };
}

function notesOf(settings: ImportedSettings): readonly string[] {
  const notes = [...settings.warnings];
  if (settings.specs !== undefined) {
    notes.push(
      `each tier gets ${TIER_DISK_MB / 1024} GiB of disk: tiers of Paygress say nothing of it`,
    );
  }
  if (settings.mints !== undefined) {
    notes.push("its mints are trusted with money now; name as mint-accepted those that are not");
  }
  if (settings.secretKey !== undefined) {
    notes.push(
      "its Nostr secret was not taken over: all keys of a node come from its own seed, and lessees " +
        "find it by its new offers; delete the file when the old provider has ended",
    );
  }
  if (settings.baseImage !== undefined) {
    notes.push("BASE_IMAGE was left out: every lessee names an image");
  }
  if (settings.sshPorts !== undefined && settings.sshPorts.first < 1024) {
    notes.push("its ports were left out: from 1024 on wanted");
  }
  return notes;
}
