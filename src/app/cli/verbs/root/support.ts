/** What the verbs of `root` share: files, seeds, what is shown before it is signed, and signing. */
import { createHash } from "node:crypto";
import { ed25519PublicKey } from "../../../../core/ed25519.ts";
import { SeedmintError } from "../../../../core/errors.ts";
import { systemClock, systemRandom } from "../../../../host/system.ts";
import { dateOf } from "../../../../../trust/follow/judging.ts";
import {
  DEVELOPMENT_SEED,
  isPublicKey,
  isRootKeyLabel,
  parseRootChain,
  ROOT_CHAIN_BYTES_MAX,
  type RootDocument,
  rootKeyOf,
  rootProgress,
  type SignedRoot,
  signRoot,
  writeRootChain,
} from "../../../../../trust/root/mod.ts";
import { signedBytes } from "../../../../../trust/root/signing.ts";
import {
  createRootSeed,
  exists,
  readDocument,
  readRootSeed,
  writeDocument,
} from "../../../root_files.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { askYes } from "../wallet/consent.ts";

const DAY_S = 24 * 60 * 60;
const DAYS_MAX = 3650;
/** Days that a root holds unless said otherwise: time for a yearly ceremony, and a month late. */
export const ROOT_DAYS = "400";
/** Keys of each label that are tried when none is named. */
const LABEL_INDEX_MAX = 8;
const SEED_FILE = "root.seed";

/** Seconds since 1970. */
export function nowS(): number {
  return Math.floor(systemClock.nowMs() / 1000);
}

/** Where the master seed lies. */
export function seedPath(context: VerbContext): string {
  return absolute(context.flag("seed") ?? SEED_FILE);
}

/**
 * The master seed of this ceremony: the file, or in development the one that everybody knows.
 *
 * @param options `creates`: make the file when there is none.
 */
export async function openSeed(
  context: VerbContext,
  options: { readonly creates?: boolean } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (isForDevelopment(context) && context.flag("seed") === undefined) return DEVELOPMENT_SEED;
  const path = seedPath(context);
  if (options.creates !== true || await exists(path)) return await readRootSeed(path);
  const seed = await createRootSeed(path, systemRandom);
  context.out.note(
    `note: a new master seed is in ${path}: whoever has it can sign, and nobody can make it again; ` +
      "back it up where only you get to it, and keep it off machines with a network",
  );
  return seed;
}

/** Whether `--development` was said on this line. */
export function isForDevelopment(context: VerbContext): boolean {
  const { config } = context;
  return config.values.development && config.sources.development === "--development";
}

/** Whether there is a seed to sign with: named, there by custom, or that of development. */
export async function hasSeed(context: VerbContext): Promise<boolean> {
  return context.flag("seed") !== undefined || isForDevelopment(context) ||
    await exists(seedPath(context));
}

/** Reads the file with every version of a root. */
export async function readChain(path: string): Promise<readonly SignedRoot[]> {
  const bytes = await readDocument(path, { bytesMax: ROOT_CHAIN_BYTES_MAX, what: "a root" });
  return parseRootChain(new TextDecoder().decode(bytes));
}

/** Writes it. */
export async function writeChain(
  path: string,
  chain: readonly SignedRoot[],
  options: { readonly isNew?: boolean } = {},
): Promise<void> {
  await writeDocument(path, `${writeRootChain(chain)}\n`, options);
}

/** A public key as an operand or the value of a flag. */
export function readKey(text: string): string {
  const key = text.trim().toLowerCase();
  if (isPublicKey(key)) return key;
  throw new SeedmintError(
    "usage",
    `Cannot use "${text.slice(0, 24)}" as a key: the 64 hex digits that root pubkey prints wanted`,
  );
}

/** `--threshold`, if it is given. */
export function readThreshold(context: VerbContext): number | undefined {
  const text = context.flag("threshold");
  if (text === undefined) return undefined;
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new SeedmintError("usage", `Cannot use --threshold "${text.slice(0, 24)}": a count wanted`);
}

/** When `--days` from now end, in seconds since 1970. */
export function readExpiry(context: VerbContext, usual: string): number {
  const text = context.flag("days") ?? usual;
  const days = Number(text);
  if (/^\d{1,4}$/.test(text) && days >= 1 && days <= DAYS_MAX) return nowS() + days * DAY_S;
  throw new SeedmintError(
    "usage",
    `Cannot use --days "${text.slice(0, 24)}": 1 to ${DAYS_MAX} wanted`,
  );
}

/**
 * The secrets of a seed by their public keys: that of `--label`, or all that a seed is used for.
 *
 * @param roles Names of roles whose keys may be of this seed.
 */
