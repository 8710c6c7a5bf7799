/** How the texts of settings about lending become values. */
import type { LeaseSpec } from "../../../provisioning/leases/mod.ts";
import { WIRE_LIMITS } from "../../../provisioning/wire/limits.ts";
import { v } from "../schema.ts";
import { bytesSchema, reader, type Schema } from "./values.ts";

/** What is lent under one name. */
export type Tier = LeaseSpec;

/** One rule about images: the start of a name, or a digest in hex. */
export interface ImageRule {
  readonly allows: boolean;
  readonly match: string;
}

const MIB = 1024 * 1024;

/** What a tier of the pod-specs of Paygress that names no disk gets, in MiB. */
export const TIER_DISK_MB = 10 * 1024;

const TIER_WANTED = "a tier such as basic=1000m/1GiB/10GiB/50msat wanted";

/** A tier: `ID=CPU/MEMORY/DISK/RATE`, or an object as in pod-specs with `disk_mb` besides. */
export const tierSchema: Schema<Tier> = reader((input) => {
  return typeof input === "object" && input !== null
    ? tierOfTable(input as Record<string, unknown>)
    : tierOfText(String(input).trim());
});

/** The text that {@link tierSchema} reads as `tier`; name and description are left out. */
export function tierText(tier: Tier): string {
  return `${tier.id}=${tier.cpuMillicores}m/${tier.memoryMb}MiB/${tier.diskMb}MiB/` +
    `${tier.rateMsatPerS}msat`;
}

/** The members that {@link tierSchema} reads as `tier`, as in a file of pod-specs. */
export function tierMembers(tier: Tier): Record<string, string | number> {
  return {
    id: tier.id,
    name: tier.name,
    description: tier.description,
    cpu_millicores: tier.cpuMillicores,
    memory_mb: tier.memoryMb,
    disk_mb: tier.diskMb,
    rate_msats_per_sec: tier.rateMsatPerS,
  };
}

/** `FROM-TO`, both above 1023. */
export const portRangeSchema: Schema<{ readonly first: number; readonly last: number }> = reader(
  (input) => {
    const found = /^(\d{4,5})-(\d{4,5})$/.exec(String(input).trim());
    const [first, last] = [Number(found?.[1] ?? NaN), Number(found?.[2] ?? NaN)];
    if (first >= 1024 && first <= last && last <= 65_535) return { first, last };
    throw new SyntaxError("ports such as 30000-31999, from 1024 to 65535, wanted");
  },
);

/** The start of an image's name, or a digest; `!` in front refuses it. */
export const imageRuleSchema: Schema<ImageRule> = reader((input) => {
  const text = String(input).trim();
  const match = text.replace(/^!/, "").replace(/^sha256:/, "");
  if (/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/.test(match)) {
    return { allows: !text.startsWith("!"), match };
  }
  throw new SyntaxError(
    "the start of an image's name such as docker.io/library/, or a digest, wanted",
  );
});

function tierOfText(text: string): Tier {
  const found =
    /^([A-Za-z0-9][\w.-]{0,63})=(\d{1,9}m|\d{1,4}(?:\.\d{1,3})?)\/([^/]+)\/([^/]+)\/(\d{1,12})\s*(m?sats?)?$/i
      .exec(text);
  if (found === null) throw new SyntaxError(TIER_WANTED);
  const [, id, cpu, memory, disk, rate, unit] = found as unknown as string[];
  const isSat = unit !== undefined && /^sats?$/i.test(unit);
  return checked({
    id: id!,
    name: id!,
    description: "",
    cpuMillicores: cpu!.endsWith("m") ? Number(cpu!.slice(0, -1)) : Math.round(Number(cpu) * 1000),
    memoryMb: mebibytes(memory!),
    diskMb: mebibytes(disk!),
    rateMsatPerS: Number(rate) * (isSat ? 1000 : 1),
  });
}

function tierOfTable(table: Record<string, unknown>): Tier {
  const known = new Set(Object.keys(tierMembers({} as Tier)));
  const unknown = Object.keys(table).find((key) => !known.has(key));
  if (unknown !== undefined) {
    throw new SyntaxError(`a tier has ${[...known].join(", ")}; "${unknown.slice(0, 40)}" found`);
  }
  const words = (key: string, charsMax: number) => {
    const value = table[key];
    if (value === undefined) return undefined;
    if (typeof value === "string" && value.length <= charsMax) return value;
    throw new SyntaxError(`${key} of a tier must be a text of at most ${charsMax} characters`);
  };
  const id = words("id", WIRE_LIMITS.nameCharsMax);
  if (id === undefined || id === "") throw new SyntaxError("a tier must have an id");
  return checked({
    id,
    name: words("name", WIRE_LIMITS.nameCharsMax) || id,
    description: words("description", WIRE_LIMITS.textCharsMax) ?? "",
    cpuMillicores: Number(table.cpu_millicores),
    memoryMb: Number(table.memory_mb),
    diskMb: Number(table.disk_mb ?? TIER_DISK_MB),
    rateMsatPerS: Number(table.rate_msats_per_sec),
  });
}

function checked(tier: Tier): Tier {
  const counts = [tier.cpuMillicores, tier.memoryMb, tier.diskMb, tier.rateMsatPerS];
  if (counts.every((count) => Number.isSafeInteger(count) && count > 0)) return tier;
  throw new SyntaxError(
    `tier ${tier.id}: whole numbers above 0 for processor, memory, disk and price wanted`,
  );
}

function mebibytes(text: string): number {
  const result = v.safeParse(bytesSchema, text);
  if (!result.success || !/[a-z]/i.test(text)) throw new SyntaxError(TIER_WANTED);
  return Math.floor(result.output / MIB);
}
