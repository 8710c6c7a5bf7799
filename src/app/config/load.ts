/** From flags, variables and the settings file to the value of every setting and its source. */
import { isAbsolute, join, resolve } from "node:path";
import { messageOf, SeedmintError } from "../../core/errors.ts";
import { v } from "../schema.ts";
import {
  type Config,
  keyOf,
  SETTING_NAMES,
  type SettingName,
  settingOf,
  variableOf,
} from "./settings.ts";
import type { TomlEntry } from "./toml.ts";

/** Where a value came from, as it is shown: `--quota`, `SEEDMINT_QUOTA`, `seedmint.toml:3`, `default`. */
export type SettingSource = string;

/** Every setting with its value and where that came from. */
export interface LoadedConfig {
  readonly values: Config;
  readonly sources: Readonly<Record<SettingName, SettingSource>>;
  /** The text that each value was made from; undefined when it is not set. Never of a secret. */
  readonly texts: Readonly<Record<SettingName, string | undefined>>;
}

/** Flags as parsed: text, several texts, or a switch. */
export type FlagValues = Partial<Record<SettingName, string | readonly string[] | boolean>>;

/** What {@link loadConfig} looks at; tests give their own. */
export interface ConfigInputs {
  readonly flags: FlagValues;
  readonly variable: (name: string) => string | undefined;
  /** The text of a file, or undefined if there is none. */
  readonly readFile: (path: string) => Promise<string | undefined>;
}

interface Found {
  readonly raw: unknown;
  readonly source: SettingSource;
}

/**
 * Loads all settings. A flag beats a variable, which beats the settings file, which beats the default.
 *
 * @throws {SeedmintError} `usage` that names the flag, the variable or the file and line.
 */
export async function loadConfig(inputs: ConfigInputs): Promise<LoadedConfig> {
  const early = (name: SettingName) => {
    const found = fromFlag(inputs, name) ?? fromVariable(inputs, name);
    return found === undefined ? undefined : String(parsed(name, found));
  };
  const configPath = early("config");
  const file = await readSettingsFile(
    inputs,
    configPath,
    early("data") ?? defaultDataDirectory(inputs.variable),
  );
  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  const texts: Record<string, string | undefined> = {};
  for (const name of SETTING_NAMES) {
    const found = fromFlag(inputs, name) ?? fromVariable(inputs, name) ??
      fromFile(file, name) ?? { raw: defaultOf(name, inputs), source: "default" };
    values[name] = found.raw === undefined ? undefined : parsed(name, found);
    sources[name] = found.source;
    texts[name] = settingOf(name).isSecret || found.raw === undefined
      ? undefined
      : textOf(found.raw);
  }
  values.data = resolve(String(values.data));
  texts.data = String(values.data);
  if (file !== undefined) {
    sources.config = configPath === undefined ? "found" : sources.config!;
    values.config = texts.config = file.path;
  }
  return { values, sources, texts } as unknown as LoadedConfig;
}

/** Inputs that give the defaults, for verbs that need no settings. */
export const noInputs: ConfigInputs = {
  flags: {},
  variable: () => undefined,
  readFile: () => Promise.resolve(undefined),
};

/** Inputs that look at this process and its files. */
export function processInputs(flags: FlagValues): ConfigInputs {
  return {
    flags,
    variable: (name) => {
      const state = Deno.permissions.querySync({ name: "env", variable: name }).state;
      return state === "granted" ? Deno.env.get(name) : undefined;
    },
    readFile: async (path) => {
      try {
        return await Deno.readTextFile(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw new SeedmintError("usage", `Cannot read ${path}: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },
  };
}

interface SettingsFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, TomlEntry>;
}

async function readSettingsFile(
  inputs: ConfigInputs,
  named: string | undefined,
  dataDirectory: string,
): Promise<SettingsFile | undefined> {
  const path = resolve(named ?? join(dataDirectory, "seedmint.toml"));
  const text = await inputs.readFile(path);
  if (text === undefined) {
    if (named === undefined) return undefined;
    throw new SeedmintError(
      "usage",
      `Cannot read the settings file ${path}: there is no such file`,
    );
  }
  const { readToml, TOML_BYTES_MAX } = await import("./toml.ts");
  if (text.length > TOML_BYTES_MAX) {
    throw new SeedmintError(
      "usage",
      `Cannot read the settings file ${path}: it is larger than ${TOML_BYTES_MAX} bytes`,
    );
  }
  const entries = readToml(text, path);
  const known = new Set(
    SETTING_NAMES.filter((name) => name !== "config" && !settingOf(name).isSecret).map(keyOf),
  );
  if (named === undefined) known.delete("data");
  for (const [key, { line }] of entries) {
    if (known.has(key)) continue;
    const why = key === "data"
      ? "this file lies in the data directory already; remove the line, or name the file with --config"
      : key === "seed"
      ? "a seed belongs into the file seed in the data directory, or into SEEDMINT_SEED"
      : `there is no such setting; the settings are ${[...known].join(", ")}`;
    throw new SeedmintError("usage", `Cannot use "${key}" at ${path}:${line}: ${why}`);
  }
  return { path, entries };
}

function fromFlag(inputs: ConfigInputs, name: SettingName): Found | undefined {
  const raw = inputs.flags[name];
  return raw === undefined ? undefined : { raw, source: `--${keyOf(name)}` };
}

function fromVariable(inputs: ConfigInputs, name: SettingName): Found | undefined {
  const raw = inputs.variable(variableOf(name));
  return raw === undefined || raw === "" ? undefined : { raw, source: variableOf(name) };
}

function fromFile(file: SettingsFile | undefined, name: SettingName): Found | undefined {
  const entry = file?.entries.get(keyOf(name));
  return entry && { raw: entry.value, source: `${file!.path}:${entry.line}` };
}

function defaultOf(name: SettingName, inputs: ConfigInputs): unknown {
  return name === "data" ? defaultDataDirectory(inputs.variable) : settingOf(name).default;
}

/** Where data lies when nothing else is said; the XDG base directory specification decides. */
function defaultDataDirectory(variable: ConfigInputs["variable"]): string {
  const base = variable("XDG_DATA_HOME");
  if (base !== undefined && isAbsolute(base)) return join(base, "seedmint");
  const home = variable("HOME");
  return home === undefined || home === "" ? ".seedmint" : join(home, ".local/share/seedmint");
}

function parsed(name: SettingName, found: Found): unknown {
  const result = v.safeParse(settingOf(name).schema, found.raw);
  if (result.success) return result.output;
  const shown = settingOf(name).isSecret ? "" : ` "${textOf(found.raw).slice(0, 100)}"`;
  const label = found.source.startsWith("--") || found.source.startsWith("SEEDMINT_")
    ? found.source
    : `${keyOf(name)} at ${found.source}`;
  throw new SeedmintError("usage", `Cannot use ${label}${shown}: ${result.issues[0].message}`);
}

function textOf(raw: unknown): string {
  if (Array.isArray(raw)) return raw.map(textOf).join(" ");
  // A table of the settings file.
  return typeof raw === "object" && raw !== null ? JSON.stringify(raw) : String(raw);
}