export async function keysOf(
  context: VerbContext,
  seed: Uint8Array,
  roles: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const named = context.flag("label");
  const labels = named === undefined
    ? ["root", ...roles].flatMap((name) => [
      name,
      ...Array.from({ length: LABEL_INDEX_MAX }, (_, index) => `${name}/${index + 1}`),
    ])
    : [readLabel(named)];
  const secrets = labels.map((label) => rootKeyOf(seed, label));
  const keys = await Promise.all(secrets.map(ed25519PublicKey));
  return new Map(keys.map((key, index) => [key.toHex(), secrets[index]!]));
}

/** `--label`. */
export function readLabel(text: string): string {
  if (isRootKeyLabel(text)) return text;
  throw new SeedmintError(
    "usage",
    `Cannot use --label "${text.slice(0, 40)}": root, root/1 or the name of a role wanted`,
  );
}

/**
 * Shows the newest version of a root, asks, signs it with every key of the seed that may, and tells what
 * is missing.
 */
export async function signNewest(
  context: VerbContext,
  path: string,
  chain: readonly SignedRoot[],
): Promise<number> {
  const last = chain.at(-1)!;
  const before = chain.at(-2)?.signed;
  const wanted = new Set([...last.signed.keys, ...before?.keys ?? []]);
  if (!context.out.json) { for (const line of describeRoot(last.signed)) context.out.note(line); }
  const seed = await openSeed(context);
  const roles = last.signed.delegations.map(({ role }) => role);
  const mine = [...await keysOf(context, seed, roles)].filter(([key]) => wanted.has(key));
  if (mine.length === 0) {
    throw new SeedmintError(
      "denied",
      `Cannot sign version ${last.signed.version}: no key of this seed is listed in it, or in the ` +
        "version before; root pubkey shows the key of a label",
    );
  }
  await confirmSigning(context, `version ${last.signed.version} of root ${last.signed.name}`);
  let signed = last;
  for (const [, secret] of mine) signed = await signRoot(signed, secret);
  const whole = [...chain.slice(0, -1), signed];
  await writeChain(path, whole);
  return await tellProgress(context, path, whole);
}

/** Asks on a terminal; elsewhere `--yes` must have been said. */
export async function confirmSigning(context: VerbContext, what: string): Promise<void> {
  if (context.has("yes")) return;
  if (!context.input.isTerminal) {
    throw new SeedmintError(
      "usage",
      `Cannot sign ${what}: nobody is here to ask; say --yes if it may be signed`,
    );
  }
  if (await askYes(context, `Sign ${what}?`)) return;
  throw new SeedmintError("denied", `Did not sign ${what}: you said no`);
}

/** Tells where a root stands. */
export async function tellProgress(
  context: VerbContext,
  path: string,
  chain: readonly SignedRoot[],
): Promise<number> {
  const { out } = context;
  const { signed } = chain.at(-1)!;
  const { missing } = await rootProgress(chain);
  if (out.json) {
    out.object({
      path,
      id: signed.id,
      name: signed.name,
      version: signed.version,
      fingerprint: fingerprintOf(signed),
      signedBy: chain.at(-1)!.signatures.map(({ key }) => key),
      missing,
      complete: missing.length === 0,
    });
    return 0;
  }
  if (missing.length === 0) out.line(`${path}: version ${signed.version} is signed`);
  else {
    out.line(`${path}: version ${signed.version} is not signed yet`);
    out.note(`note: it needs ${missing.join(", and ")}; each of them runs: root sign ${path}`);
  }
  return 0;
}

/** What a version says, for those who are to sign it. */
export function describeRoot(root: RootDocument): readonly string[] {
  const list = (keys: readonly string[]) => keys.map((key) => `      ${key}`);
  return [
    `root ${root.name} (id ${root.id}), version ${root.version}, for ${root.use}`,
    `  issued  ${dateOf(root.issuedS)}, expires ${dateOf(root.expiresS)}`,
    `  keys, ${root.threshold} of ${root.keys.length} must sign:`,
    ...list(root.keys),
    ...root.delegations.flatMap((one) => [
      `  role ${one.role}, ${one.threshold} of ${one.keys.length} sign the catalogs ` +
      `${one.catalogs.join(", ")}${
        one.expiresS === undefined ? "" : `, until ${dateOf(one.expiresS)}`
      }:`,
      ...list(one.keys),
    ]),
    ...root.revocations.map(({ key, atS, reason }) =>
      `  revoked ${key} at ${dateOf(atS)}: ${reason}`
    ),
    `  fingerprint ${fingerprintOf(root)}`,
  ];
}

/** What all who sign one version compare: SHA-256 of the bytes that are signed, in groups of four. */
export function fingerprintOf(root: RootDocument): string {
  const digest = createHash("sha256").update(signedBytes("seedmint/root/v1", root)).digest("hex");
  return digest.match(/.{4}/g)!.join(" ");
}
