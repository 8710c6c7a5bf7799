/**
 * One look for a newer catalog: all publications that can be found, the root as far as they lead, then
 * the best seal that holds, then its bytes. Nothing counts before it is on disk.
 */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { canonicalJson } from "../canonical_json.ts";
import { openSealed } from "../catalog/mod.ts";
import { type Authority, rootSignerCount, type SignedRoot, walkRoots } from "../root/mod.ts";
import { judgeSeal, type Refusal } from "./judging.ts";
import { FETCH_MS, FETCHES_MAX, FIND_MS, PUBLICATIONS_MAX, ROOT_ROUNDS_MAX } from "./limits.ts";
import type { CatalogBytes, CatalogFinder, CatalogQuery, FoundPublication } from "./ports.ts";
import type { Seal } from "../catalog/mod.ts";
import type { AcceptedCatalog, Follow, FollowState } from "./state.ts";

/** A publication that was refused. */
export interface RefusedPublication extends Refusal {
  readonly from: string;
  readonly sequence: number | null;
}

/** What a look came to. */
export interface RefreshReport {
  /** `new`: a newer catalog counts now; `same`: the one that counts is all that was found. */
  readonly outcome: "new" | "same" | "nothing" | "refused";
  /** What counts after it. */
  readonly accepted?: AcceptedCatalog;
  /** The version of the root that counts after it. */
  readonly rootVersion: number;
  readonly refused: readonly RefusedPublication[];
  /** Ways that could not be gone, in words. */
  readonly problems: readonly string[];
}

/** What a look works with. */
export interface RefreshOptions {
  readonly state: FollowState;
  readonly finders: readonly CatalogFinder[];
  readonly bytes: CatalogBytes;
  readonly clock: Clock;
  readonly development: boolean;
  readonly signal: AbortSignal;
}

type Sealed = FoundPublication & { readonly seal: Seal };

/** Looks once. The root of `follow` must be in the state. */
export async function refreshCatalog(
  follow: Follow,
  options: RefreshOptions,
): Promise<RefreshReport> {
  const problems = new Set<string>();
  const refused: RefusedPublication[] = [];
  const found = await findAndWalk(follow, options, problems, refused);
  const known = knownOf(follow, options.state);
  const report = (outcome: RefreshReport["outcome"], accepted?: AcceptedCatalog) => ({
    outcome,
    ...(accepted === undefined ? {} : { accepted }),
    rootVersion: known.root.version,
    refused,
    problems: [...problems],
  });
  let isSame = false;
  let fetchCount = 0;
  for (const publication of bestFirst(found)) {
    options.signal.throwIfAborted();
    const verdict = await judgeSeal(publication.seal, known, {
      root: follow.root,
      catalog: follow.name,
      nowS: Math.floor(options.clock.nowMs() / 1000),
      development: options.development,
    });
    const refuse = (refusal: Refusal) => refused.push(refusedOf(publication, refusal));
    if (verdict.verdict === "same") isSame = true;
    else if (verdict.verdict === "refused") refuse(verdict);
    // What is lower than one that counts already, or comes after too many that could not be had.
    else if (!isSame && fetchCount++ < FETCHES_MAX) {
      const taken = await take(publication, verdict.authority, options);
      if (!("code" in taken)) return report("new", taken);
      refuse(taken);
    }
  }
  const kept = options.state.accepted({ root: follow.root, name: follow.name }, known.root);
  if (isSame) return report("same", kept);
  return report(refused.length > 0 ? "refused" : "nothing", kept);
}

/** Asks all finders, walks the root as far as they lead, and asks again while that goes on. */
async function findAndWalk(
  follow: Follow,
  options: RefreshOptions,
  problems: Set<string>,
  refused: RefusedPublication[],
): Promise<readonly FoundPublication[]> {
  const { state, development, signal } = options;
  let found: readonly FoundPublication[] = [];
  for (let round = 0; round < ROOT_ROUNDS_MAX; round++) {
    signal.throwIfAborted();
    const roots = state.roots(follow.root);
    const newest = roots.at(-1)!;
    found = await findAll(queryOf(follow, newest), options, problems);
    const told = found.flatMap((one) => one.roots);
    const walk = await walkRoots(newest, told, { development });
    for (const message of [...walk.alarming, ...await forkedRoots(roots, told)]) {
      problems.add(message);
    }
    if (walk.steps.length === 0) break;
    state.addRoots(walk.steps);
  }
  refused.push(
    ...found.filter((one) => one.seal !== undefined && one.seal.signatures.length === 0)
      .map((one) => refusedOf(one as Sealed, { code: "unsigned", message: "it is not signed" })),
  );
  return found;
}

