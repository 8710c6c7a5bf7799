/** `catalog follow` and `unfollow`. */
import { SeedmintError } from "../../../../core/errors.ts";
import { parseSelector } from "../../../../../trust/catalog/mod.ts";
import { dateOf } from "../../../../../trust/follow/mod.ts";
import type { FollowResult } from "../../../api/trust_methods.ts";
import {
  catalogNameSchema,
  pinScopeSchema,
  publicationUrlSchema,
} from "../../../config/trust_settings.ts";
import { publicKeySchema, type Schema } from "../../../config/values.ts";
import { printable } from "../../../output/format.ts";
import { v } from "../../../schema.ts";
import { openNode, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const catalog = read(catalogNameSchema, context.operands[0]!, "catalog");
  const { out, signal } = context;
  await using node = await openNode(
    context,
    context.verb.name === "catalog unfollow" ? "store" : "network",
  );
  if (context.verb.name === "catalog unfollow") {
    await node.call("catalog.unfollow", { catalog }, { signal });
    if (out.json) out.object({ catalog });
    else out.line(`${catalog} is not followed any more`);
    return 0;
  }
  const publishers = context.flagAll("publisher")
    .map((text) => read(publicKeySchema, text, "--publisher"));
  const selectors = context.flagAll("select").map((text) => {
    parseSelector(text);
    return text.trim();
  });
  const pins = context.flagAll("pins").map((text) => read(pinScopeSchema, text, "--pins"));
  const url = context.flag("url");
  const result = await node.call("catalog.follow", {
    catalog,
    ...(publishers.length === 0 ? {} : { publishers }),
    ...(url === undefined ? {} : { url: read(publicationUrlSchema, url, "--url") }),
    ...(selectors.length === 0 ? {} : { selectors }),
    ...(pins.length === 0 ? {} : { pins }),
  }, { signal, onEvent: (event) => showEvent(out, event) });
  if (out.json) out.object(result);
  else tell(context, result);
  if (!out.json && node.mode === "alone") {
    out.note("note: no node is running; run start to go on following it");
  }
  return result.outcome === "refused" || result.sequence === null ? 1 : 0;
}

function tell({ out }: VerbContext, result: FollowResult): void {
  for (const { from, message } of result.refused) {
    out.error(`refused from ${printable(from)}: ${printable(message)}`);
  }
  if (result.sequence === null) {
    out.line(
      `${result.root}/${result.name}: no catalog that counts was found; it is looked for again`,
    );
    return;
  }
  const until = result.expiresMs === null ? "" : `, until ${dateOf(result.expiresMs / 1000)}`;
  const what = result.outcome === "new" ? "is new" : "is the newest";
  out.line(
    `${result.root}/${result.name} ${result.sequence} ${what}, signed by ${result.role}${until}`,
  );
  out.line(result.hash!);
  if (result.imageCount > 0 && result.pins.length === 0) {
    out.note("note: its word on images does not count at the mirror; --pins PREFIX changes that");
  }
}

function read<T>(schema: Schema<T>, text: string, what: string): T {
  const result = v.safeParse(schema, text);
  if (result.success) return result.output;
  throw new SeedmintError(
    "usage",
    `Cannot use ${what} "${text.slice(0, 80)}": ${result.issues[0].message}`,
  );
}
