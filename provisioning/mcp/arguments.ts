/**
 * Arguments of tools: one table says what a tool takes, as JSON Schema to who asks, and as strict
 * reading of what comes. Agents err: what is wrong is told in words that mend it.
 */
import { SeedmintError } from "../../src/core/errors.ts";

/** One argument. */
export type Argument =
  & { readonly description: string; readonly required?: true }
  & (
    | { readonly type: "string"; readonly charsMax: number; readonly pattern?: RegExp }
    | { readonly type: "choice"; readonly values: readonly string[] }
    | { readonly type: "integer"; readonly min: number; readonly max: number }
    | { readonly type: "boolean" }
    | { readonly type: "words"; readonly countMax: number; readonly charsMax: number }
    | { readonly type: "texts"; readonly countMax: number; readonly charsMax: number }
    | {
      readonly type: "integers";
      readonly countMax: number;
      readonly min: number;
      readonly max: number;
    }
  );

/** The arguments of a tool by name. */
export type Arguments = Readonly<Record<string, Argument>>;

/** What an argument is once it was read. */
type Value<A extends Argument> = A extends { type: "string" | "choice" } ? string
  : A extends { type: "integer" } ? number
  : A extends { type: "boolean" } ? boolean
  : A extends { type: "words" } ? readonly string[]
  : A extends { type: "integers" } ? readonly number[]
  : Readonly<Record<string, string>>;

/** All arguments once they were read. */
export type Values<T extends Arguments> =
  & { readonly [K in keyof T as T[K] extends { required: true } ? K : never]: Value<T[K]> }
  & { readonly [K in keyof T as T[K] extends { required: true } ? never : K]?: Value<T[K]> };

/** The JSON Schema of `table`. */
export function schemaOf(table: Arguments): {
  readonly type: "object";
  readonly properties: Record<string, object>;
  readonly required: string[];
  readonly additionalProperties: false;
} {
  return {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(table).map(([name, argument]) => [name, propertyOf(argument)]),
    ),
    required: Object.keys(table).filter((name) => table[name]!.required === true),
    additionalProperties: false,
  };
}

function propertyOf(argument: Argument): object {
  const { description } = argument;
  switch (argument.type) {
    case "string":
      return {
        type: "string",
        description,
        maxLength: argument.charsMax,
        ...argument.pattern === undefined ? {} : { pattern: argument.pattern.source },
      };
    case "choice":
      return { type: "string", description, enum: [...argument.values] };
    case "integer":
      return { type: "integer", description, minimum: argument.min, maximum: argument.max };
    case "boolean":
      return { type: "boolean", description };
    case "words":
      return {
        type: "array",
        description,
        items: { type: "string" },
        minItems: 1,
        maxItems: argument.countMax,
      };
    case "integers":
      return {
        type: "array",
        description,
        items: { type: "integer", minimum: argument.min, maximum: argument.max },
        maxItems: argument.countMax,
      };
    case "texts":
      return { type: "object", description, additionalProperties: { type: "string" } };
    default:
      return argument satisfies never;
  }
}

/**
 * Reads what an agent sent.
 *
 * @throws {SeedmintError} `usage` that says what is wrong.
 */
export function readArguments<const T extends Arguments>(table: T, raw: unknown): Values<T> {
  const given = raw ?? {};
  if (typeof given !== "object" || Array.isArray(given)) {
    throw usage("An object of arguments wanted");
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) {
    throw usage(
      `There is no argument ${JSON.stringify(unknown.slice(0, 40))}; there are ${
        Object.keys(table).join(", ") || "none"
      }`,
    );
  }
  const values: Record<string, unknown> = {};
  for (const [name, argument] of Object.entries(table)) {
    const value = (given as Record<string, unknown>)[name];
    if (value === undefined || value === null) {
      if (argument.required === true) throw usage(`${name} is missing: ${argument.description}`);
      continue;
    }
    const problem = problemOf(argument, value);
    if (problem !== undefined) throw usage(`${name}: ${problem}`);
    values[name] = value;
  }
  return values as Values<T>;
}

function problemOf(argument: Argument, value: unknown): string | undefined {
  switch (argument.type) {
    case "string":
      return textProblem(value, argument.charsMax) ??
        (argument.pattern === undefined || argument.pattern.test(value as string)
          ? undefined
          : argument.description);
    case "choice":
      return argument.values.includes(value as string)
        ? undefined
        : `one of ${argument.values.join(", ")} wanted`;
    case "integer":
      return integerProblem(value, argument);
    case "boolean":
      return typeof value === "boolean" ? undefined : "true or false wanted";
    case "words":
      if (!Array.isArray(value) || value.length === 0 || value.length > argument.countMax) {
        return `a list of 1 to ${argument.countMax} texts wanted`;
      }
      return firstProblem(value, (item) => textProblem(item, argument.charsMax));
    case "integers":
      if (!Array.isArray(value) || value.length > argument.countMax) {
        return `a list of at most ${argument.countMax} whole numbers wanted`;
      }
      return firstProblem(value, (item) => integerProblem(item, argument));
    case "texts": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return "an object of texts wanted";
      }
      const items = Object.values(value);
      if (items.length > argument.countMax) return `at most ${argument.countMax} wanted`;
      return firstProblem(items, (item) => textProblem(item, argument.charsMax));
    }
    default:
      return argument satisfies never;
  }
}

function textProblem(value: unknown, charsMax: number): string | undefined {
  if (typeof value !== "string") return "a text wanted";
  if (value.length > charsMax) return `at most ${charsMax} characters wanted`;
  return value.includes("\0") ? "a character of it cannot be used" : undefined;
}

function integerProblem(
  value: unknown,
  range: { readonly min: number; readonly max: number },
): string | undefined {
  const isGood = Number.isSafeInteger(value) && (value as number) >= range.min &&
    (value as number) <= range.max;
  return isGood ? undefined : `a whole number from ${range.min} to ${range.max} wanted`;
}

function firstProblem(
  items: readonly unknown[],
  check: (item: unknown) => string | undefined,
): string | undefined {
  for (const item of items) {
    const problem = check(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function usage(message: string): SeedmintError {
  return new SeedmintError("usage", message);
}
