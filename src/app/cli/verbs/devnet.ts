/** `devnet`: a program beside the application, which `node.ts` brings. */
import { SeedmintError } from "../../../core/errors.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, programs, signal, operands } = context;
  if (programs.devnet === undefined) {
    throw new SeedmintError(
      "usage",
      "There is no development network here; run it with node.ts from the source",
    );
  }
  return await programs.devnet(operands, {
    json: out.json,
    line: (text) => out.line(text),
    object: (value) => out.object(value),
    error: (text) => out.error(text),
  }, signal);
}
