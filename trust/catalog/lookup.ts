/** Finding things in a catalog, by name and by selector. */
import { matchesPattern } from "../root/mod.ts";
import type { Catalog, CatalogFile, CatalogImage, CatalogItem, CatalogRelease } from "./catalog.ts";
import { isPlatform } from "./entries.ts";
import { compareVersions, isPreRelease } from "./versions.ts";

/** What a selector is about. */
export type EntryKind = "release" | "image" | "file";

/** Which things of a catalog are wanted. */
export interface Selector {
  /** Absent: any kind. */
  readonly kind?: EntryKind;
  /** Name, with `*` for any characters. */
  readonly name: string;
  /** A version with `*`, or `latest`: the last that is no pre-release. */
  readonly version: string;
  /** Only files for it, and those for none in particular. */
  readonly platform?: string;
}

/** One thing that a selector chose. */
export type Selected =
  | {
    readonly kind: "release";
    readonly release: CatalogRelease;
    readonly files: readonly CatalogFile[];
  }
  | { readonly kind: "image"; readonly image: CatalogImage }
  | { readonly kind: "file"; readonly file: CatalogItem };

const SELECTOR_CHARS_MAX = 400;

/**
 * Reads `[release:|image:|file:]NAME[@VERSION][#PLATFORM]`; the version is `latest` unless given.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parseSelector(text: string): Selector {
  const [, kind, name, version, platform] =
    /^(?:(release|image|file):)?([^@#\s]+)(?:@([^@#\s]+))?(?:#([^@#\s]+))?$/.exec(
      text.trim(),
    ) ?? [];
  const isGood = name !== undefined && !name.endsWith(":") && text.length <= SELECTOR_CHARS_MAX &&
    (platform === undefined || isPlatform(platform));
  if (!isGood) {
    throw new SyntaxError(
      `Cannot read the selector "${text.slice(0, 80)}": ` +
        "[release:|image:|file:]NAME[@VERSION][#PLATFORM] wanted, as in release:tool*#linux/amd64",
    );
  }
  return {
    ...(kind === undefined ? {} : { kind: kind as EntryKind }),
    name,
    version: version ?? "latest",
    ...(platform === undefined ? {} : { platform }),
  };
}

/** A selector as text. */
export function formatSelector({ kind, name, version, platform }: Selector): string {
  return `${kind === undefined ? "" : `${kind}:`}${name}@${version}${
    platform === undefined ? "" : `#${platform}`
  }`;
}

/** What any of `selectors` chooses, each thing once. */
export function select(catalog: Catalog, selectors: readonly Selector[]): readonly Selected[] {
  return [
    ...selectReleases(catalog, selectors),
    ...selectImages(catalog, selectors),
    ...selectFiles(catalog, selectors),
  ];
}

/**
 * A release by its name and version, the latest one unless a version is given: the last that is no
 * pre-release, or the last of all when there are only those.
 */
export function findRelease(
  catalog: Catalog,
  name: string,
  version: string | undefined,
): CatalogRelease | undefined {
  const named = catalog.releases.filter((one) => one.name === name);
  if (version !== undefined && version !== "latest") {
    return named.find((one) => one.version === version);
  }
  return latestOf(named);
}

/** The files that a platform takes: its own ones and those for none in particular. */
export function filesFor(
  files: readonly CatalogFile[],
  platform: string | undefined,
): readonly CatalogFile[] {
  return files.filter((one) =>
    platform === undefined || one.platform === undefined || one.platform === platform
  );
}

function latestOf<T extends { readonly version: string }>(list: readonly T[]): T | undefined {
  const settled = list.filter(({ version }) => !isPreRelease(version));
  return (settled.length > 0 ? settled : list).reduce<T | undefined>(
    (best, one) =>
      best === undefined || compareVersions(best.version, one.version) < 0 ? one : best,
    undefined,
  );
}

function selectReleases(catalog: Catalog, selectors: readonly Selector[]): Selected[] {
  const chosen = new Map<CatalogRelease, Set<CatalogFile>>();
  const byName = Map.groupBy(catalog.releases, ({ name }) => name);
  for (const selector of selectors.filter(({ kind }) => (kind ?? "release") === "release")) {
    for (const [name, releases] of byName) {
      if (!matchesPattern(selector.name, name)) continue;
      for (const release of versionsOf(releases, selector.version)) {
        const files = chosen.getOrInsertComputed(release, () => new Set());
        for (const file of filesFor(release.files, selector.platform)) files.add(file);
      }
    }
  }
  return [...chosen].filter(([, files]) => files.size > 0)
    .map(([release, files]) => ({ kind: "release", release, files: [...files] }));
}

function versionsOf<T extends { readonly version: string }>(
  list: readonly T[],
  version: string,
): readonly T[] {
  if (version !== "latest") return list.filter((one) => matchesPattern(version, one.version));
  const latest = latestOf(list);
  return latest === undefined ? [] : [latest];
}

/** An image's version is its tag; `latest` means each that is listed, for tags are no order. */
function selectImages(catalog: Catalog, selectors: readonly Selector[]): Selected[] {
  return catalog.images.filter((image) => {
    const colon = image.reference.lastIndexOf(":");
    const [path, tag] = [image.reference.slice(0, colon), image.reference.slice(colon + 1)];
    const short = path.slice(path.indexOf("/") + 1);
    return selectors.some((one) =>
      (one.kind ?? "image") === "image" &&
      (matchesPattern(one.name, path) || matchesPattern(one.name, short)) &&
      (one.version === "latest" || matchesPattern(one.version, tag)) &&
      (one.platform === undefined || image.platforms.length === 0 ||
        image.platforms.includes(one.platform))
    );
  }).map((image) => ({ kind: "image", image }));
}

function selectFiles(catalog: Catalog, selectors: readonly Selector[]): Selected[] {
  const chosen = new Set<CatalogItem>();
  const byName = Map.groupBy(catalog.files, ({ name }) => name);
  for (const selector of selectors.filter(({ kind }) => (kind ?? "file") === "file")) {
    for (const [name, files] of byName) {
      if (!matchesPattern(selector.name, name)) continue;
      for (const file of filesFor(files, selector.platform) as readonly CatalogItem[]) {
        const isWanted = selector.version === "latest" ||
          matchesPattern(selector.version, file.version ?? "");
        if (isWanted) chosen.add(file);
      }
    }
  }
  return [...chosen].map((file) => ({ kind: "file", file }));
}