/** A version that we know, with other content and yet signed. */
async function forkedRoots(
  known: readonly SignedRoot[],
  told: readonly SignedRoot[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const one of told) {
    const { id, version, name } = one.signed;
    const ours = known.find(({ signed }) => signed.id === id && signed.version === version)?.signed;
    if (ours === undefined || canonicalJson(ours) === canonicalJson(one.signed)) continue;
    if (await rootSignerCount(one, ours) < ours.threshold) continue;
    problems.push(
      `somebody shows another version ${version} of root ${name}, and it is signed: its keys may ` +
        "be in wrong hands; ours stays",
    );
  }
  return problems;
}

function queryOf(follow: Follow, newest: SignedRoot): CatalogQuery {
  return {
    root: follow.root,
    catalog: follow.name,
    rootVersion: newest.signed.version,
    publishers: follow.publishers,
    ...(follow.url === undefined ? {} : { url: follow.url }),
  };
}

/** What all finders yield, each within its time; none can keep the others from being heard. */
async function findAll(
  query: CatalogQuery,
  options: RefreshOptions,
  problems: Set<string>,
): Promise<readonly FoundPublication[]> {
  const { clock, finders, signal } = options;
  const lists = await Promise.all(finders.map(async (finder) => {
    const found: FoundPublication[] = [];
    const end = new AbortController();
    const cancel = clock.timer(FIND_MS, () => end.abort());
    try {
      for await (
        const one of finder.find(query, { signal: AbortSignal.any([signal, end.signal]) })
      ) {
        found.push(one);
        if (found.length >= PUBLICATIONS_MAX) break;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!end.signal.aborted) problems.add(messageOf(error));
    } finally {
      cancel();
    }
    return found;
  }));
  return lists.flat();
}

/** Publications with signed seals, each seal once with every place that has it, the newest first. */
function bestFirst(found: readonly FoundPublication[]): readonly Sealed[] {
  const bySeal = new Map<string, Sealed>();
  for (const one of found) {
    if (one.seal === undefined || one.seal.signatures.length === 0) continue;
    const key = canonicalJson(one.seal);
    const known = bySeal.get(key);
    bySeal.set(
      key,
      known === undefined ? one as Sealed : {
        ...known,
        urls: [...new Set([...known.urls, ...one.urls])],
        ...(known.peer ?? one.peer) === undefined ? {} : { peer: (known.peer ?? one.peer)! },
      },
    );
  }
  return [...bySeal.values()].sort((a, b) => b.seal.signed.sequence - a.seal.signed.sequence);
}

function knownOf(follow: Follow, state: FollowState) {
  const root = state.roots(follow.root).at(-1)!.signed;
  const kept = state.accepted(follow, root)?.seal.signed;
  return { root, floors: state.floors(follow), ...(kept === undefined ? {} : { kept }) };
}

/** Brings the bytes of a catalog whose seal holds, and keeps it. */
async function take(
  publication: Sealed,
  authority: Authority,
  options: RefreshOptions,
): Promise<AcceptedCatalog | Refusal> {
  const { seal, urls, peer } = publication;
  const { clock, state } = options;
  const end = new AbortController();
  const cancel = clock.timer(FETCH_MS, () => end.abort(new Error("it took too long")));
  const signal = AbortSignal.any([options.signal, end.signal]);
  try {
    const bytes = new Uint8Array(
      await options.bytes.fetch(seal.signed, {
        urls,
        ...(peer === undefined ? {} : { peer }),
        signal,
      }),
    );
    const accepted = {
      seal,
      catalog: openSealed(seal, bytes),
      bytes,
      ...authority,
      acceptedS: Math.floor(clock.nowMs() / 1000),
      urls,
    };
    state.accept(accepted);
    return accepted;
  } catch (error) {
    options.signal.throwIfAborted();
    if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
    const why = end.signal.aborted ? "its bytes did not come in time" : messageOf(error);
    return { code: "content", message: why };
  } finally {
    cancel();
  }
}

function refusedOf(publication: Sealed, { code, message }: Refusal): RefusedPublication {
  const { from, seal } = publication;
  return { code, message, from, sequence: seal.signed.sequence };
}
