/** A publisher with a root for tests: makes versions of it, catalogs and seals, right and wrong ones. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { ed25519PublicKey } from "../../src/core/ed25519.ts";
import { hashBytes } from "../../swarm/bao/mod.ts";
import {
  type Catalog,
  newCatalog,
  type Seal,
  sha256Of,
  signSeal,
  statementOf,
  withReleaseFile,
  writeCatalog,
} from "../../trust/catalog/mod.ts";
import {
  changeRoot,
  newRoot,
  type RootChange,
  rootKeyOf,
  type SignedRoot,
  signRoot,
} from "../../trust/root/mod.ts";
import { seededRandom } from "../support/seeded_random.ts";

export const NOW_MS = 1_800_000_000_000;
export const NOW_S: number = NOW_MS / 1000;
export const DAY_S = 24 * 60 * 60;

/** Bytes that nobody would use. */
export const SEED: Uint8Array<ArrayBuffer> = Uint8Array.from({ length: 32 }, (_, index) => index);

export const secretOf = (label: string): Uint8Array<ArrayBuffer> => rootKeyOf(SEED, label);

export const keyOf = async (label: string): Promise<string> =>
  (await ed25519PublicKey(secretOf(label))).toHex();

/** The keys of several labels, by label. */
export async function keysOf<const Label extends string>(
  ...labels: readonly Label[]
): Promise<Record<Label, string>> {
  const keys = await Promise.all(labels.map(async (label) => [label, await keyOf(label)]));
  return Object.fromEntries(keys);
}

/** A catalog with its bytes and its seal. */
export interface Sealed {
  readonly catalog: Catalog;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly seal: Seal;
}

/** A root of `labels`, signed by all of them. */
export class Publisher {
  chain: readonly SignedRoot[];

  private constructor(chain: readonly SignedRoot[]) {
    this.chain = chain;
  }

  static async begin(
    options: {
      readonly labels?: readonly string[];
      readonly threshold?: number;
      readonly name?: string;
      readonly use?: "production" | "development";
      readonly expiresS?: number;
      readonly id?: number;
    } = {},
  ): Promise<Publisher> {
    const { labels = ["root"], threshold = 1, name = "acme", use = "production" } = options;
    const draft = newRoot({
      name,
      use,
      keys: await Promise.all(labels.map(keyOf)),
      threshold,
      nowS: NOW_S,
      expiresS: options.expiresS ?? NOW_S + 400 * DAY_S,
    }, seededRandom(options.id ?? 7));
    const publisher = new Publisher([draft]);
    await publisher.sign(labels);
    return publisher;
  }

  get newest(): SignedRoot {
    return this.chain.at(-1)!;
  }

  /** The next version, signed by `labels`. */
  async change(
    change: RootChange,
    labels: readonly string[] = ["root"],
    nowS = NOW_S,
  ): Promise<void> {
    this.chain = await changeRoot(this.chain, change, nowS);
    await this.sign(labels);
  }

  async sign(labels: readonly string[]): Promise<void> {
    let last = this.newest;
    for (const label of labels) last = await signRoot(last, secretOf(label));
    this.chain = [...this.chain.slice(0, -1), last];
  }

  /** A catalog with one file in one release, sealed by `labels`. */
  async seal(
    options: {
      readonly name?: string;
      readonly sequence?: number;
      readonly issuedS?: number;
      readonly expiresS?: number;
      readonly version?: string;
      readonly labels?: readonly string[];
      readonly change?: (catalog: Catalog) => Catalog;
    } = {},
  ): Promise<Sealed> {
    const { sequence = 1, issuedS = NOW_S, labels = ["root"] } = options;
    const empty = newCatalog({
      name: options.name ?? "tools",
      root: this.newest.signed.id,
      issuedS,
      expiresS: options.expiresS ?? issuedS + 30 * DAY_S,
    });
    const filled = withReleaseFile({ ...empty, sequence }, {
      name: "tool",
      version: options.version ?? `1.${sequence}.0`,
    }, { file: fileOf(`tool ${sequence}`), replaces: false });
    return await sealed(options.change?.(filled) ?? filled, labels);
  }
}

/** A file whose content is `text`. */
export function fileOf(text: string): {
  readonly name: string;
  readonly size: number;
  readonly blake3: Hash;
  readonly sha256: Sha256;
  readonly origins: readonly string[];
} {
  const bytes = new TextEncoder().encode(text);
  return {
    name: "tool.bin",
    size: bytes.length,
    blake3: hashBytes(bytes),
    sha256: sha256Of(bytes),
    origins: [],
  };
}

/** A catalog sealed by `labels`. */
export async function sealed(catalog: Catalog, labels: readonly string[]): Promise<Sealed> {
  const bytes = new TextEncoder().encode(writeCatalog(catalog));
  const hashes = { size: bytes.length, blake3: hashBytes(bytes), sha256: sha256Of(bytes) };
  let seal: Seal = { signed: statementOf(catalog, hashes), signatures: [] };
  for (const label of labels) seal = await signSeal(seal, secretOf(label));
  return { catalog, bytes, seal };
}
