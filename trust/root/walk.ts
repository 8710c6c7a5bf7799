/**
 * From the version of a root that is trusted to the highest one that follows from it: each must be
 * signed by the threshold of the version before and by its own, and none may be left out.
 */
import { canonicalJson } from "../canonical_json.ts";
import type { RootDocument, SignedRoot } from "./document.ts";
import { developmentKeys } from "./seed.ts";
import { rootSignerCount } from "./signing.ts";

/** What a walk came to. */
export interface RootWalk {
  /** The versions that are new, in order; empty when there are none. */
  readonly steps: readonly SignedRoot[];
  /** Why versions that were given are not believed, in words. */
  readonly refused: readonly string[];
  /** Those of them that a key of the root had a part in: anybody can make the others. */
  readonly alarming: readonly string[];
}

/**
 * What is wrong with a root that is taken at its word: the first one, pinned by the operator.
 *
 * @returns Undefined if nothing is.
 */
export async function pinnedRootFault(
  root: SignedRoot,
  options: { readonly development: boolean },
): Promise<string | undefined> {
  const { signed } = root;
  const count = await rootSignerCount(root, signed);
  if (count < signed.threshold) {
    return `version ${signed.version} of root ${signed.name} has ${count} of ${signed.threshold} ` +
      "signatures of its own keys";
  }
  return await developmentFault(signed, options);
}

/** Why a root is not to be used where development is off; undefined if it may be. */
export async function developmentFault(
  root: RootDocument,
  options: { readonly development: boolean },
): Promise<string | undefined> {
  if (options.development) return undefined;
  if (root.use === "development") {
    return `root ${root.name} is for development; set development to use it, never in production`;
  }
  const known = await developmentKeys();
  const listed = [...root.keys, ...root.delegations.flatMap(({ keys }) => keys)];
  const key = listed.find((one) => known.has(one));
  return key === undefined
    ? undefined
    : `root ${root.name} lists the development key ${key}, whose secret everybody knows`;
}

/** Goes as far as `candidates`, in any order and from anybody, lead on from `trusted`. */
export async function walkRoots(
  trusted: SignedRoot,
  candidates: readonly SignedRoot[],
  options: { readonly development: boolean },
): Promise<RootWalk> {
  const steps: SignedRoot[] = [];
  const refused: string[] = [];
  const alarming: string[] = [];
  const byVersion = new Map<number, SignedRoot[]>();
  for (const one of candidates) {
    if (one.signed.id !== trusted.signed.id) continue;
    byVersion.set(one.signed.version, [...byVersion.get(one.signed.version) ?? [], one]);
  }
  for (let current = trusted;;) {
    const choices = byVersion.get(current.signed.version + 1) ?? [];
    let next: SignedRoot | undefined;
    for (const choice of choices) {
      const fault = await successorFault(current, choice, options);
      if (fault === undefined && next === undefined) {
        next = choice;
        continue;
      }
      const isOther = fault === undefined &&
        canonicalJson(choice.signed) !== canonicalJson(next!.signed);
      const message = isOther
        ? `two different versions ${choice.signed.version} of root ${choice.signed.name} are ` +
          "signed: its keys may be in wrong hands"
        : fault;
      if (message === undefined || refused.includes(message)) continue;
      refused.push(message);
      if (await rootSignerCount(choice, current.signed) > 0) alarming.push(message);
    }
    if (next === undefined) return { steps, refused, alarming };
    steps.push(next);
    current = next;
  }
}

/** Why `next` does not follow from `current`, or undefined. */
export async function successorFault(
  current: SignedRoot,
  next: SignedRoot,
  options: { readonly development: boolean },
): Promise<string | undefined> {
  const [before, after] = [current.signed, next.signed];
  const what = `version ${after.version} of root ${after.name}`;
  const fault = (why: string) => `${what} ${why}`;
  if (after.id !== before.id || after.name !== before.name || after.use !== before.use) {
    return fault("changes its id, name or use");
  }
  if (after.version !== before.version + 1) {
    return fault(`does not follow on version ${before.version}`);
  }
  if (after.issuedS < before.issuedS) return fault("was issued before the one it follows on");
  const kept = new Set(after.revocations.map(({ key }) => key));
  if (before.revocations.some(({ key }) => !kept.has(key))) return fault("takes back a revocation");
  const oldCount = await rootSignerCount(next, before);
  if (oldCount < before.threshold) {
    return fault(`has ${oldCount} of ${before.threshold} signatures of the keys before it`);
  }
  const newCount = await rootSignerCount(next, after);
  if (newCount < after.threshold) {
    return fault(`has ${newCount} of ${after.threshold} signatures of its own keys`);
  }
  return await developmentFault(after, options);
}
