/** `exec`: a command inside a lease, without SSH. */
import { harmless } from "../../../output/harmless.ts";
import { durationSchema } from "../../../config/values.ts";
import { v } from "../../../schema.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { read } from "../market/support.ts";
import { showStep } from "./support.ts";

const TIMEOUT_MS = 30_000;
/** An exit code is a byte. */
const EXIT_MAX = 255;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal, operands } = context;
  const [lease, ...command] = operands as [string, ...string[]];
  const timeoutMs = read(context, "timeout", readTimeout) ?? TIMEOUT_MS;
  await using node = await openNode(context, "relays");
  const result = await node.call("lease.exec", { lease, command, timeoutMs }, {
    signal,
    onEvent: (event) => out.json || showStep(out, event),
  });
  if (out.json) out.object(result);
  else {
    const shown = context.has("raw") ? (text: string) => text : harmless;
    out.bytes(new TextEncoder().encode(shown(result.stdout)));
    if (result.stderr !== "") out.error(shown(result.stderr).replace(/\n$/, ""));
    if (result.isTruncated) out.note("note: the output was cut where a message ends");
  }
  const { exitCode } = result;
  // What ended without a code of its own, by a signal perhaps, did not end well.
  return exitCode >= 0 && exitCode <= EXIT_MAX ? exitCode : EXIT_MAX;
}

function readTimeout(text: string): number {
  const result = v.safeParse(durationSchema, text);
  if (result.success && result.output > 0) return result.output;
  throw new SyntaxError("a time such as 30s or 5m wanted");
}
