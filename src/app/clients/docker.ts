/**
 * docker: `registry-mirrors` of `daemon.json`, which is for Docker Hub alone; and with containerd's image
 * store a `hosts.toml` for each registry, below `certs.d`, that is in force at once.
 */
import { isDeepStrictEqual } from "node:util";
import { SeedmintError } from "../../core/errors.ts";
import { backupOf, type ClientFiles, type FileChange } from "./files.ts";
import { planHostRemoval, withMirrorHost } from "./hosts_toml.ts";
import { changeOf, isAtLeast, type Plan, type PlanOptions, type Version } from "./plan.ts";

const RELOAD = "systemctl reload docker";
const RELOAD_USER = "systemctl --user restart docker";

/** What `daemon.json` says. */
export interface DockerConfig {
  readonly mirrors: readonly string[];
  /** Whether images are kept in containerd's store, as far as the file tells. */
  readonly usesContainerdStore: boolean;
}

/** Where docker's files lie. */
export function dockerDirectory(home: string | undefined): string {
  return home === undefined ? "/etc/docker" : `${home}/.config/docker`;
}

/** Reads `daemon.json`. @throws {SeedmintError} `usage` if it is not JSON. */
export async function readDocker(
  files: ClientFiles,
  options: { readonly home?: string; readonly version?: Version },
): Promise<DockerConfig> {
  const path = `${dockerDirectory(options.home)}/daemon.json`;
  const config = parse(await files.read(path), path);
  const usesContainerdStore = usesStore(config, options.version);
  return { mirrors: mirrorsOf(config), usesContainerdStore };
}

/** Plans `setup docker`. */
export async function planDocker(options: PlanOptions): Promise<Plan> {
  const { files, isRemoval, home } = options;
  const directory = dockerDirectory(home);
  const path = `${directory}/daemon.json`;
  const before = await files.read(path);
  const config = parse(before, path);
  const url = `http://${options.mirror}`;
  const others = mirrorsOf(config).filter((one) => one.replace(/\/$/, "") !== url);
  const mirrors = isRemoval ? others : [url, ...others];
  const isSame = mirrors.join() === mirrorsOf(config).join();
  const after = isSame ? before : withMirrors(before, config, mirrors);
  const daemon = changeOf(path, before, isRemoval ? await asItWas(files, path, after) : after);
  const restart = daemon.length === 0 ? {} : { restart: home === undefined ? RELOAD : RELOAD_USER };
  const certs = `${directory}/certs.d`;
  if (isRemoval) {
    return { changes: [...daemon, ...await planHostRemoval(files, certs)], notes: [], ...restart };
  }
  const notes: string[] = [];
  const hasStore = usesStore(config, options.version);
  const hosts = hasStore ? await hostChanges(options, certs, notes) : [];
  if (!hasStore) {
    notes.push(
      "docker mirrors Docker Hub alone; others are pulled by name, as " +
        `${options.mirror}/ghcr.io/acme/web:1, or after containerd's image store was switched on ` +
        '("features": {"containerd-snapshotter": true} in daemon.json) and setup was run again',
    );
  }
  return { changes: [...daemon, ...hosts], notes, ...restart };
}

async function hostChanges(
  options: PlanOptions,
  certs: string,
  notes: string[],
): Promise<readonly FileChange[]> {
  const changes: FileChange[] = [];
  // Docker Hub goes by daemon.json: two ways for one registry make docker ignore that file.
  for (
    const { registry, url } of options.registries.filter((one) => one.registry !== "docker.io")
  ) {
    const path = `${certs}/${registry}/hosts.toml`;
    const before = await options.files.read(path);
    const host = { url: `http://${options.mirror}`, server: url, takesReferrers: false };
    const after = withMirrorHost(before, host, path);
    if (after === undefined) notes.push(`${path} is left as it is: put the mirror first yourself`);
    else changes.push(...changeOf(path, before, after));
  }
  return changes;
}

function withMirrors(
  before: string | undefined,
  config: Readonly<Record<string, unknown>>,
  mirrors: readonly string[],
): string | undefined {
  const { "registry-mirrors": _was, ...rest } = config;
  const after = mirrors.length === 0 ? rest : { ...config, "registry-mirrors": mirrors };
  if (Object.keys(after).length === 0) return undefined;
  const indent = /\n([ \t]+)"/.exec(before ?? "")?.[1] ?? "  ";
  return `${JSON.stringify(after, null, indent)}\n`;
}

/** The very text that was there before setup, if it says the same as `after`. */
async function asItWas(
  files: ClientFiles,
  path: string,
  after: string | undefined,
): Promise<string | undefined> {
  const kept = await files.read(backupOf(path));
  if (kept === undefined || after === undefined) return after;
  return isDeepStrictEqual(parse(kept, path), parse(after, path)) ? kept : after;
}

function mirrorsOf(config: Readonly<Record<string, unknown>>): string[] {
  const mirrors = config["registry-mirrors"];
  return Array.isArray(mirrors) ? mirrors.map(String) : [];
}

/** From version 29 on a new docker keeps images in containerd's store unless it is told not to. */
function usesStore(config: Readonly<Record<string, unknown>>, version?: Version): boolean {
  const features = config.features as Record<string, unknown> | undefined;
  const said = features?.["containerd-snapshotter"];
  return typeof said === "boolean" ? said : isAtLeast(version, 29, 0);
}

function parse(text: string | undefined, path: string): Readonly<Record<string, unknown>> {
  if (text === undefined || text.trim() === "") return {};
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below: what the reader says of it quotes the file.
  }
  throw new SeedmintError("usage", `Cannot use ${path}: it is not a JSON object; mend it first`);
}
