/** `release.get`: what a signed catalog lists, from peers or its origins, both hashes checked. */
import { join } from "node:path";
import { SeedmintError } from "../../../core/errors.ts";
import {
  type CatalogFile,
  type CatalogRelease,
  compareVersions,
  filesFor,
  findRelease,
} from "../../../../trust/catalog/mod.ts";
import type { AcceptedCatalog, CatalogKey } from "../../../../trust/follow/mod.ts";
import type { Handler, HandlerContext, NodeParts } from "../parts.ts";
import { blobPath, checkFree, placeBlob, placeCollection } from "../place.ts";
import type { CatalogDesk } from "../trust.ts";
import type { ReleaseFile, ReleaseGetParams } from "../trust_methods.ts";
import { deskOf } from "./catalogs.ts";

/** A catalog that was looked for so long ago is looked for again before something is taken of it. */
const FRESH_MS: number = 10 * 60 * 1000;

interface Found {
  readonly accepted: AcceptedCatalog;
  readonly release: CatalogRelease;
}

/** Finds the release, fetches its files and writes them. */
export const getRelease: Handler<"release.get"> = async (parts, params, context) => {
  const startMs = parts.clock.monotonicMs();
  const desk = await deskOf(parts);
  const { accepted, release } = await find(parts, desk, params, context);
  const chosen = filesOf(release, params);
  if (params.output !== undefined && chosen.length > 1 && !await isFolder(params.output)) {
    throw new SeedmintError(
      "usage",
      `Cannot write ${chosen.length} files to ${params.output}: name a directory, with / at its ` +
        `end, or one of them with --file: ${chosen.map(({ name }) => name).join(", ")}`,
    );
  }
  const files: ReleaseFile[] = [];
  for (const file of chosen) {
    const isOneOfMany = chosen.length > 1;
    files.push(await fetchFile(parts, desk, { file, params, context, isOneOfMany }));
  }
  return {
    catalog: accepted.catalog.name,
    sequence: accepted.catalog.sequence,
    name: release.name,
    version: release.version,
    notes: release.notes ?? null,
    ms: Math.round(parts.clock.monotonicMs() - startMs),
    files,
  };
};

/** The release in what is followed; a catalog that may be old is looked for first. */
async function find(
  parts: NodeParts,
  desk: CatalogDesk,
  params: ReleaseGetParams,
  context: HandlerContext<"release.get">,
): Promise<Found> {
  const { name, version } = readRelease(params.release);
  const keys = keysOf(desk, params.catalog);
  const nowMs = parts.clock.nowMs();
  const problems: string[] = [];
  await Promise.all(keys.map(async (key) => {
    const { checkedMs } = statusOf(desk, key)!;
    if (checkedMs !== undefined && nowMs - checkedMs < FRESH_MS) return;
    // What was accepted before stays good when nobody can be asked.
    const report = await desk.refresh(key, context);
    const { refused } = report;
    problems.push(
      ...refused.map((one) => `${key.name} from ${one.from} is refused: ${one.message}`),
      ...report.problems,
    );
  }));
  const found = keys.flatMap((key): Found[] => {
    const accepted = statusOf(desk, key)?.accepted;
    const release = accepted && findRelease(accepted.catalog, name, version);
    return release === undefined ? [] : [{ accepted: accepted!, release }];
  });
  for (const message of problems) context.emit({ event: "note", message });
  const best = found.toSorted((a, b) => compareVersions(b.release.version, a.release.version))[0];
  if (best === undefined) throw notFound(desk, params, problems);
  const roots = new Set(found.map(({ accepted }) => accepted.seal.signed.root));
  if (roots.size > 1 || (found.length > 1 && params.catalog === undefined)) {
    const names = found.map(({ accepted }) => accepted.catalog.name).join(", ");
    throw new SeedmintError(
      "usage",
      `${name} is in several catalogs: ${names}; say which with --catalog`,
    );
  }
  return best;
}

