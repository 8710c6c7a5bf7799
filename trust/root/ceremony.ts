/**
 * Changing a root: every change makes the next version, unsigned, from the newest that is signed.
 * While the newest version of a file still lacks signatures it is what is changed, so that one
 * ceremony may do several things and end in one version.
 */
import type { Random } from "../../src/core/ports.ts";
import { type Delegation, documentFault, type RootDocument, type SignedRoot } from "./document.ts";
import { successorFault } from "./walk.ts";
import { rootSignerCount } from "./signing.ts";

/** Which version of a file is the newest that is signed, and the one that is not yet. */
export interface RootProgress {
  /** Absent while the first version lacks signatures. */
  readonly newest?: SignedRoot;
  readonly draft?: SignedRoot;
  /** What is missing before the draft counts, in words. */
  readonly missing: readonly string[];
}

/** What a root begins with. */
export interface NewRoot {
  readonly name: string;
  readonly use: RootDocument["use"];
  readonly keys: readonly string[];
  readonly threshold: number;
  readonly nowS: number;
  readonly expiresS: number;
}

/**
 * The first version of a new root, unsigned.
 *
 * @throws {RangeError} If it cannot be one.
 */
export function newRoot(options: NewRoot, random: Random): SignedRoot {
  return draftOf({
    type: "seedmint/root/v1",
    id: random.bytes(16).toHex(),
    name: options.name,
    version: 1,
    use: options.use,
    issuedS: options.nowS,
    expiresS: options.expiresS,
    keys: sorted(options.keys),
    threshold: options.threshold,
    delegations: [],
    revocations: [],
  });
}

/** Where a file with versions stands. */
export async function rootProgress(chain: readonly SignedRoot[]): Promise<RootProgress> {
  const last = chain.at(-1)!;
  const before = chain.at(-2);
  const missing: string[] = [];
  const count = async (by: RootDocument, whose: string) => {
    const have = await rootSignerCount(last, by);
    if (have < by.threshold) missing.push(`${by.threshold - have} more of ${whose} keys`);
  };
  if (before !== undefined) await count(before.signed, `version ${before.signed.version}'s`);
  await count(last.signed, before === undefined ? "its" : "its own");
  if (missing.length === 0) return { newest: last, missing };
  return { ...(before === undefined ? {} : { newest: before }), draft: last, missing };
}

/** A change of a root's document. */
export type RootChange = (root: RootDocument) => Partial<RootDocument>;

/**
 * The file after a change: its draft changed, or a new draft at its end.
 *
 * @throws {RangeError} If the outcome is no root that could follow.
 */
export async function changeRoot(
  chain: readonly SignedRoot[],
  change: RootChange,
  nowS: number,
): Promise<readonly SignedRoot[]> {
  const { draft } = await rootProgress(chain);
  const base = chain.at(-1)!.signed;
  const settled = draft === undefined ? chain : chain.slice(0, -1);
  const version = draft === undefined ? base.version + 1 : base.version;
  const changed = { ...base, issuedS: Math.max(nowS, base.issuedS), ...change(base), version };
  const next = draftOf(changed);
  const before = settled.at(-1);
  const fault = before === undefined ? undefined : await successorFault(before, next, {
    development: true,
  });
  // It cannot be signed yet: what else is wrong is.
  if (fault !== undefined && !/has \d+ of \d+ signatures/.test(fault)) {
    throw new RangeError(`Cannot change the root: ${fault}`);
  }
  return [...settled, next];
}

/** Adds and removes keys, and sets the threshold and the expiry. */
export function rotation(
  options: {
    readonly add: readonly string[];
    readonly remove: readonly string[];
    readonly threshold?: number;
    readonly expiresS: number;
  },
): RootChange {
  return (root) => {
    const unknown = options.remove.find((key) => !root.keys.includes(key));
    if (unknown !== undefined) {
      throw new RangeError(`Cannot remove the key ${unknown}: the root does not list it`);
    }
    const kept = root.keys.filter((key) => !options.remove.includes(key));
    return {
      keys: sorted([...kept, ...options.add]),
      threshold: options.threshold ?? root.threshold,
      expiresS: options.expiresS,
    };
  };
}

/** Sets a delegation, or takes it away when there is none to set. */
export function delegation(role: string, set: Omit<Delegation, "role"> | undefined): RootChange {
  return (root) => {
    const others = root.delegations.filter((one) => one.role !== role);
    if (set === undefined) {
      if (others.length < root.delegations.length) return { delegations: others };
      throw new RangeError(`Cannot remove the role ${role}: the root does not delegate to it`);
    }
    const added = {
      ...set,
      role,
      keys: sorted(set.keys),
      catalogs: sorted(set.catalogs),
      ...(set.images === undefined ? {} : { images: sorted(set.images) }),
    };
    return { delegations: [...others, added].sort((a, b) => a.role < b.role ? -1 : 1) };
  };
}

/** Revokes a key: it is taken out wherever it is listed, and never counts again. */
export function revocation(
  options: {
    readonly key: string;
    readonly reason: string;
    readonly atS: number;
    /** Takes the key's place wherever it was listed. */
    readonly replacement?: string;
  },
): RootChange {
  const { key, reason, atS, replacement } = options;
  const without = (keys: readonly string[]) =>
    sorted(
      keys.flatMap((one) => one !== key ? [one] : replacement === undefined ? [] : [replacement]),
    );
  const bounded = (one: { readonly keys: readonly string[]; readonly threshold: number }) => {
    const keys = without(one.keys);
    if (keys.length >= one.threshold) return keys;
    throw new RangeError(
      `Cannot revoke the key ${key}: ${keys.length} of the ${one.threshold} keys that must sign ` +
        "would be left; name another in its place with --replace, or remove the role first",
    );
  };
  return (root) => {
    if (root.revocations.some((one) => one.key === key)) {
      throw new RangeError(`Cannot revoke the key ${key}: it is revoked already`);
    }
    return {
      keys: bounded(root),
      delegations: root.delegations.map((one) => ({ ...one, keys: bounded(one) })),
      revocations: [...root.revocations, { key, atS, reason }]
        .sort((a, b) => a.key < b.key ? -1 : 1),
    };
  };
}

function draftOf(signed: RootDocument): SignedRoot {
  const fault = documentFault(signed);
  if (fault !== undefined) throw new RangeError(`Cannot make the root: ${fault}`);
  return { signed, signatures: [] };
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
