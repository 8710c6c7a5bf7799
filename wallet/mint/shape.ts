/** Small checks of JSON that a stranger sent. Each returns the value in its type, or throws {@link ShapeError}. */

/** What was wanted and where; the value is never told, since it may be a secret. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

function fail(where: string, wanted: string): never {
  throw new ShapeError(`${where}: ${wanted} wanted`);
}

/** An object that is no array. */
export function asObject(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(where, "an object");
  return value as Record<string, unknown>;
}

/** An array of at most `countMax`. */
export function asArray(value: unknown, where: string, countMax: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > countMax) {
    fail(where, `an array of at most ${countMax}`);
  }
  return value;
}

/** A text of 1 to `charsMax` characters. */
export function asText(value: unknown, where: string, charsMax: number): string {
  if (typeof value !== "string" || value.length === 0 || value.length > charsMax) {
    fail(where, `a text of 1 to ${charsMax} characters`);
  }
  return value;
}

/** A whole number from 0 to 2^53 - 1, written as one. */
export function asWhole(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    fail(where, "a whole number");
  }
  return value;
}

/** A whole number as an amount. */
export function asAmount(value: unknown, where: string): bigint {
  return BigInt(asWhole(value, where));
}

/** Lower-case hex of `size` bytes. */
export function asHex(value: unknown, where: string, size: number): string {
  if (typeof value !== "string" || value.length !== 2 * size || !/^[0-9a-f]*$/.test(value)) {
    fail(where, `${size} bytes in hex`);
  }
  return value;
}

/** A compressed point, by its look. */
export function asPoint(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^0[23][0-9a-f]{64}$/.test(value)) {
    fail(where, "a compressed point");
  }
  return value;
}

/** One of `choices`. */
export function asChoice<Choice extends string>(
  value: unknown,
  where: string,
  choices: readonly Choice[],
): Choice {
  if (!choices.includes(value as Choice)) fail(where, choices.join(" or "));
  return value as Choice;
}

/** `read(value)`, or undefined where there is none: absent or null. */
export function ifPresent<Read>(value: unknown, read: (value: unknown) => Read): Read | undefined {
  return value === undefined || value === null ? undefined : read(value);
}
