/** What several verbs need: the node to talk to, absolute paths, progress to the bar. */
import { resolve } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import type { NodeApi, ProgressEvent } from "../api/methods.ts";
import type { Output } from "../output/output.ts";
import type { Visibility } from "../../../swarm/store/blob_store.ts";
import type { VerbContext } from "./verb.ts";

const VISIBILITIES: readonly Visibility[] = ["public", "fleet", "private"];

/**
 * The node that serves this verb: the running one, else one opened here.
 *
 * @param needs `store` opens no network; `relays` talks over relays; `network` does all.
 */
export async function openNode(
  context: VerbContext,
  needs: "store" | "relays" | "network",
): Promise<NodeApi> {
  const { openApi } = await import("../api/open.ts");
  if (context.config.sources.logLevel !== "default") await startLog(context);
  return await openApi(context.config.values, {
    needs,
    signal: context.signal,
    onNote: (message) => context.out.note(`note: ${message}`),
  });
}

/** Logs on stderr, as the settings say. */
export async function startLog(context: VerbContext): Promise<void> {
  const { configureLog } = await import("../log.ts");
  const { logLevel, logFormat } = context.config.values;
  configureLog({
    levels: logLevel,
    format: logFormat,
    write: (line) => context.out.error(line.trimEnd()),
    isColored: Deno.stderr.isTerminal() && !Deno.noColor,
  });
}

/** An absolute path, for the node may have another working directory. A slash at the end stays. */
export function absolute(path: string): string {
  return path.endsWith("/") ? `${resolve(path)}/` : resolve(path);
}

/** Shows progress and notes of a method. */
export function showEvent(
  out: Output,
  event: ProgressEvent | { readonly event: "note"; readonly message: string },
): void {
  if (event.event === "note") return out.note(`note: ${event.message}`);
  out.progress(event);
}

/** What `--visibility` says, if it is given. */
export function readVisibility(context: VerbContext): { visibility?: Visibility } {
  const text = context.flag("visibility");
  if (text === undefined) return {};
  const visibility = VISIBILITIES.find((name) => name === text);
  if (visibility !== undefined) return { visibility };
  throw new SeedmintError(
    "usage",
    `Cannot use --visibility "${text}": one of ${VISIBILITIES.join(", ")} wanted`,
  );
}

/** Refuses flags that exclude each other. */
export function atMostOne(context: VerbContext, names: readonly string[]): string | undefined {
  const given = names.filter(context.has);
  if (given.length <= 1) return given[0];
  throw new SeedmintError(
    "usage",
    `Cannot use ${given.map((name) => `--${name}`).join(" and ")} together`,
  );
}
