/**
 * `hosts.toml`: where containerd, and docker with containerd's store, ask for a registry's images. Hosts
 * are asked in the order of the file, `server` last
 * (https://github.com/containerd/containerd/blob/main/docs/hosts.md).
 */
import { isDeepStrictEqual } from "node:util";
import { parseTable } from "../config/toml.ts";
import { appendBlock, blockOf, hasBlock, insertBlock, withoutBlocks } from "./block.ts";
import type { ClientFiles, FileChange } from "./files.ts";

/** How long a dead mirror may hold up a pull; containerd's own patience is 30 s. */
const DIAL_TIMEOUT = "200ms";

/** A host of such a file. */
export interface HostEntry {
  readonly url: string;
  readonly capabilities: readonly string[];
}

/** What is written. */
export interface MirrorHost {
  /** `http://127.0.0.1:5055` */
  readonly url: string;
  /** The registry's own URL, for a file that is not there yet. */
  readonly server: string;
  /** Whether the client knows the capability `referrers`; one that does not refuses the file. */
  readonly takesReferrers: boolean;
}

/**
 * The file with our host first.
 *
 * @returns Undefined when it cannot be changed without changing what else it says.
 */
export function withMirrorHost(
  text: string | undefined,
  host: MirrorHost,
  path: string,
): string | undefined {
  const rest = withoutBlocks(text ?? "");
  const lines = hostLines(host);
  if (rest.trim() === "") return blockOf([`server = ${quote(host.server)}`, "", ...lines]);
  if (readHosts(rest, path).some(({ url }) => url === host.url)) return rest;
  const firstTable = rest.split("\n").findIndex((line) => /^\s*\[/.test(line));
  const block = blockOf(lines);
  const after = firstTable < 0 ? appendBlock(rest, block) : insertBlock(rest, firstTable, block);
  return isSameBesides(after, rest, host.url, path) ? after : undefined;
}

/** The file without what setup wrote; undefined when nothing else is in it. */
export function withoutMirrorHost(text: string): string | undefined {
  const rest = withoutBlocks(text);
  return rest.trim() === "" && hasBlock(text) ? undefined : rest;
}

/** The hosts of a file, in the order in which they are asked. */
export function readHosts(text: string, path: string): readonly HostEntry[] {
  const table = parseTable(text, path).host;
  if (typeof table !== "object" || table === null) return [];
  return Object.entries(table).map(([url, entry]) => ({
    url: url.replace(/\/$/, ""),
    capabilities: Array.isArray(entry?.capabilities)
      ? entry.capabilities.map(String)
      : ["pull", "resolve", "push"],
  }));
}

/** The changes of the files of `directory` that setup once wrote. */
export async function planHostRemoval(
  files: ClientFiles,
  directory: string,
): Promise<readonly FileChange[]> {
  const changes: FileChange[] = [];
  for (const name of await files.list(directory)) {
    const path = `${directory}/${name}/hosts.toml`;
    const before = await files.read(path).catch(() => undefined);
    if (before === undefined || !hasBlock(before)) continue;
    const after = withoutMirrorHost(before);
    changes.push({
      path,
      before,
      ...(after === undefined ? { ownsDirectory: true } : { after }),
    });
  }
  return changes;
}

function hostLines({ url, takesReferrers }: MirrorHost): string[] {
  const capabilities = ["pull", "resolve", ...(takesReferrers ? ["referrers"] : [])];
  return [
    `[host.${quote(url)}]`,
    `  capabilities = [${capabilities.map(quote).join(", ")}]`,
    `  dial_timeout = ${quote(DIAL_TIMEOUT)}`,
  ];
}

/** Whether nothing but our host was added, and that comes first. */
function isSameBesides(after: string, before: string, url: string, path: string): boolean {
  const now = structuredClone(parseTable(after, path)) as Record<string, unknown>;
  const then = parseTable(before, path);
  const hosts = { ...now.host as Record<string, unknown> };
  if (Object.keys(hosts)[0] !== url) return false;
  delete hosts[url];
  const isAlone = Object.keys(hosts).length === 0 && then.host === undefined;
  if (isAlone) delete now.host;
  else now.host = hosts;
  return isDeepStrictEqual(plain(now), plain(then));
}

/** Tables as plain objects, whatever class the reader gives them. */
export function plain(table: unknown): unknown {
  return JSON.parse(JSON.stringify(table));
}

/** A basic string of TOML; what is written here are URLs and words. */
export function quote(text: string): string {
  return JSON.stringify(text);
}
