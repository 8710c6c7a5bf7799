/** What one setting is: a row of the tables in `settings.ts` and `wallet_settings.ts`. */
import type { Schema } from "./values.ts";

/** One row of the table. */
export interface Setting<T> {
  /** What follows the flag in help texts; absent for switches. */
  readonly placeholder?: string;
  /** The default as a user would type it; undefined means that it is not set. */
  readonly default: string | readonly string[] | undefined;
  readonly description: string;
  readonly schema: Schema<T>;
  /** Takes several values: the flag may be repeated. */
  readonly isList?: true;
  /** A switch: `--name` and `--no-name`. */
  readonly isSwitch?: true;
  /** Never shown and has no flag, because command lines are visible to other users. */
  readonly isSecret?: true;
}

/** Gives a row its value type. */
export function setting<T>(row: Setting<T>): Setting<T> {
  return row;
}
