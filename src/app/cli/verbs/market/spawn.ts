/** `market spawn`: rents a container. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { NodeApi } from "../../../api/methods.ts";
import type { PortWish, SpawnParams } from "../../../api/lease_methods.ts";
import { messageOf } from "../../../../core/errors.ts";
import { printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { describeLease, showStep, tokenFlag } from "../lease/support.ts";
import { amountFlag, given } from "../wallet/amounts.ts";
import { askYes } from "../wallet/consent.ts";
import { describeQuote, extentOf, filterOf, offerTable, usage } from "./support.ts";

/** Longest file with a public key. */
const KEY_FILE_BYTES_MAX = 65_536;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const asked = await paramsOf(context);
  await using node = await openNode(context, "relays");
  const isAsking = !context.has("yes") && !out.json && context.input.isTerminal;
  const params = isAsking ? await agreed(context, node, asked) : asked;
  if (params === undefined) throw new SeedmintError("denied", "Rented nothing: you said no");
  try {
    const lease = await node.call("lease.spawn", params, {
      signal,
      onEvent: (event) => showStep(out, event),
    });
    out.endProgress();
    if (out.json) out.object(lease);
    else for (const line of describeLease(lease)) out.line(line);
  } catch (error) {
    if (signal.aborted) out.error("note: what was paid for goes on: see leases");
    throw error;
  }
  return 0;
}

async function paramsOf(context: VerbContext): Promise<SpawnParams> {
  const keys = await publicKeys(context);
  const ports = context.flagAll("port").map((text) => readPort(context, text));
  const env = envOf(context);
  const token = await tokenFlag(context);
  const keepaliveBudgetSat = amountFlag(context, "keepalive");
  if (keepaliveBudgetSat === 0) throw usage(context, "--keepalive must be at least 1 sat");
  if (token !== undefined && (context.has("for") || context.has("budget"))) {
    throw usage(context, "--token says how much is paid: --for and --budget cannot");
  }
  return {
    image: context.operands[0]!,
    filter: filterOf(context),
    ...(token === undefined ? extentOf(context) : { token }),
    ...given({
      provider: context.flag("provider"),
      tier: context.flag("tier"),
      sshUser: context.flag("user"),
      sshPublicKeys: keys.length === 0 ? undefined : keys,
      env: Object.keys(env).length === 0 ? undefined : env,
      ports: ports.length === 0 ? undefined : ports,
      keepaliveBudgetSat,
      requestId: context.flag("request-id"),
      confirmed: context.has("yes") ? true : undefined,
    }),
  };
}

/** Shows what can be had, lets a person choose, and asks; undefined when the answer is no. */
async function agreed(
  context: VerbContext,
  node: NodeApi,
  params: SpawnParams,
): Promise<SpawnParams | undefined> {
  const { out, signal } = context;
  const chosen = params.provider === undefined
    ? { ...params, ...await picked(context, node, params) }
    : params;
  if (chosen.token !== undefined) {
    const isYes = await askYes(context, "Give the token to this provider?");
    return isYes ? { ...chosen, confirmed: true } : undefined;
  }
  const { image, provider, filter, tier, durationS, budgetSat } = chosen;
  const quote = await node.call(
    "market.quote",
    { image, ...given({ provider, filter, tier, durationS, budgetSat }) },
    { signal, onEvent: (event) => showStep(out, event) },
  );
  const why = quote.note === null ? "" : `: ${quote.note}`;
  if (!quote.isAvailable) {
    throw new SeedmintError("unavailable", `Cannot rent this now${why}; see market list`);
  }
  if (quote.note !== null) out.note(`note: ${printable(quote.note)}`);
  if (!await askYes(context, `Rent of ${describeQuote(quote)}?`)) return undefined;
  // What was agreed to is this time for this sum, whatever the provider asks by then.
  return {
    ...chosen,
    provider: quote.provider,
    tier: quote.tier.id,
    durationS: durationS ?? quote.durationS,
    budgetSat: quote.amountSat,
    confirmed: true,
  };
}

