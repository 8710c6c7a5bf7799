/** `wallet receive`: redeems a token. */
import { SeedmintError } from "../../../../core/errors.ts";
import { TOKEN_CHARS_MAX } from "../../../../../wallet/limits.ts";
import { printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat } from "./amounts.ts";
import { assertWell, describeFee } from "./describe.ts";

/** A terminal in line mode gives at most this many characters of a line and drops the rest. */
const TYPED_CHARS_MAX = 4095;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const token = await readToken(context);
  await using opened = await context.openWallet();
  const { operation, receivedSat } = await opened.wallet.receive({ token }, { signal });
  assertWell(operation);
  if (out.json) out.object({ event: operation.status, ...operation, receivedSat });
  else if (operation.status === "done") {
    out.line(
      `${formatSat(receivedSat)} received at ${printable(operation.mint)}, ${
        describeFee(operation)
      }`,
    );
  } else out.line(`taken, and not redeemed yet: ${printable(operation.reason ?? operation.state)}`);
  return 0;
}

async function readToken(context: VerbContext): Promise<string> {
  const { input, out, signal } = context;
  const [operand] = context.operands;
  if (operand !== undefined && operand !== "-") {
    out.note("note: others on this machine can see command lines; pipe the token in instead");
    return checked(operand);
  }
  if (input.isTyped) {
    out.note("Paste the token, then press Enter:");
    const line = await input.line({ signal });
    if (line.length < TYPED_CHARS_MAX) return checked(line);
    throw new SeedmintError(
      "usage",
      `Cannot read the token: a terminal cuts lines after ${TYPED_CHARS_MAX} characters; pipe it in from a file`,
    );
  }
  return checked(await input.text({ bytesMax: TOKEN_CHARS_MAX, signal }));
}

/** The token itself is never part of a message. */
function checked(text: string): string {
  const token = text.trim().replace(/^cashu:(\/\/)?/i, "");
  if (token === "") throw new SeedmintError("usage", "Cannot receive: no token was given");
  if (token.length <= TOKEN_CHARS_MAX && /^cashu[AB][\w=+/-]+$/.test(token)) return token;
  throw new SeedmintError(
    "usage",
    `Cannot read the token: a text that begins with cashuA or cashuB wanted, of at most ${TOKEN_CHARS_MAX} characters`,
  );
}
