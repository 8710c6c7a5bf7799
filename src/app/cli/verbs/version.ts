/** `version`: with `--help` only; `main.ts` answers the verb itself, before anything loads. */
import { VERSION } from "../../version.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export function run(context: VerbContext): Promise<number> {
  context.out.line(VERSION);
  return Promise.resolve(0);
}