/** The provider and the tier that a person chooses on the terminal. */
async function picked(
  context: VerbContext,
  node: NodeApi,
  { filter = {}, tier }: SpawnParams,
): Promise<{ readonly provider: string; readonly tier?: string }> {
  const { out, signal, input, config } = context;
  const { lesseePolicy, lesseeIsolation, lesseeRateMax } = config.values;
  const { offers } = await node.call(
    "market.list",
    {
      ...given({ isolation: lesseeIsolation, rateMsatPerSMax: lesseeRateMax }),
      ...filter,
      sort: lesseePolicy,
    },
    { signal, onEvent: (event) => showStep(out, event) },
  );
  // What is shown of an offer is what is rented of it.
  const open = offers.filter((offer) => !offer.isDraining).flatMap((offer) => {
    const tiers = offer.tiers.filter(({ id }) => tier === undefined || id === tier);
    return tiers.length === 0 ? [] : [{ ...offer, tiers }];
  });
  if (open.length === 0) {
    throw new SeedmintError(
      "not-found",
      "Cannot rent: nobody who is online offers what fits; see market list --all",
    );
  }
  out.note(offerTable(open, { isNumbered: true }));
  for (;;) {
    out.question(`Which one? [1-${open.length}, Enter for 1] `);
    const answer = (await input.line({ signal })).trim();
    const offer = open[answer === "" ? 0 : Number(answer) - 1];
    if (offer !== undefined) {
      return { provider: offer.provider, ...given({ tier: offer.tiers[0]?.id }) };
    }
    out.note(`There is no ${JSON.stringify(answer.slice(0, 24))} in this list.`);
  }
}

/** `NAME=VALUE` of each `--env`. */
function envOf(context: VerbContext): Record<string, string> {
  const env: Record<string, string> = {};
  for (const text of context.flagAll("env")) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([^]*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined || value.includes("\0")) {
      // The value may be a secret: it is no part of the message.
      throw usage(context, `--env ${JSON.stringify(text.split("=")[0])}: NAME=VALUE wanted`);
    }
    env[name] = value;
  }
  return env;
}

/** `8080`, `53/udp`, `8080=web`. */
function readPort(context: VerbContext, text: string): PortWish {
  const [, digits, protocol = "tcp", label] =
    /^(\d{1,5})(?:\/(tcp|udp))?(?:=([A-Za-z0-9_.-]{1,32}))?$/.exec(text) ?? [];
  const containerPort = Number(digits);
  if (containerPort >= 1 && containerPort <= 65_535) {
    return {
      containerPort,
      protocol: protocol === "udp" ? "udp" : "tcp",
      label: label ?? `port-${containerPort}`,
    };
  }
  throw usage(
    context,
    `--port "${text.slice(0, 24)}": a port such as 8080, 53/udp or 8080=web wanted`,
  );
}

async function publicKeys(context: VerbContext): Promise<string[]> {
  const keys: string[] = [];
  for (const path of context.flagAll("key")) {
    const text = await readKeyFile(context, path);
    if (/PRIVATE KEY/.test(text)) {
      throw usage(context, `--key ${path} is a private key: name the public one, ${path}.pub`);
    }
    const lines = text.split("\n").map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
    const { readPublicKey } = await import("../../../../../provisioning/ssh/mod.ts");
    for (const line of lines) {
      try {
        keys.push(readPublicKey(line));
      } catch (error) {
        throw usage(context, `--key ${path}: ${messageOf(error)}`);
      }
    }
    if (lines.length === 0) throw usage(context, `--key ${path} holds no key`);
  }
  return keys;
}

async function readKeyFile(context: VerbContext, path: string): Promise<string> {
  try {
    const { size } = await Deno.stat(path);
    if (size <= KEY_FILE_BYTES_MAX) return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw usage(context, `--key ${path} cannot be read: ${messageOf(error)}`);
  }
  throw usage(context, `--key ${path} is too large for a public key`);
}
