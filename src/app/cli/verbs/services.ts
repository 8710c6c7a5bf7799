/** `services`: prices, listed and changed. */
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import type { NodeApi } from "../../api/methods.ts";
import type { ServiceView } from "../../api/selling_methods.ts";
import { priceOf } from "../../config/money_values.ts";
import { formatPrice, formatTable, printable } from "../../output/format.ts";
import { openNode, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";
import { amountFlag, formatSat } from "./wallet/amounts.ts";

const ALL_MINTS = "all";

/** Runs whichever of them it is. */
export async function run(context: VerbContext): Promise<number> {
  const { verb, operands } = context;
  const word = verb.name.slice("services ".length);
  if (word === "list") await withNode(context, (node) => list(context, node));
  else if (word === "set") await set(context);
  else {
    const method = word === "enable" ? "services.enable" : "services.disable";
    await withNode(context, async (node) => {
      const service = await node.call(method, { id: operands[0]! }, callOptions(context));
      show(context, [service]);
    });
  }
  return 0;
}

async function withNode(
  context: VerbContext,
  use: (node: NodeApi) => Promise<void>,
): Promise<void> {
  await using node = await openNode(context, "store");
  await use(node);
}

function callOptions({ out, signal }: VerbContext) {
  return {
    signal,
    onEvent: (event: Parameters<typeof showEvent>[1]) => out.json || showEvent(out, event),
  };
}

async function set(context: VerbContext): Promise<void> {
  const [id, priceText] = context.operands as [string, string];
  const mints = readMints(context.flagAll("mint"));
  const minTopUpSat = amountFlag(context, "min-top-up");
  if (minTopUpSat === 0) throw usage("--min-top-up must be at least 1 sat");
  const priceMsatPerMiB = readPrice(priceText);
  await withNode(context, async (node) => {
    const service = await node.call("services.set", {
      id,
      priceMsatPerMiB,
      ...(minTopUpSat === undefined ? {} : { minTopUpSat }),
      ...(mints === undefined ? {} : { mints }),
    }, callOptions(context));
    show(context, [service]);
  });
}

/**
 * What `--mint` says: undefined leaves it as it is, an empty list is all that are listed.
 *
 * @throws {SeedmintError} `usage` if `all` is not alone.
 */
export function readMints(texts: readonly string[]): readonly string[] | undefined {
  if (texts.length === 0) return undefined;
  if (!texts.includes(ALL_MINTS)) return texts;
  if (texts.every((text) => text === ALL_MINTS)) return [];
  throw usage("--mint all means every mint that is listed; name no other besides");
}

function readPrice(text: string): number {
  try {
    return priceOf(text);
  } catch (error) {
    throw usage(`"${text.slice(0, 24)}" is no price: ${messageOf(error)}`);
  }
}

async function list(context: VerbContext, node: NodeApi): Promise<void> {
  const { services } = await node.call("services.list", {}, { signal: context.signal });
  if (services.length === 0 && !context.out.json) {
    context.out.note("note: everything is free; services set default PRICE sells it");
  } else show(context, services);
}

function show({ out }: VerbContext, services: readonly ServiceView[]): void {
  if (out.json) return services.forEach((service) => out.object(service));
  out.line(formatTable(
    [
      { title: "SERVICE" },
      { title: "PRICE", alignRight: true },
      { title: "STATE" },
      { title: "LEAST PAYMENT", alignRight: true },
      { title: "MINTS" },
      { title: "NAME" },
    ],
    services.map((service) => [
      service.id.replace(/^(visibility|content):/, ""),
      formatPrice(service.priceMsatPerMiB),
      service.enabled ? "on" : "off",
      service.minTopUpSat === null ? "by price" : formatSat(service.minTopUpSat),
      service.mints === null ? "all listed" : service.mints.map(printable).join(" "),
      printable(service.name ?? ""),
    ]),
  ));
}

function usage(why: string): SeedmintError {
  return new SeedmintError(
    "usage",
    `Cannot run services set: ${why} (see services set --help)`,
  );
}
