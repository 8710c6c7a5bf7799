/** `catalog rm`: takes entries out of a catalog. */
import { SeedmintError } from "../../../../core/errors.ts";
import { without } from "../../../../../trust/catalog/mod.ts";
import type { VerbContext } from "../../verb.ts";
import { forChange, readCatalog, summaryOf, writeChanged } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const [operand, ...names] = context.operands;
  const state = await readCatalog(operand!);
  let catalog = forChange(state);
  for (const text of names) {
    const at = text.lastIndexOf("@");
    const [name, version] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, undefined];
    const after = without(catalog, (entry) =>
      entry.name === text ||
      (entry.name === name && (version === undefined || entry.version === version)));
    const countOf = (one: typeof catalog) =>
      one.releases.length + one.images.length + one.files.length;
    if (countOf(after) === countOf(catalog)) {
      throw new SeedmintError(
        "not-found",
        `The catalog does not list ${text.slice(0, 80)}; catalog ls ${operand} shows what it does`,
      );
    }
    catalog = after;
  }
  await writeChanged(state.path, catalog);
  if (out.json) out.object({ path: state.path, name: catalog.name, sequence: catalog.sequence });
  else out.line(summaryOf(catalog));
  return 0;
}
