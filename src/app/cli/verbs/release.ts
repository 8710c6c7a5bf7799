/** `release get`: what a signed catalog lists. */
import type { ReleaseResult } from "../../api/trust_methods.ts";
import { formatBytes, formatDuration, printable } from "../../output/format.ts";
import { absolute, openNode, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const output = context.flag("output");
  const catalog = context.flag("catalog");
  const file = context.flag("file");
  await using node = await openNode(context, "network");
  const result = await node.call("release.get", {
    release: context.operands[0]!,
    platform: context.flag("platform") ?? hostPlatform(),
    overwrite: context.has("force"),
    ...(catalog === undefined ? {} : { catalog }),
    ...(file === undefined ? {} : { file }),
    ...(output === undefined ? {} : { output: absolute(output) }),
  }, { signal, onEvent: (event) => showEvent(out, event) });
  out.endProgress();
  if (out.json) out.object({ event: "done", ...result });
  else tell(context, result);
  return 0;
}

function tell({ out }: VerbContext, result: ReleaseResult): void {
  const bytes = result.files.reduce((sum, file) => sum + file.size, 0);
  const kinds = new Set(result.files.flatMap(({ sources }) => sources.map(({ kind }) => kind)));
  const names = { peer: "peers", origin: "the origin", store: "the store" } as const;
  const from = [...kinds].map((kind) => names[kind]).join(" and ") || "the store";
  out.line(
    `${result.name} ${result.version} of the catalog ${result.catalog} ${result.sequence}: verified ` +
      `${formatBytes(bytes)} in ${formatDuration(result.ms)} from ${from}`,
  );
  for (const file of result.files) {
    out.line(
      file.path ?? `${printable(file.name)}: stored; write it with: export ${file.hash} PATH`,
    );
  }
  if (result.notes !== null) {
    for (const line of result.notes.split("\n")) out.note(printable(line));
  }
}

/** The platform of this machine, as containers name it. */
function hostPlatform(): string {
  const { os, arch } = Deno.build;
  return `${os}/${arch === "x86_64" ? "amd64" : "arm64"}`;
}
