/** Amounts and times as they are typed, and as they are printed. */
import { messageOf, SeedmintError } from "../../../../core/errors.ts";
import { satOf } from "../../../config/money_values.ts";
import { durationSchema } from "../../../config/values.ts";
import { v } from "../../../schema.ts";
import type { VerbContext } from "../../verb.ts";

/** Above this a bare number is a moment, in seconds since 1970; below it would be years of lock. */
const MOMENT_S_MIN = 1_000_000_000;

/** What is asked to be paid or received: at least 1 sat. */
export function readAmount(text: string): number {
  const sat = satOf(text);
  if (sat > 0) return sat;
  throw new SeedmintError("usage", "Cannot use the amount 0: at least 1 sat wanted");
}

/** An amount of a flag, if it is given. */
export function amountFlag(context: VerbContext, name: string): number | undefined {
  const text = context.flag(name);
  if (text === undefined) return undefined;
  try {
    return satOf(text);
  } catch (error) {
    throw new SeedmintError("usage", `Cannot use --${name}: ${messageOf(error)}`);
  }
}

/** `--lock`: a public key, if it is given. */
export function lockFlag(context: VerbContext): string | undefined {
  const text = context.flag("lock")?.trim().toLowerCase();
  if (text === undefined || /^0[23][0-9a-f]{64}$/.test(text)) return text;
  throw new SeedmintError(
    "usage",
    "Cannot use --lock: a public key wanted, 66 hex digits that begin with 02 or 03",
  );
}

/** `--locktime`: when a lock ends, in seconds since 1970, if it is given. */
export function locktimeFlag(context: VerbContext, nowMs: number): number | undefined {
  const text = context.flag("locktime");
  if (text === undefined) return undefined;
  if (!context.has("lock")) {
    throw new SeedmintError("usage", "Cannot use --locktime without --lock");
  }
  if (/^\d{10,11}$/.test(text) && Number(text) >= MOMENT_S_MIN) return Number(text);
  const result = v.safeParse(durationSchema, text);
  if (result.success && result.output > 0) return Math.ceil((nowMs + result.output) / 1000);
  throw new SeedmintError(
    "usage",
    `Cannot use --locktime "${text}": a time such as 7d or 12h, or seconds since 1970, wanted`,
  );
}

/** `21 sat` */
export function formatSat(sat: number): string {
  return `${sat} sat`;
}

/** Fields that are given, for requests in which an absent one must not be there. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
