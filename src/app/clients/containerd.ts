/**
 * containerd: one `hosts.toml` for each registry, and a `config.toml` that says where those lie. What
 * Kubernetes pulls goes by the plugin for images, whose name depends on the version of the file; from
 * 2.1 on it goes by the transfer service, which has a setting of its own, and lists of directories
 * with colons between break mirrors there (containerd issues 12415, 12550, 12636).
 */
import { isDeepStrictEqual } from "node:util";
import { parseTable } from "../config/toml.ts";
import { appendBlock, blockOf, withoutBlocks } from "./block.ts";
import type { ClientFiles, FileChange } from "./files.ts";
import { plain, planHostRemoval, quote, withMirrorHost } from "./hosts_toml.ts";
import { changeOf, isAtLeast, type Plan, type PlanOptions, type Version } from "./plan.ts";

/** Where containerd's files lie: those of the system, or of one user without root. */
export function containerdDirectory(home?: string): string {
  return home === undefined ? "/etc/containerd" : `${home}/.config/containerd`;
}

/** containerd's own file. */
export function containerdConfig(home?: string): string {
  return `${containerdDirectory(home)}/config.toml`;
}

const RESTART = "systemctl restart containerd";
const RESTART_USER = "systemctl --user restart containerd";

/** A table of `config.toml` whose `config_path` names the directory. */
interface PathTable {
  readonly plugin: string;
  /** Inside the plugin's table; the transfer service has none. */
  readonly section?: string;
}

const BY_VERSION: Readonly<Record<number, PathTable>> = {
  1: { plugin: "cri", section: "registry" },
  2: { plugin: "io.containerd.grpc.v1.cri", section: "registry" },
  3: { plugin: "io.containerd.cri.v1.images", section: "registry" },
};
const TRANSFER: PathTable = { plugin: "io.containerd.transfer.v1.local" };

/** What `config.toml` says of mirrors. */
export interface ContainerdConfig {
  /** The file. */
  readonly path: string;
  /** Of the file's format. */
  readonly version: number;
  /** Where `hosts.toml` files are looked for; the default when nothing is said. */
  readonly directory: string;
  /** The directory as it is said, by table; undefined where nothing is said. */
  readonly said: readonly (readonly [plugin: string, path: string | undefined])[];
  /** Mirrors in the old way, which exclude the new one. */
  readonly hasOldMirrors: boolean;
  /** Kubernetes' part is switched off, as docker's package does. */
  readonly isCriDisabled: boolean;
}

/** Reads `config.toml`. */
export async function readContainerd(
  files: ClientFiles,
  options: { readonly version?: Version; readonly home?: string } = {},
): Promise<ContainerdConfig> {
  const text = await files.read(containerdConfig(options.home));
  return readConfig(text, options);
}

/** Plans `setup containerd`. */
export async function planContainerd(options: PlanOptions): Promise<Plan> {
  const { files, isRemoval, version, home } = options;
  const before = await files.read(containerdConfig(home));
  const config = readConfig(before, options);
  const restart = home === undefined ? RESTART : RESTART_USER;
  if (isRemoval) return await planRemoval(files, { before, config, restart });
  const notes: string[] = [];
  const changes: FileChange[] = [];
  const configured = withConfigPath(before, config, notes, version);
  changes.push(...changeOf(config.path, before, configured));
  for (const { registry, url } of options.registries) {
    const path = `${config.directory}/${registry}/hosts.toml`;
    const text = await files.read(path);
    const after = withMirrorHost(text, {
      url: `http://${options.mirror}`,
      server: url,
      takesReferrers: isAtLeast(version, 2, 2),
    }, path);
    if (after === undefined) {
      notes.push(`${path} is left as it is: put [host."http://${options.mirror}"] first yourself`);
    } else changes.push(...changeOf(path, text, after));
  }
  notes.push(`ctr takes the files only with --hosts-dir ${config.directory}`);
  const isRestarted = changes.some(({ path }) => path === config.path);
  return { changes, notes, ...(isRestarted ? { restart } : {}) };
}

async function planRemoval(
  files: ClientFiles,
  { before, config, restart }: {
    readonly before: string | undefined;
    readonly config: ContainerdConfig;
    readonly restart: string;
  },
): Promise<Plan> {
  const changes = [...await planHostRemoval(files, config.directory)];
  const rest = before === undefined ? undefined : withoutBlocks(before);
  const isOurs = rest !== undefined && rest !== before && rest.trim() === "";
  const configChanges = changeOf(config.path, before, isOurs ? undefined : rest);
  return {
    changes: [...changes, ...configChanges],
    notes: [],
    ...(configChanges.length === 0 ? {} : { restart }),
  };
}

function readConfig(
  text: string | undefined,
  { version: found, home }: { readonly version?: Version; readonly home?: string },
): ContainerdConfig {
  const file = containerdConfig(home);
  const table = text === undefined ? {} : parseTable(text, file);
  const fallback = text !== undefined ? 1 : isAtLeast(found, 2, 0) ? 3 : 2;
  const version = Number(table.version ?? fallback);
  const said = tablesOf(version, found).map((one) => [one.plugin, pathIn(table, one)] as const);
  const path = said.map(([, value]) => value).find((value) => value !== undefined);
  const registry = sectionOf(table, BY_VERSION[version] ?? BY_VERSION[3]!);
  const configs = Object.values(registry.configs ?? {}) as { tls?: unknown }[];
  const disabled = Array.isArray(table.disabled_plugins) ? table.disabled_plugins : [];
  return {
    path: file,
    version,
    // Of a list the first counts, if the list works at all.
    directory: path?.split(":")[0] ?? `${containerdDirectory(home)}/certs.d`,
    said,
    hasOldMirrors: Object.keys(registry.mirrors ?? {}).length > 0 ||
      configs.some(({ tls }) => tls !== undefined),
    isCriDisabled: disabled.some((name) => /(?:^|\.)cri(?:\.|$)/.test(String(name))),
  };
}

