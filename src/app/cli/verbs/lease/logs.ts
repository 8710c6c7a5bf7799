/** `logs`: what a lease printed. */
import { systemClock } from "../../../../host/system.ts";
import type { NodeApi } from "../../../api/methods.ts";
import { harmless } from "../../../output/harmless.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { read, readCount } from "../market/support.ts";
import { showStep } from "./support.ts";

const LINES = 100;
/** How long until it is asked again what was printed meanwhile. */
const FOLLOW_MS = 3000;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const lineCount = read(context, "lines", readCount) ?? LINES;
  await using node = await openNode(context, "relays");
  let seen = await ask(context, node, lineCount);
  show(context, seen.text, seen.isTruncated);
  while (context.has("follow")) {
    await systemClock.sleep(FOLLOW_MS, { signal });
    const next = await ask(context, node, Math.max(lineCount, LINES));
    const news = added(seen.text, next.text);
    if (news !== "") show(context, news, false);
    seen = next;
  }
  if (seen.isTruncated && !out.json) {
    out.note("note: cut where a message ends; -n asks for fewer lines");
  }
  return 0;
}

async function ask(context: VerbContext, node: NodeApi, lineCount: number) {
  const { out, signal } = context;
  return await node.call("lease.logs", { lease: context.operands[0]!, lineCount }, {
    signal,
    onEvent: (event) => out.json || showStep(out, event),
  });
}

function show({ out, has }: VerbContext, text: string, isTruncated: boolean): void {
  if (out.json) return out.object({ text, isTruncated });
  if (text === "") return;
  const shown = has("raw") ? text : harmless(text);
  out.bytes(new TextEncoder().encode(shown.endsWith("\n") ? shown : `${shown}\n`));
}

/** What `now` has after the end of `before`; all of it if they have nothing in common. */
export function added(before: string, now: string): string {
  if (now.startsWith(before)) return now.slice(before.length);
  // Lines at the start are gone: the longest end of `before` that `now` begins with was seen.
  for (let at = before.indexOf("\n") + 1; at > 0; at = before.indexOf("\n", at) + 1) {
    if (at < before.length && now.startsWith(before.slice(at))) {
      return now.slice(before.length - at);
    }
    if (at >= before.length) break;
  }
  return now;
}
