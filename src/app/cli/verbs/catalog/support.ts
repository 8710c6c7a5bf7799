/** What the verbs of `catalog` share: its files, its times, and what was signed of it. */
import { dirname, join } from "node:path";
import { SeedmintError } from "../../../../core/errors.ts";
import { systemClock } from "../../../../host/system.ts";
import { hashBytes } from "../../../../../swarm/bao/mod.ts";
import {
  type Catalog,
  CATALOG_BYTES_MAX,
  CATALOG_DAYS,
  parseCatalog,
  parseSeal,
  renewed,
  type Seal,
  SEAL_BYTES_MAX,
  sha256Of,
  statementOf,
  writeCatalog,
} from "../../../../../trust/catalog/mod.ts";
import { exists, readDocument, writeDocument } from "../../../root_files.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

const DAY_S = 24 * 60 * 60;

/** A catalog with its file, and what was signed of it. */
export interface CatalogFileState {
  readonly path: string;
  readonly catalog: Catalog;
  readonly bytes: Uint8Array;
  /** The seal beside it, if it is about these very bytes. */
  readonly seal?: Seal;
  /** The sequence of a seal beside it that is about other bytes. */
  readonly sealedSequence?: number;
}

/** Seconds since 1970. */
export function nowS(): number {
  return Math.floor(systemClock.nowMs() / 1000);
}

/** Where the detached signature of a catalog lies: beside it. */
export function sealPath(path: string): string {
  return `${path}.seal`;
}

/** Where the root lies: `--root`, or root.json beside the catalog. */
export function rootPath(context: VerbContext, catalogPath: string): string {
  return absolute(context.flag("root") ?? join(dirname(catalogPath), "root.json"));
}

/** Reads a catalog and the seal beside it. */
export async function readCatalog(operand: string): Promise<CatalogFileState> {
  const path = absolute(operand);
  const bytes = await readDocument(path, { bytesMax: CATALOG_BYTES_MAX, what: "a catalog" });
  const catalog = parseCatalog(bytes);
  if (!await exists(sealPath(path))) return { path, catalog, bytes };
  const text = await readDocument(sealPath(path), {
    bytesMax: SEAL_BYTES_MAX,
    what: "a signature",
  });
  const seal = parseSeal(new TextDecoder().decode(text));
  const isOwn = seal.signed.sha256 === sha256Of(bytes);
  return {
    path,
    catalog,
    bytes,
    ...(isOwn ? { seal } : { sealedSequence: seal.signed.sequence }),
  };
}

/** The bytes of a catalog, and what is to be signed of them. */
export function unsignedSeal(
  catalog: Catalog,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly seal: Seal } {
  const bytes = new TextEncoder().encode(writeCatalog(catalog));
  const hashes = { size: bytes.length, blake3: hashBytes(bytes), sha256: sha256Of(bytes) };
  return { bytes, seal: { signed: statementOf(catalog, hashes), signatures: [] } };
}

/**
 * The catalog as it is before a change: one that was signed already is followed by the next of its
 * name, since nobody may ever see two of one sequence.
 */
export function forChange({ catalog, seal, sealedSequence = 0 }: CatalogFileState): Catalog {
  if (seal !== undefined && seal.signatures.length > 0) return renewed(catalog, timesOf(catalog));
  return { ...catalog, sequence: Math.max(catalog.sequence, sealedSequence + 1) };
}

/** From now on, for as long as before. */
export function timesOf(catalog: Catalog): Pick<Catalog, "issuedS" | "expiresS"> {
  const issuedS = nowS();
  return { issuedS, expiresS: issuedS + (catalog.expiresS - catalog.issuedS) };
}

/** `--days` from now, in seconds since 1970. */
export function readDays(context: VerbContext): number {
  const text = context.flag("days") ?? String(CATALOG_DAYS.usual);
  const days = Number(text);
  if (/^\d{1,3}$/.test(text) && days >= 1 && days <= CATALOG_DAYS.max) return days * DAY_S;
  throw new SeedmintError(
    "usage",
    `Cannot use --days "${text.slice(0, 24)}": 1 to ${CATALOG_DAYS.max} wanted`,
  );
}

/** Writes a changed catalog; a seal that is about other bytes goes. */
export async function writeChanged(path: string, catalog: Catalog): Promise<void> {
  await writeDocument(path, writeCatalog(catalog));
  await Deno.remove(sealPath(path)).catch(() => {});
}

/** One line that says where a catalog stands. */
export function summaryOf(catalog: Catalog): string {
  const count = (one: number, word: string) => `${one} ${word}${one === 1 ? "" : "s"}`;
  return `${catalog.name} ${catalog.sequence}: ${
    [
      count(catalog.releases.length, "release"),
      count(catalog.images.length, "image"),
      count(catalog.files.length, "file"),
    ].join(", ")
  }`;
}

/** What a catalog's file is called when nothing else is said. */
export function catalogPath(context: VerbContext, name: string): string {
  return absolute(context.flag("output") ?? `${name}.json`);
}
