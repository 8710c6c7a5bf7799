/** `wallet prepare-payment`: a token for a price, for programs. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { PaymentOutcome, PaymentRequest } from "../../../../../wallet/wallet_api.ts";
import { WALLET_SCHEMAS } from "../../../control/wallet_schemas.ts";
import { printable } from "../../../output/format.ts";
import { v } from "../../../schema.ts";
import { systemClock } from "../../../../host/system.ts";
import type { VerbContext } from "../../verb.ts";
import { amountFlag, formatSat, given, lockFlag, locktimeFlag, readAmount } from "./amounts.ts";
import { askYes } from "./consent.ts";

/** Largest request read from stdin. */
const REQUEST_BYTES_MAX = 64 << 10;

const FLAGS = [
  "price",
  "mint",
  "lock",
  "locktime",
  "budget",
  "max-fee",
  "id",
  "subject",
  "payee",
  "yes",
];

/** Runs the verb: exits with 1 when the wallet declines. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const request = context.operands.length === 0 ? readFlags(context) : await readJson(context);
  await using opened = await context.openWallet();
  const { wallet } = opened;
  let outcome = await wallet.preparePayment(request, { signal });
  if (isAboveBudget(outcome) && !request.confirmed && context.input.isTerminal) {
    if (
      await askYes(
        context,
        `${printable(outcome.reason.replace(/; confirm it.*$/, ""))}. Pay all the same?`,
      )
    ) {
      outcome = await wallet.preparePayment({ ...request, confirmed: true }, { signal });
    }
  }
  if (out.json) out.object(outcome);
  else if (outcome.status === "ready") {
    out.line(outcome.token);
    out.note(`cost ${formatSat(outcome.costSat)}, payment ${printable(outcome.paymentId)}`);
  } else out.error(`declined: ${printable(outcome.reason)}`);
  return outcome.status === "ready" ? 0 : 1;
}

function isAboveBudget(
  outcome: PaymentOutcome,
): outcome is Extract<PaymentOutcome, { readonly status: "declined" }> {
  return outcome.status === "declined" && /above the budget/.test(outcome.reason);
}

function readFlags(context: VerbContext): PaymentRequest {
  const price = context.flag("price");
  const acceptedMints = context.flagAll("mint");
  if (price === undefined || acceptedMints.length === 0) {
    throw usage("--price AMOUNT and at least one --mint URL are needed, or - and JSON on stdin");
  }
  return {
    acceptedMints,
    priceSat: readAmount(price),
    ...(context.has("yes") ? { confirmed: true } : {}),
    ...given({
      paymentId: context.flag("id"),
      budgetSat: amountFlag(context, "budget"),
      maxFeeSat: amountFlag(context, "max-fee"),
      lockTo: lockFlag(context),
      locktimeS: locktimeFlag(context, systemClock.nowMs()),
      subject: context.flag("subject"),
      payee: context.flag("payee"),
    }),
  };
}

async function readJson(context: VerbContext): Promise<PaymentRequest> {
  if (context.operands[0] !== "-") throw usage("the only operand is -, for JSON on stdin");
  const doubled = FLAGS.find((name) => context.has(name));
  if (doubled !== undefined) throw usage(`--${doubled} belongs into the JSON`);
  const text = await context.input.text({ bytesMax: REQUEST_BYTES_MAX, signal: context.signal });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw usage("what stdin gave is not JSON");
  }
  const result = v.safeParse(WALLET_SCHEMAS["wallet.preparePayment"], json);
  if (result.success) return result.output as PaymentRequest;
  const issue = result.issues[0];
  throw usage(`${v.getDotPath(issue) ?? "the request"}: ${issue.message}`);
}

function usage(why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot prepare a payment: ${why}`);
}
