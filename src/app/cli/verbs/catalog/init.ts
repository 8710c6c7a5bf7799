/** `catalog init`: an empty catalog under a root. */
import { newCatalog, writeCatalog } from "../../../../../trust/catalog/mod.ts";
import { writeDocument } from "../../../root_files.ts";
import type { VerbContext } from "../../verb.ts";
import { readChain } from "../root/support.ts";
import { catalogPath, nowS, readDays, rootPath } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const name = context.operands[0]!;
  const path = catalogPath(context, name);
  const chain = await readChain(rootPath(context, path));
  const { id, name: root } = chain.at(-1)!.signed;
  const issuedS = nowS();
  const catalog = newCatalog({
    name,
    root: id,
    issuedS,
    expiresS: issuedS + readDays(context),
  });
  await writeDocument(path, writeCatalog(catalog), { isNew: true });
  if (out.json) out.object({ path, name, root, rootId: id, sequence: 1 });
  else out.line(`${path}: the catalog ${name} of root ${root}, empty; catalog add fills it`);
  return 0;
}
