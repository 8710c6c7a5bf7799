/** `wallet restore`: ecash found again. */
import { SeedmintError } from "../../../../core/errors.ts";
import { adoptSeed, openDataDirectory } from "../../../identity.ts";
import { absolute } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat, given } from "./amounts.ts";
import { describeOperation } from "./describe.ts";

/** Twelve words of at most eight letters, and generous white space. */
const WORDS_BYTES_MAX = 1024;

/** Runs the verb: exits with 1 when a mint could not be asked to the end. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const [file] = context.operands;
  const mints = context.flagAll("mint");
  if (context.has("replace") && file === undefined) {
    throw new SeedmintError(
      "usage",
      "Cannot replace the wallet: say which backup FILE takes its place",
    );
  }
  if (context.has("words")) await adoptWords(context);
  await using opened = await context.openWallet();
  const { operations, foundSat, replacedPath } = await opened.wallet.restore({
    ...(file === undefined ? {} : { path: absolute(file) }),
    ...(context.has("replace") ? { replace: true } : {}),
    ...(mints.length === 0 ? {} : { mints }),
  }, { signal });
  if (replacedPath !== undefined) {
    out.note(`note: what was replaced is kept in ${replacedPath}; it is not encrypted`);
  }
  if (out.json) out.object({ event: "done", foundSat, operations, ...given({ replacedPath }) });
  else {
    for (const operation of operations.filter(({ status }) => status !== "done")) {
      out.line(`${operation.id}  ${describeOperation(operation)}: ${operation.state}`);
    }
    out.line(`${formatSat(foundSat)} found`);
  }
  return operations.every(({ status }) => status === "done" || status === "open") ? 0 : 1;
}

/** Makes words from stdin those of this data directory. */
async function adoptWords(context: VerbContext): Promise<void> {
  const { input, out, signal, config } = context;
  if (config.values.seed !== undefined) {
    throw new SeedmintError(
      "usage",
      "Cannot take words from stdin: SEEDMINT_SEED gives some already; unset one of the two",
    );
  }
  if (input.isTyped) out.note("Type the twelve words, then press Enter:");
  const words = input.isTyped
    ? await input.line({ signal })
    : await input.text({ bytesMax: WORDS_BYTES_MAX, signal });
  await openDataDirectory(config.values.data);
  await adoptSeed(config.values.data, words);
}