/** The tables that name the directory. */
function tablesOf(version: number, found: Version | undefined): readonly PathTable[] {
  const images = BY_VERSION[version] ?? BY_VERSION[3]!;
  const hasTransfer = version >= 3 && (found === undefined || isAtLeast(found, 2, 1));
  return hasTransfer ? [images, TRANSFER] : [images];
}

/** `config.toml` with the directory named wherever it must be. */
function withConfigPath(
  before: string | undefined,
  config: ContainerdConfig,
  notes: string[],
  found: Version | undefined,
): string | undefined {
  if (config.isCriDisabled) {
    notes.push("Kubernetes' part (cri) is switched off in config.toml, which is left as it is");
    return before;
  }
  if (config.hasOldMirrors) {
    notes.push(
      `${config.path} has mirrors in the old way ([…registry.mirrors]), beside which ` +
        "config_path may not stand: move them into hosts.toml files, then run this again",
    );
    return before;
  }
  for (const [, path] of config.said) {
    if (path?.includes(":")) {
      notes.push(`config_path is a list (${path}), which some versions cannot read: name one`);
    }
  }
  let text = before ?? blockOf([`version = ${config.version}`]);
  for (const table of tablesOf(config.version, found)) {
    if (pathIn(parseTable(text, config.path), table) !== undefined) continue;
    const after = withPathIn(text, table, config.directory);
    if (!isOnlyPathAdded(after, text, table, config.directory)) {
      notes.push(`write config_path = "${config.directory}" into ${headerOf(table)} yourself`);
    } else text = after;
  }
  return text;
}

/** The text with a `config_path` in one table, which is made if there is none. */
function withPathIn(text: string, table: PathTable, directory: string): string {
  const setting = `  config_path = ${quote(directory)}`;
  const lines = text.split("\n");
  const header = lines.findIndex((line) => isHeader(line, table));
  if (header < 0) return appendBlock(text, blockOf([headerOf(table), setting]));
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line));
  const end = next < 0 ? lines.length : next;
  const empty = lines.findIndex((line, index) =>
    index > header && index < end && /^\s*config_path\s*=\s*(""|'')\s*(#.*)?$/.test(line)
  );
  const replaced = empty < 0 ? [] : [lines[empty]!];
  const block = blockOf([setting], replaced).trimEnd();
  const at = empty < 0 ? header + 1 : empty;
  return [...lines.slice(0, at), block, ...lines.slice(at + replaced.length)].join("\n");
}

/** Whether an edit did what it should and nothing else. */
function isOnlyPathAdded(
  after: string,
  before: string,
  table: PathTable,
  directory: string,
): boolean {
  try {
    const now = plain(parseTable(after, "the new config.toml")) as Record<string, unknown>;
    const then = plain(parseTable(before, "config.toml")) as Record<string, unknown>;
    if (pathIn(now, table) !== directory) return false;
    for (const each of [now, then]) forgetPath(each, table);
    return isDeepStrictEqual(now, then);
  } catch {
    return false; // The table stands there in a form that cannot be added to.
  }
}

/** Takes `config_path` out of parsed tables, and tables that are empty then. */
function forgetPath(table: Record<string, unknown>, { plugin, section }: PathTable): void {
  const plugins = table.plugins as Record<string, Record<string, unknown>> | undefined;
  const own = plugins?.[plugin];
  const holder = section === undefined ? own : own?.[section] as Record<string, unknown>;
  if (holder !== undefined) delete holder.config_path;
  const isEmpty = (value: unknown) => Object.keys(value ?? {}).length === 0;
  if (section !== undefined && own !== undefined && isEmpty(own[section])) delete own[section];
  if (plugins !== undefined && isEmpty(own)) delete plugins[plugin];
  if (isEmpty(plugins)) delete table.plugins;
}

function headerOf({ plugin, section }: PathTable): string {
  return `[plugins.${quote(plugin)}${section === undefined ? "" : `.${section}`}]`;
}

function isHeader(line: string, table: PathTable): boolean {
  const bare = line.replace(/#.*$/, "").replaceAll(/\s/g, "").replaceAll("'", '"');
  const plain = `[plugins.${table.plugin}${
    table.section === undefined ? "" : `.${table.section}`
  }]`;
  return bare === headerOf(table) || table.plugin === "cri" && bare === plain;
}

function sectionOf(
  table: Readonly<Record<string, unknown>>,
  { plugin, section }: PathTable,
): Record<string, unknown> {
  const plugins = table.plugins as Record<string, Record<string, unknown>> | undefined;
  const own = plugins?.[plugin];
  return (section === undefined ? own : own?.[section] as Record<string, unknown>) ?? {};
}

function pathIn(
  table: Readonly<Record<string, unknown>>,
  where: PathTable,
): string | undefined {
  const path = sectionOf(table, where).config_path;
  return typeof path === "string" && path !== "" ? path : undefined;
}
