/** `catalog publish`: tells relays and peers of a signed catalog, or writes what an origin serves. */
import { join } from "node:path";
import { SeedmintError } from "../../../../core/errors.ts";
import { isOriginUrl, openSealed } from "../../../../../trust/catalog/mod.ts";
import {
  catalogFileName,
  publicationFileName,
  writePublication,
} from "../../../../../trust/follow/mod.ts";
import { writeDocument } from "../../../root_files.ts";
import { absolute, openNode, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { readChain } from "../root/support.ts";
import { newestRoot } from "./sign.ts";
import { readCatalog, rootPath, sealPath } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const [operand, ...paths] = context.operands;
  const path = absolute(operand!);
  const urls = context.flagAll("url").map(readUrl);
  const folder = context.flag("output");
  if (folder === undefined) return await publish(context, path, { urls, paths });
  if (paths.length > 0) {
    throw new SeedmintError("usage", "Cannot use --output with paths: no node is asked then");
  }
  return await writeFolder(context, path, { urls, folder: absolute(folder) });
}

async function publish(
  context: VerbContext,
  path: string,
  options: { readonly urls: readonly string[]; readonly paths: readonly string[] },
): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "network");
  const result = await node.call("catalog.publish", {
    catalog: path,
    seal: sealPath(path),
    root: rootPath(context, path),
    urls: options.urls,
    paths: options.paths.map(absolute),
  }, { signal, onEvent: (event) => showEvent(out, event) });
  out.endProgress();
  if (out.json) {
    out.object({ event: "published", ...result });
    return 0;
  }
  out.line(
    `published ${result.root}/${result.name} ${result.sequence} on ${result.relayCount} of ` +
      `${result.relayCountAll} relays`,
  );
  out.line(result.hash);
  for (const { name, hash } of result.missing) {
    out.note(
      `note: nobody can get ${name} (${hash}): this node does not have it, and it has no ` +
        "origin; name its file behind the catalog",
    );
  }
  if (result.relayCountAll === 0) {
    out.note(
      "note: this node uses no relay; followers that connect to it, or read an origin, find it",
    );
  }
  out.note(`note: followers name you with --publisher ${result.nostrKey}`);
  if (node.mode === "alone") {
    out.note("note: no node is running; run start so that peers can get what it lists");
  }
  return 0;
}

/** What an origin serves: the publication, and the catalog's bytes beside it. */
async function writeFolder(
  context: VerbContext,
  path: string,
  options: { readonly urls: readonly string[]; readonly folder: string },
): Promise<number> {
  const { out } = context;
  const { catalog, bytes, seal } = await readCatalog(path);
  if (seal === undefined) {
    throw new SeedmintError("denied", `Cannot publish ${path}: it is not signed as it is now`);
  }
  openSealed(seal, bytes);
  const root = rootPath(context, path);
  const { version } = await newestRoot(root, catalog);
  const roots = (await readChain(root)).slice(0, version);
  const text = writePublication({ seal, roots, urls: options.urls });
  const { folder } = options;
  // The bytes first: a follower that reads the publication finds them.
  await writeDocument(join(folder, catalogFileName(catalog.name, catalog.sequence)), bytes);
  const publication = join(folder, publicationFileName(catalog.name));
  await writeDocument(publication, text);
  if (out.json) {
    out.object({
      event: "written",
      path: publication,
      name: catalog.name,
      sequence: catalog.sequence,
    });
  } else {
    out.line(publication);
    out.note(
      `note: upload both files; followers name the URL of ${publicationFileName(catalog.name)}`,
    );
  }
  return 0;
}

function readUrl(text: string): string {
  const url = URL.parse(text.trim())?.href;
  if (isOriginUrl(url)) return url!;
  throw new SeedmintError("usage", "Cannot use --url: an http:// or https:// URL wanted");
}
