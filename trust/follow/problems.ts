/** What is wrong with a catalog that is followed, in words for people. */
import type { RootDocument } from "../root/mod.ts";
import { dateOf } from "./judging.ts";
import { PROBLEMS_MAX } from "./limits.ts";
import type { RefreshReport } from "./refresh.ts";
import type { AcceptedCatalog } from "./state.ts";

/** Empty when all is well. */
export function problemsOf(about: {
  readonly root: RootDocument;
  readonly accepted: AcceptedCatalog | undefined;
  readonly report: RefreshReport | undefined;
  readonly failure: string | undefined;
  readonly nowS: number;
}): readonly string[] {
  const { root, accepted, report, failure, nowS } = about;
  return [
    ...(failure === undefined ? [] : [failure]),
    ...(root.expiresS <= nowS ? [`version ${root.version} of the root expired`] : []),
    ...(accepted !== undefined && accepted.catalog.expiresS <= nowS
      ? [
        `it expired at ${dateOf(accepted.catalog.expiresS)}, and no newer one was found; what it ` +
        "lists stays as it is",
      ]
      : []),
    ...(accepted === undefined && report !== undefined ? ["no catalog counts yet"] : []),
    ...refusalsToTell(accepted, report, nowS),
    ...(report?.problems ?? []).slice(0, PROBLEMS_MAX),
  ];
}

/**
 * Anybody can publish what is refused: it is a problem only while nothing better counts, or when it is
 * signed and should not exist.
 */
function refusalsToTell(
  accepted: AcceptedCatalog | undefined,
  report: RefreshReport | undefined,
  nowS: number,
): readonly string[] {
  const isWell = accepted !== undefined && accepted.catalog.expiresS > nowS;
  return (report?.refused ?? []).filter(({ code }) => !isWell || code === "equivocation")
    .slice(0, PROBLEMS_MAX)
    .map(({ from, message }) => `refused from ${from}: ${message}`);
}
