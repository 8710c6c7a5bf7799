/** Who may sign a catalog under a root. */
import type { KeySignature, RootDocument } from "./document.ts";
import { matchesPattern } from "./names.ts";
import { signersOf, type SigningDomain } from "./signing.ts";

/** In whose name a catalog is signed, and by which keys. */
export interface Authority {
  /** A role of the root, or `root` for the root's own keys. */
  readonly role: string;
  /** Ascending. */
  readonly signers: readonly string[];
  readonly threshold: number;
}

/** The keys that may sign, and how many must. */
interface Signing {
  readonly role: string;
  readonly keys: readonly string[];
  readonly threshold: number;
}

/** The roles of `root` that may sign the catalog called `name` at `nowS`; the root itself is the first. */
export function rolesFor(root: RootDocument, name: string, nowS: number): readonly Signing[] {
  const delegated = root.delegations.filter((one) =>
    (one.expiresS ?? Infinity) > nowS && one.catalogs.some((item) => matchesPattern(item, name))
  );
  return [{ role: "root", keys: root.keys, threshold: root.threshold }, ...delegated];
}

/**
 * In whose name `value` is signed, about the catalog called `catalog`.
 *
 * @returns Why nobody's, in words, when it is nobody's.
 */
export async function authorityOf(
  root: RootDocument,
  domain: SigningDomain,
  about: {
    readonly catalog: string;
    readonly value: unknown;
    readonly signatures: readonly KeySignature[];
    readonly nowS: number;
  },
): Promise<Authority | string> {
  const roles = rolesFor(root, about.catalog, about.nowS);
  const keys = new Set(roles.flatMap((role) => role.keys));
  const { signatures } = about;
  const signers = await signersOf(domain, about.value, { signatures, keys });
  const found = roles.map((role) => ({
    ...role,
    signers: role.keys.filter((key) => signers.has(key)),
  }));
  const whole = found.find((role) => role.signers.length >= role.threshold);
  if (whole !== undefined) {
    const { role, threshold } = whole;
    return { role, signers: whole.signers, threshold };
  }
  return lackOf(root, about, found);
}

/** Why the signatures of a catalog are not enough. */
function lackOf(
  root: RootDocument,
  about: { readonly catalog: string; readonly signatures: readonly KeySignature[] },
  found: readonly { role: string; signers: readonly string[]; threshold: number }[],
): string {
  const under = `version ${root.version} of root ${root.name}`;
  if (about.signatures.length === 0) return `it is not signed (${under} must have signed it)`;
  const revoked = root.revocations.find(({ key }) =>
    about.signatures.some((one) => one.key === key)
  );
  const best = found.reduce((a, b) => b.signers.length > a.signers.length ? b : a);
  if (best.signers.length > 0) {
    return `it has ${best.signers.length} of the ${best.threshold} signatures that ${best.role} ` +
      `needs in ${under}`;
  }
  if (revoked !== undefined) {
    return `it is signed by the key ${revoked.key}, which ${under} revokes (${revoked.reason})`;
  }
  const elsewhere = root.delegations.find((one) =>
    one.keys.some((key) => about.signatures.some((item) => item.key === key))
  );
  if (elsewhere !== undefined && !found.some(({ role }) => role === elsewhere.role)) {
    return `it is signed by keys of the role ${elsewhere.role}, which may not sign the catalog ` +
      `${about.catalog} (any more) in ${under}`;
  }
  return `no key that may sign the catalog ${about.catalog} in ${under} signed it rightly`;
}
