/** What the verbs of the market share: filters from flags, and how offers are shown. */
import { SeedmintError } from "../../../../core/errors.ts";
import {
  MARKET_SORTS,
  type MarketFilter,
  type MarketSort,
  type OfferView,
  type QuoteView,
  type TierView,
} from "../../../api/lease_methods.ts";
import { bytesSchema, durationSchema } from "../../../config/values.ts";
import { formatBytes, formatDuration, formatTable, printable } from "../../../output/format.ts";
import { v } from "../../../schema.ts";
import type { VerbContext } from "../../verb.ts";
import { amountFlag, given } from "../wallet/amounts.ts";

const MIB = 2 ** 20;
const ISOLATIONS = ["shared-kernel", "dedicated-host", "attested-research-tier"] as const;

/** An hour, when neither a time nor a budget is named. */
const DURATION_S = 3600;

/** What the flags of a filter say. @throws {SeedmintError} `usage` */
export function filterOf(context: VerbContext): MarketFilter {
  const capabilities = context.flagAll("capability");
  return given({
    capabilities: capabilities.length === 0 ? undefined : capabilities,
    isolation: oneOf(context, "isolation", ISOLATIONS),
    cpuMillicoresMin: read(context, "cpu", readCpu),
    memoryMbMin: read(context, "memory", readMiB),
    diskMbMin: read(context, "disk", readMiB),
    location: context.flag("location"),
    mint: context.flag("mint"),
    arch: context.flag("arch"),
    rateMsatPerSMax: read(context, "rate-max", readCount),
  });
}

/** `--sort`. @throws {SeedmintError} `usage` */
export function sortOf(context: VerbContext): MarketSort | undefined {
  return oneOf(context, "sort", MARKET_SORTS);
}

/** `--for` or `--budget`; an hour when neither is given. @throws {SeedmintError} `usage` */
export function extentOf(
  context: VerbContext,
): { readonly durationS: number } | { readonly budgetSat: number } {
  const budgetSat = amountFlag(context, "budget");
  const durationS = read(context, "for", readSeconds);
  if (budgetSat !== undefined && durationS !== undefined) {
    throw usage(context, "--for and --budget exclude each other");
  }
  if (budgetSat === undefined) return { durationS: durationS ?? DURATION_S };
  if (budgetSat > 0) return { budgetSat };
  throw usage(context, "--budget must be at least 1 sat");
}

/** A flag with a value that `reader` reads, if it is given. @throws {SeedmintError} `usage` */
export function read<T>(
  context: VerbContext,
  name: string,
  reader: (text: string) => T,
): T | undefined {
  const text = context.flag(name);
  if (text === undefined) return undefined;
  try {
    return reader(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw usage(context, `--${name} "${text.slice(0, 24)}": ${error.message}`);
  }
}

/** A time, in whole seconds. */
export function readSeconds(text: string): number {
  const result = v.safeParse(durationSchema, text);
  if (result.success && result.output >= 1000) return Math.floor(result.output / 1000);
  throw new SyntaxError("a time such as 90m, 12h or 3d wanted");
}

/** A number of 1 or more. */
export function readCount(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text.trim())) return Number(text);
  throw new SyntaxError("a whole number of 1 or more wanted");
}

