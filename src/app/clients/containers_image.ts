/**
 * podman, buildah, skopeo and CRI-O: `registries.conf` and the files of `registries.conf.d`, in which a
 * later `[[registry]]` of the same prefix replaces an earlier one as a whole (containers-registries.conf.d,
 * section 5). So ours repeats what was said of a registry before, and puts the mirror first.
 */
import { parseTable } from "../config/toml.ts";
import { blockOf } from "./block.ts";
import type { ClientFiles } from "./files.ts";
import { quote } from "./hosts_toml.ts";
import { changeOf, type Plan, type PlanOptions } from "./plan.ts";

const OWN_NAME = "50-seedmint.conf";
const SYSTEM = "/etc/containers";
const USER = ".config/containers";

/** What a file says of one registry. */
export interface RegistryEntry {
  readonly prefix: string;
  /** Everything but its mirrors. */
  readonly fields: Readonly<Record<string, string | boolean>>;
  readonly mirrors: readonly Readonly<Record<string, string | boolean>>[];
  /** The file that says so. */
  readonly path: string;
}

/** Where the files lie: of the system, or of one user. */
function directoryOf(home: string | undefined): string {
  return home === undefined ? SYSTEM : `${home}/${USER}`;
}

/** The file that setup writes. */
export function ownPath(home: string | undefined): string {
  return `${directoryOf(home)}/registries.conf.d/${OWN_NAME}`;
}

/**
 * What is in force, by prefix.
 *
 * @throws {SeedmintError} `usage` for a file of the first format, which cannot be mixed with ours.
 */
export async function readRegistries(
  files: ClientFiles,
  options: { readonly home?: string; readonly isOwnLeftOut?: boolean },
): Promise<ReadonlyMap<string, RegistryEntry>> {
  const entries = new Map<string, RegistryEntry>();
  for (const path of await pathsOf(files, options.home)) {
    if (options.isOwnLeftOut && path === ownPath(options.home)) continue;
    const text = await files.read(path);
    if (text === undefined) continue;
    for (const entry of entriesOf(text, path)) entries.set(entry.prefix, entry);
  }
  return entries;
}

/** Plans `setup podman` and `setup skopeo`. */
export async function planContainersImage(options: PlanOptions): Promise<Plan> {
  const { files, isRemoval, home } = options;
  const path = ownPath(home);
  const before = await files.read(path);
  if (isRemoval) {
    const notes = before === undefined ? [] : ["podman, buildah and skopeo share this file"];
    return { changes: changeOf(path, before, undefined), notes };
  }
  const said = await readRegistries(files, {
    isOwnLeftOut: true,
    ...(home === undefined ? {} : { home }),
  });
  const notes = ["podman, buildah and skopeo share this file"];
  const lines: string[] = [];
  for (const { registry, url } of options.registries) {
    const entry = said.get(registry);
    if (entry?.fields.blocked === true) {
      notes.push(`${registry} is blocked in ${entry.path}, and stays so`);
      continue;
    }
    if (entry !== undefined && isRead(entry.path, path)) {
      notes.push(`${entry.path} is read after ${path} and replaces what that says of ${registry}`);
    }
    lines.push(...linesOf(registry, url, options.mirror, entry));
  }
  if (options.push !== undefined) {
    lines.push("[[registry]]", `location = ${quote(options.push)}`, "insecure = true");
  }
  return { changes: changeOf(path, before, blockOf(lines)), notes };
}

/** Whether `path` is a drop-in that is read after `own`. */
function isRead(path: string, own: string): boolean {
  const folder = (text: string) => text.slice(0, text.lastIndexOf("/"));
  return folder(path) === folder(own) && path > own;
}

function linesOf(
  registry: string,
  url: string,
  mirror: string,
  entry: RegistryEntry | undefined,
): string[] {
  const insecure = url.startsWith("http:") ? { insecure: true } : {};
  const fields = { prefix: registry, location: registry, ...insecure, ...entry?.fields };
  // The path tells the mirror which registry is meant: these clients send no ?ns=.
  const own = `${mirror}/${registry}`;
  const others = (entry?.mirrors ?? []).filter(({ location }) => location !== own);
  return [
    "[[registry]]",
    ...fieldLines(fields),
    ...[{ location: own, insecure: true }, ...others].flatMap((one) => [
      "[[registry.mirror]]",
      ...fieldLines(one),
    ]),
    "",
  ];
}

function fieldLines(fields: Readonly<Record<string, string | boolean>>): string[] {
  return Object.entries(fields).map(([key, value]) =>
    `${key} = ${typeof value === "string" ? quote(value) : value}`
  );
}

/** In the order in which they are read. */
async function pathsOf(files: ClientFiles, home: string | undefined): Promise<readonly string[]> {
  const userMain = home === undefined ? undefined : `${directoryOf(home)}/registries.conf`;
  const hasUserMain = userMain !== undefined && await files.read(userMain) !== undefined;
  const directories = [SYSTEM, ...(home === undefined ? [] : [directoryOf(home)])];
  const dropIns: string[] = [];
  for (const directory of directories) {
    const names = await files.list(`${directory}/registries.conf.d`);
    dropIns.push(
      ...names.filter((name) => name.endsWith(".conf"))
        .map((name) => `${directory}/registries.conf.d/${name}`),
    );
  }
  return [hasUserMain ? userMain : `${SYSTEM}/registries.conf`, ...dropIns];
}

function entriesOf(text: string, path: string): RegistryEntry[] {
  const table = parseTable(text, path);
  if (table.registries !== undefined) {
    throw new SyntaxError(
      `Cannot use ${path}: it is of the first format ([registries.search]), which cannot be mixed ` +
        "with mirrors; write it anew as containers-registries.conf(5) says",
    );
  }
  const rows = Array.isArray(table.registry) ? table.registry as Record<string, unknown>[] : [];
  return rows.flatMap((row) => {
    const { mirror, ...rest } = row;
    const prefix = row.prefix ?? row.location;
    if (typeof prefix !== "string") return [];
    const mirrors = Array.isArray(mirror) ? mirror as Record<string, unknown>[] : [];
    return [{ prefix, fields: simple(rest), mirrors: mirrors.map(simple), path }];
  });
}

/** The fields that are text or switches: there are no others. */
function simple(table: Readonly<Record<string, unknown>>): Record<string, string | boolean> {
  return Object.fromEntries(
    Object.entries(table).filter((entry): entry is [string, string | boolean] =>
      typeof entry[1] === "string" || typeof entry[1] === "boolean"
    ),
  );
}
