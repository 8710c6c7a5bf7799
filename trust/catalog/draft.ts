/** Making a catalog and changing it: pure functions from one catalog to the next. */
import { canonicalJson } from "../canonical_json.ts";
import {
  type Catalog,
  catalogFault,
  type CatalogFile,
  type CatalogImage,
  type CatalogItem,
} from "./catalog.ts";
import { itemKey } from "./entries.ts";

/**
 * A new catalog that lists nothing.
 *
 * @throws {RangeError} If it cannot be one.
 */
export function newCatalog(
  options: Pick<Catalog, "name" | "root" | "issuedS" | "expiresS">,
): Catalog {
  return checked({
    type: "seedmint/catalog/v1",
    ...options,
    sequence: 1,
    releases: [],
    images: [],
    files: [],
  });
}

/** The same content as the next of its name. */
export function renewed(
  catalog: Catalog,
  times: Pick<Catalog, "issuedS" | "expiresS">,
): Catalog {
  return checked({ ...catalog, ...times, sequence: catalog.sequence + 1 });
}

/**
 * With a file in a release, which is made when it is new. A file of the same name and platform is
 * replaced if `replaces`.
 *
 * @throws {RangeError} If it is there with other content, or something in it is wrong.
 */
export function withReleaseFile(
  catalog: Catalog,
  release: { readonly name: string; readonly version: string; readonly notes?: string },
  file: { readonly file: CatalogFile; readonly replaces: boolean },
): Catalog {
  const isSame = (one: { readonly name: string; readonly version: string }) =>
    one.name === release.name && one.version === release.version;
  const known = catalog.releases.find(isSame);
  const files = placed(known?.files ?? [], file.file, file.replaces);
  const notes = release.notes ?? known?.notes;
  const changed = {
    name: release.name,
    version: release.version,
    price: "free" as const,
    ...(notes === undefined ? {} : { notes }),
    files,
  };
  const others = catalog.releases.filter((one) => !isSame(one));
  return checked({
    ...catalog,
    releases: ordered([...others, changed], (one) => `${one.name}\n${one.version}`),
  });
}

/**
 * With a file of its own.
 *
 * @throws {RangeError} As {@link withReleaseFile}.
 */
export function withFile(
  catalog: Catalog,
  { file, replaces }: { readonly file: CatalogItem; readonly replaces: boolean },
): Catalog {
  return checked({ ...catalog, files: placed(catalog.files, file, replaces) });
}

/**
 * With an image; what its reference meant before is replaced if `replaces`.
 *
 * @throws {RangeError} As {@link withReleaseFile}.
 */
export function withImage(
  catalog: Catalog,
  { image, replaces }: { readonly image: CatalogImage; readonly replaces: boolean },
): Catalog {
  const known = catalog.images.find((one) => one.reference === image.reference);
  if (known !== undefined && known.digest !== image.digest && !replaces) {
    throw new RangeError(
      `Cannot add ${image.reference}: it is listed as ${known.digest}; pass --force to replace it`,
    );
  }
  const others = catalog.images.filter((one) => one.reference !== image.reference);
  return checked({ ...catalog, images: ordered([...others, image], (one) => one.reference) });
}

/** Without what `chosen` says; the same catalog when that is nothing. */
export function without(
  catalog: Catalog,
  chosen: (entry: {
    readonly kind: "release" | "image" | "file";
    readonly name: string;
    readonly version: string | undefined;
  }) => boolean,
): Catalog {
  return {
    ...catalog,
    releases: catalog.releases.filter(({ name, version }) =>
      !chosen({ kind: "release", name, version })
    ),
    images: catalog.images.filter(({ reference }) =>
      !chosen({ kind: "image", name: reference, version: undefined })
    ),
    files: catalog.files.filter(({ name, version }) => !chosen({ kind: "file", name, version })),
  };
}

function placed<T extends CatalogFile>(
  files: readonly T[],
  file: T,
  replaces: boolean,
): readonly T[] {
  const key = itemKey(file);
  const known = files.find((one) => itemKey(one) === key);
  if (known !== undefined && known.blake3 !== file.blake3 && !replaces) {
    throw new RangeError(
      `Cannot add ${file.name}: it is listed with other content; pass --force to replace it`,
    );
  }
  const others = files.filter((one) => itemKey(one) !== key);
  return ordered([...others, file], (one) => itemKey(one));
}

function ordered<T>(list: readonly T[], keyOf: (one: T) => string): readonly T[] {
  return [...list].sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
}

function checked(catalog: Catalog): Catalog {
  const fault = catalogFault(JSON.parse(canonicalJson(catalog)));
  if (fault === undefined) return catalog;
  throw new RangeError(`Cannot make the catalog: ${fault}`);
}
