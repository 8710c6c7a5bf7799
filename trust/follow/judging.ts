/**
 * Whether a seal is taken: the rules against rollback, freeze, replay and stolen keys, in one pure
 * place. What is known of the catalog comes in; a verdict with its reason goes out.
 */
import { canonicalJson } from "../canonical_json.ts";
import { CATALOG_CLOCK_SKEW_S, type Seal, type SealStatement } from "../catalog/mod.ts";
import { type Authority, authorityOf, developmentFault, type RootDocument } from "../root/mod.ts";

/** Why a publication is refused. */
export type RefusalCode =
  /** It is about another root or catalog. */
  | "foreign"
  /** Too few signatures of keys that may sign it, or none. */
  | "unsigned"
  /** A newer one was accepted before. */
  | "rollback"
  /** The same sequence was accepted with other content. */
  | "equivocation"
  /** Its time is over. */
  | "expired"
  /** The root's time is over: a newer version of it is kept from us, or was never made. */
  | "root-expired"
  /** It is dated ahead. */
  | "future"
  /** Its root is for development. */
  | "development"
  /** Its bytes could not be had, or are not those that were signed. */
  | "content";

/** A refusal, with words for people. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/** What is known of a catalog before. */
export interface KnownCatalog {
  readonly root: RootDocument;
  /** The statement of the catalog that was accepted last, if it still counts. */
  readonly kept?: SealStatement;
  /** For each key, the highest sequence that it signed and that was accepted. */
  readonly floors: ReadonlyMap<string, number>;
}

/** What is decided on a seal. */
export type Verdict =
  | { readonly verdict: "new"; readonly authority: Authority }
  /** It is the one that was accepted last. */
  | { readonly verdict: "same" }
  | ({ readonly verdict: "refused" } & Refusal);

/**
 * Judges a seal.
 *
 * @param options `nowS`: the wall clock. One that is behind what was accepted before is taken to be as
 * late as that, so that turning it back makes nothing fresh again.
 */
export async function judgeSeal(
  seal: Seal,
  known: KnownCatalog,
  options: {
    readonly root: string;
    readonly catalog: string;
    readonly nowS: number;
    readonly development: boolean;
  },
): Promise<Verdict> {
  const { signed } = seal;
  const { root, kept } = known;
  if (signed.root !== options.root || signed.catalog !== options.catalog) {
    return refused("foreign", `it is the catalog ${signed.catalog} of another root or name`);
  }
  const development = await developmentFault(root, options);
  if (development !== undefined) return refused("development", development);
  const isKept = kept !== undefined && canonicalJson(kept) === canonicalJson(signed);
  if (isKept) return { verdict: "same" };
  const nowS = Math.max(options.nowS, (kept?.issuedS ?? 0) - CATALOG_CLOCK_SKEW_S);
  const authority = await authorityOf(root, "seedmint/catalog-seal/v1", {
    catalog: signed.catalog,
    value: signed,
    signatures: seal.signatures,
    nowS,
  });
  if (typeof authority === "string") return refused("unsigned", authority);
  if (root.expiresS <= nowS) {
    return refused(
      "root-expired",
      `version ${root.version} of root ${root.name} expired at ${dateOf(root.expiresS)} and no ` +
        "newer one is known",
    );
  }
  return sequenceRefusal(signed, known) ?? timeRefusal(signed, nowS) ??
    { verdict: "new", authority };
}

/** The lowest sequence that is taken: what a revoked key signed does not count. */
export function floorOf(known: Pick<KnownCatalog, "root" | "floors">): number {
  const revoked = new Set(known.root.revocations.map(({ key }) => key));
  let floor = 0;
  for (const [key, sequence] of known.floors) {
    if (!revoked.has(key)) floor = Math.max(floor, sequence);
  }
  return floor;
}

/** Whether a catalog accepted before still counts: enough of its signers are not revoked since. */
export function stillCounts(
  accepted: Pick<Authority, "signers" | "threshold">,
  root: RootDocument,
): boolean {
  const revoked = new Set(root.revocations.map(({ key }) => key));
  return accepted.signers.filter((key) => !revoked.has(key)).length >= accepted.threshold;
}

function sequenceRefusal(signed: SealStatement, known: KnownCatalog): Verdict | undefined {
  const floor = floorOf(known);
  if (signed.sequence > floor) return undefined;
  if (signed.sequence === floor && known.kept?.sequence === floor) {
    return refused(
      "equivocation",
      `another catalog with the sequence ${signed.sequence} was accepted before: ` +
        "two are signed, and the first stays",
    );
  }
  return refused(
    "rollback",
    `it has the sequence ${signed.sequence}, and ${floor} was accepted before`,
  );
}

function timeRefusal(signed: SealStatement, nowS: number): Verdict | undefined {
  if (signed.expiresS <= nowS) {
    return refused(
      "expired",
      `it expired at ${
        dateOf(signed.expiresS)
      }: a newer one is kept from us, or was never signed; ` +
        "is the clock right?",
    );
  }
  if (signed.issuedS > nowS + CATALOG_CLOCK_SKEW_S) {
    return refused("future", `it is dated ${dateOf(signed.issuedS)}, which is ahead of the clock`);
  }
}

function refused(code: RefusalCode, message: string): Verdict {
  return { verdict: "refused", code, message };
}

/** A time for people; what is beyond dates is said as a number. */
export function dateOf(atS: number): string {
  const date = new Date(atS * 1000);
  return Number.isNaN(date.getTime()) ? `second ${atS}` : date.toISOString().replace(".000", "");
}
