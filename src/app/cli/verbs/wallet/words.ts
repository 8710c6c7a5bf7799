/** `wallet words`: the twelve words. They come from the file itself, and never pass through control. */
import { SeedmintError } from "../../../../core/errors.ts";
import { openDataDirectory, seedWords } from "../../../identity.ts";
import type { VerbContext } from "../../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, config } = context;
  if (!context.has("yes") && !Deno.stdout.isTerminal()) {
    throw new SeedmintError(
      "usage",
      "Cannot print the words: stdout is no terminal; say --yes if a pipe or file may have them",
    );
  }
  await openDataDirectory(config.values.data);
  const words = await seedWords({ directory: config.values.data, words: config.values.seed });
  out.note(
    "Whoever has these words has the money, and is this node. Write them on paper; type them nowhere.",
  );
  if (out.json) out.object({ words });
  else out.line(words);
  return 0;
}