/** `2`, `0.5`, `500m`: thousandths of a core. */
export function readCpu(text: string): number {
  const [, digits, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(m?)$/.exec(text.trim()) ?? [];
  const millicores = unit === "m" ? Number(digits) : Math.round(Number(digits) * 1000);
  if (digits !== undefined && Number.isInteger(millicores)) return millicores;
  throw new SyntaxError("cores such as 2, 0.5 or 500m wanted");
}

function readMiB(text: string): number {
  const result = v.safeParse(bytesSchema, text);
  if (result.success) return Math.ceil(result.output / MIB);
  throw new SyntaxError("a size such as 512MiB or 4GiB wanted");
}

/** An error about how the verb was called. */
export function usage({ verb }: VerbContext, why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot run ${verb.name}: ${why} (see ${verb.name} --help)`);
}

function oneOf<const T extends string>(
  context: VerbContext,
  name: string,
  choices: readonly T[],
): T | undefined {
  return read(context, name, (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new SyntaxError(`one of ${choices.join(", ")} wanted`);
  });
}

/** Offers as a table, with a number in front of each when somebody is to choose. */
export function offerTable(
  offers: readonly OfferView[],
  options: { readonly isNumbered?: boolean } = {},
): string {
  const number = options.isNumbered === true;
  return formatTable(
    [
      ...(number ? [{ title: "#", alignRight: true } as const] : []),
      { title: "PROVIDER" },
      { title: "NAME" },
      { title: "TIER" },
      { title: "CPU", alignRight: true },
      { title: "MEMORY", alignRight: true },
      { title: "PRICE", alignRight: true },
      { title: "WHERE" },
      { title: "UPTIME", alignRight: true },
      { title: "SCORE", alignRight: true },
      { title: "STATE" },
    ],
    offers.map((offer, index) => {
      const tier = offer.tiers[0];
      const more = offer.tiers.length > 1 ? ` +${offer.tiers.length - 1}` : "";
      return [
        ...(number ? [String(index + 1)] : []),
        shortNpub(offer.npub),
        short(offer.name, 20),
        tier === undefined ? "-" : `${short(tier.id, 16)}${more}`,
        tier === undefined ? "-" : formatCpu(tier.cpuMillicores),
        tier === undefined ? "-" : formatMiB(tier.memoryMb),
        tier === undefined ? "-" : formatRate(tier.rateMsatPerS),
        short(offer.location ?? "-", 12),
        offer.uptimePercent === null ? "-" : `${Math.floor(offer.uptimePercent)} %`,
        offer.score === null ? "-" : String(Math.round(offer.score)),
        stateOf(offer),
      ];
    }),
  );
}

/** All that is known of one offer, in lines. */
export function describeOffer(offer: OfferView, nowMs: number): string[] {
  const seen = offer.seenMs === null
    ? "never seen"
    : `seen ${formatDuration(Math.max(0, nowMs - offer.seenMs))} ago`;
  const limits = [
    ...(offer.minDurationS === null ? [] : [`at least ${formatSeconds(offer.minDurationS)}`]),
    ...(offer.maxDurationS === null ? [] : [`at most ${formatSeconds(offer.maxDurationS)}`]),
    ...(offer.portCountMax === null ? [] : [`${offer.portCountMax} ports besides SSH`]),
  ].join(", ");
  const free = offer.freeCpuMillicores === null ? [] : [
    row(
      "free",
      `${formatCpu(offer.freeCpuMillicores)} cores, ${formatMiB(offer.freeMemoryMb ?? 0)} memory` +
        (offer.freeDiskMb === null ? "" : `, ${formatMiB(offer.freeDiskMb)} disk`),
    ),
  ];
  return [
    row("provider", offer.npub),
    row("key", offer.provider),
    row("name", printable(offer.name)),
    row("state", `${stateOf(offer)}, ${seen}`),
    ...(offer.location === null ? [] : [row("where", printable(offer.location))]),
    row("isolation", offer.isolation),
    row("offers", printable(offer.capabilities.join(" "))),
    ...(offer.backend === null ? [] : [row("engine", printable(offer.backend))]),
    ...(offer.arch === null ? [] : [row("machine", printable(offer.arch))]),
    ...free,
    ...(offer.activeCount === null ? [] : [row("leases", `${offer.activeCount} at the moment`)]),
    row("uptime", offer.uptimePercent === null ? "not known" : `${offer.uptimePercent} %`),
    row("score", offer.score === null ? "not known" : String(Math.round(offer.score))),
    ...(limits === "" ? [] : [row("limits", limits)]),
    ...offer.mints.map((mint, index) => row(index === 0 ? "mints" : "", printable(mint))),
    row("payment", offer.takesLocked ? "locked to it" : "unlocked, as good as cash"),
    row(
      "answers",
      offer.verbs.length === 0 ? "spawn topup status" : printable(offer.verbs.join(" ")),
    ),
    ...(offer.apiEndpoint === null ? [] : [row("http", printable(offer.apiEndpoint))]),
    ...offer.warnings.map((warning) => row("warning", printable(warning))),
    "",
    tierTable(offer.tiers),
  ];
}

/** One line of what a lease would cost. */
export function describeQuote(quote: QuoteView): string {
  const { tier } = quote;
  return `${printable(quote.providerName)} (${shortNpub(quote.npub)}): ${printable(tier.id)}, ` +
    `${formatCpu(tier.cpuMillicores)} cores, ${formatMiB(tier.memoryMb)}, ` +
    `${formatSeconds(quote.durationS)} for ${quote.amountSat} sat ` +
    `(${formatRate(tier.rateMsatPerS)}), fees of mints not included`;
}

function tierTable(tiers: readonly TierView[]): string {
  return formatTable(
    [
      { title: "TIER" },
      { title: "CPU", alignRight: true },
      { title: "MEMORY", alignRight: true },
      { title: "DISK", alignRight: true },
      { title: "PRICE", alignRight: true },
      { title: "AN HOUR", alignRight: true },
      { title: "ROOM", alignRight: true },
      { title: "DESCRIPTION" },
    ],
    tiers.map((tier) => [
      short(tier.id, 24),
      formatCpu(tier.cpuMillicores),
      formatMiB(tier.memoryMb),
      tier.diskMb === null ? "-" : formatMiB(tier.diskMb),
      formatRate(tier.rateMsatPerS),
      `${Math.ceil(tier.rateMsatPerS * 3600 / 1000)} sat`,
      tier.slotCount === null ? "-" : String(tier.slotCount),
      short(tier.description, 40),
    ]),
  );
}

/** `online`, `full`, … */
export function stateOf(offer: OfferView): string {
  if (!offer.isOnline) return "offline";
  if (offer.isDraining) return "draining";
  const hasRoom = offer.tiers.some((tier) => tier.slotCount === null || tier.slotCount > 0);
  return hasRoom ? "online" : "full";
}

/** `npub1abcd…wxyz` */
export function shortNpub(npub: string): string {
  return npub.length > 20 ? `${npub.slice(0, 12)}…${npub.slice(-4)}` : npub;
}

/** `0.5`, `2` */
export function formatCpu(millicores: number): string {
  return String(millicores / 1000);
}

/** `512 MiB`, `4.00 GiB` */
export function formatMiB(count: number): string {
  return formatBytes(count * MIB);
}

/** `1 h 0 min` */
export function formatSeconds(seconds: number): string {
  return formatDuration(seconds * 1000);
}

/** `50 msat/s` */
export function formatRate(msatPerS: number): string {
  return `${msatPerS} msat/s`;
}

/** Text of a provider, in a cell. */
export function short(text: string, charsMax: number): string {
  const plain = printable(text);
  return plain.length > charsMax ? `${plain.slice(0, charsMax - 1)}…` : plain;
}

function row(title: string, text: string): string {
  return `${title.padEnd(10)} ${text}`;
}
