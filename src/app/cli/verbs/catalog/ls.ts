/** `catalog ls`: the catalogs that are followed, or what one lists. */
import { shortHash } from "../../../../core/hash.ts";
import { dateOf } from "../../../../../trust/follow/mod.ts";
import { entriesOf } from "../../../api/handlers/catalogs.ts";
import type { CatalogEntryView, CatalogView } from "../../../api/trust_methods.ts";
import { formatBytes, formatTable, printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { readCatalog, summaryOf } from "./support.ts";

/** Refusals of the last look that are shown. */
const REFUSED_SHOWN_MAX = 8;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const operand = context.operands[0];
  if (operand?.endsWith(".json") === true) {
    const { catalog } = await readCatalog(operand);
    if (!out.json) out.line(summaryOf(catalog));
    showEntries(context, entriesOf(catalog));
    return 0;
  }
  await using node = await openNode(context, "store");
  if (operand === undefined) {
    const { catalogs } = await node.call("catalog.list", {}, { signal });
    showCatalogs(context, catalogs);
    return 0;
  }
  const entries: CatalogEntryView[] = [];
  const view = await node.call("catalog.entries", { catalog: operand }, {
    signal,
    onEvent: ({ entry }) => void entries.push(entry),
  });
  showEntries(context, entries);
  for (const problem of view.problems) out.note(`note: ${printable(problem)}`);
  for (const { from, message } of view.refused.slice(0, REFUSED_SHOWN_MAX)) {
    const line = `refused from ${from}: ${message}`;
    if (!view.problems.includes(line)) out.note(`note: ${printable(line)}`);
  }
  return 0;
}

function showCatalogs({ out }: VerbContext, catalogs: readonly CatalogView[]): void {
  if (out.json) {
    for (const one of catalogs) out.object(one);
    return;
  }
  if (catalogs.length === 0) {
    out.note("note: no catalog is followed; catalog follow NAME does that");
    return;
  }
  out.line(formatTable(
    [
      { title: "CATALOG" },
      { title: "SEQUENCE", alignRight: true },
      { title: "SIGNED BY" },
      { title: "EXPIRES" },
      { title: "RELEASES", alignRight: true },
      { title: "IMAGES", alignRight: true },
      { title: "FILES", alignRight: true },
    ],
    catalogs.map((one) => [
      `${one.root}/${one.name}`,
      one.sequence === null ? "-" : String(one.sequence),
      one.role ?? "-",
      one.expiresMs === null ? "-" : dateOf(one.expiresMs / 1000),
      String(one.releaseCount),
      String(one.imageCount),
      String(one.fileCount),
    ]),
  ));
  for (const { root, name, problems } of catalogs) {
    for (const problem of problems) out.note(`note: ${root}/${name}: ${printable(problem)}`);
  }
}

function showEntries({ out, has }: VerbContext, entries: readonly CatalogEntryView[]): void {
  if (out.json) {
    for (const entry of entries) out.object(entry);
    return;
  }
  if (entries.length === 0) {
    out.note("note: the catalog lists nothing");
    return;
  }
  const isLong = has("long");
  out.line(formatTable(
    [
      { title: "KIND" },
      { title: "NAME" },
      { title: "FILE" },
      { title: "PLATFORM" },
      { title: "SIZE", alignRight: true },
      { title: isLong ? "BLAKE3" : "HASH" },
      { title: "HERE" },
    ],
    entries.map((one) => [
      one.kind,
      printable(one.version === null ? one.name : `${one.name}@${one.version}`),
      printable(one.file ?? one.digest ?? ""),
      one.platform ?? "any",
      one.size === null ? "-" : formatBytes(one.size),
      one.hash === null ? "-" : isLong ? one.hash : shortHash(one.hash),
      one.here === null ? "-" : one.here ? "yes" : "no",
    ]),
  ));
}