function keysOf(desk: CatalogDesk, catalog: string | undefined): readonly CatalogKey[] {
  const keys = desk.status().map(({ follow: { root, name } }) => ({ root, name }));
  if (catalog === undefined) {
    if (keys.length > 0) return keys;
    throw new SeedmintError(
      "usage",
      "No catalog is followed; pin its root with --release-root FILE, then catalog follow NAME",
    );
  }
  const wanted = desk.keyOf(catalog);
  const found = keys.filter(({ root, name }) => root === wanted.root && name === wanted.name);
  if (found.length > 0) return found;
  throw new SeedmintError(
    "not-found",
    `The catalog ${catalog} is not followed; catalog follow ${catalog} does that`,
  );
}

function statusOf(desk: CatalogDesk, key: CatalogKey) {
  return desk.status().find(({ follow }) => follow.root === key.root && follow.name === key.name);
}

/** `NAME` or `NAME@VERSION`. */
function readRelease(text: string): { readonly name: string; readonly version?: string } {
  const at = text.lastIndexOf("@");
  if (at <= 0) return { name: text };
  return { name: text.slice(0, at), version: text.slice(at + 1) };
}

function notFound(
  desk: CatalogDesk,
  params: ReleaseGetParams,
  problems: readonly string[],
): SeedmintError {
  const { name } = readRelease(params.release);
  const accepted = desk.status().flatMap((one) => one.accepted ?? []);
  const versions = accepted.flatMap(({ catalog }) =>
    catalog.releases.filter((one) => one.name === name).map((one) => one.version)
  ).sort(compareVersions).reverse();
  const why = accepted.length === 0
    ? "no signed catalog could be had"
    : versions.length > 0
    ? `there are ${versions.slice(0, 8).join(", ")}`
    : "catalog ls NAME lists what there is";
  return new SeedmintError(
    "not-found",
    `No signed catalog lists ${params.release}: ${[why, ...problems].join("; ")}`,
  );
}

function filesOf(release: CatalogRelease, params: ReleaseGetParams): readonly CatalogFile[] {
  const named = `${release.name}@${release.version}`;
  const platform = params.platform === "all" ? undefined : params.platform;
  const forPlatform = filesFor(release.files, platform);
  const chosen = params.file === undefined
    ? forPlatform
    : forPlatform.filter(({ name }) => name === params.file);
  if (chosen.length > 0) return chosen;
  const all = release.files.map((one) => `${one.name} (${one.platform ?? "any"})`).join(", ");
  throw new SeedmintError(
    "not-found",
    `${named} has no ${params.file ?? "file"} for ${params.platform}; it has ${all}`,
  );
}

async function fetchFile(
  parts: NodeParts,
  desk: CatalogDesk,
  work: {
    readonly file: CatalogFile;
    readonly params: ReleaseGetParams;
    readonly context: HandlerContext<"release.get">;
    readonly isOneOfMany: boolean;
  },
): Promise<ReleaseFile> {
  const { file, params, context, isOneOfMany } = work;
  const { signal } = context;
  const options = { overwrite: params.overwrite, signal };
  const path = params.output === undefined
    ? undefined
    : file.kind === "collection"
    ? isOneOfMany ? join(params.output, file.name) : params.output
    : await blobPath(params.output, [file.name]);
  if (path !== undefined && file.kind === undefined) {
    await checkFree(path, { ...options, hash: file.blake3 });
  }
  const report = await desk.fetch(file, context);
  const record = parts.store.status(file.blake3)!;
  if (path !== undefined && file.kind === undefined) {
    await placeBlob(parts.store, record, path, options);
  } else if (path !== undefined) await placeCollection(parts.store, record, path, options);
  if (record.visibility === "public") parts.announcer?.announce(file.blake3);
  return {
    name: file.name,
    platform: file.platform ?? null,
    hash: file.blake3,
    sha256: file.sha256,
    size: report.size,
    path: path ?? null,
    sources: report.sources,
  };
}

async function isFolder(path: string): Promise<boolean> {
  if (path.endsWith("/")) return true;
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory === true;
}
