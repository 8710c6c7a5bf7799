/** Reads the fields of one decoded CBOR map, each with its type and limit, and refuses the rest. */
import type { Bytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import {
  type Hash,
  HASH_BYTES,
  hashFromBytes,
  type Sha256,
  sha256FromBytes,
} from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { BLOB_BYTES_MAX } from "../bao/geometry.ts";

/** One map that a stranger sent. Every method throws a `protocol` error on a wrong value. */
export class FieldReader {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #what: string;
  readonly #read = new Set<string>();

  private constructor(fields: ReadonlyMap<string, unknown>, what: string) {
    this.#fields = fields;
    this.#what = what;
  }

  /** @throws {SeedmintError} `protocol` unless `value` is a map. */
  static of(value: unknown, what: string): FieldReader {
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value) &&
      !(value instanceof Uint8Array);
    if (!isMap) throw new SeedmintError("protocol", `Cannot read ${what}: a map is wanted`);
    return new FieldReader(new Map(Object.entries(value)), what);
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** `{ [name]: read(name) }`, or nothing when the field is absent. */
  optional<N extends string, T>(name: N, read: (name: N) => T): { readonly [K in N]?: T } {
    return this.has(name) ? { [name]: read(name) } as { readonly [K in N]?: T } : {};
  }

  uint(name: string, max: number): number {
    const value = this.#take(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > max) {
      throw this.refused(`"${name}" is not an integer from 0 to ${max}`);
    }
    return value;
  }

  /** The size of a blob in bytes. */
  size(name: string): number {
    return this.uint(name, BLOB_BYTES_MAX);
  }

  text(name: string, lengthMax: number): string {
    const value = this.#take(name);
    if (typeof value !== "string" || value.length > lengthMax) {
      throw this.refused(`"${name}" is not a text of at most ${lengthMax} characters`);
    }
    return value;
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.#take(name);
    if (typeof value !== "string" || !pattern.test(value)) {
      throw this.refused(`"${name}" does not match ${pattern}`);
    }
    return value;
  }

  oneOf<const T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#take(name);
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw this.refused(`"${name}" is none of ${choices.join(", ")}`);
    return choice;
  }

  literalTrue(name: string): true {
    if (this.#take(name) !== true) throw this.refused(`"${name}" is not true`);
    return true;
  }

  /** A copy of exactly `size` bytes. */
  bytesOf(name: string, size: number): Bytes {
    const value = this.#take(name);
    if (!(value instanceof Uint8Array) || value.length !== size) {
      throw this.refused(`"${name}" is not ${size} bytes`);
    }
    return Uint8Array.from(value);
  }

  /** A copy of at most `sizeMax` bytes. */
  bytesUpTo(name: string, sizeMax: number): Bytes {
    const value = this.#take(name);
    if (!(value instanceof Uint8Array) || value.length > sizeMax) {
      throw this.refused(`"${name}" is not at most ${sizeMax} bytes`);
    }
    return Uint8Array.from(value);
  }

  hash(name: string): Hash {
    return hashFromBytes(this.bytesOf(name, HASH_BYTES));
  }

  sha256(name: string): Sha256 {
    return sha256FromBytes(this.bytesOf(name, HASH_BYTES));
  }

  /** Flat ascending boundaries; an odd count means that the last run has no end. */
  rangeSet(name: string, countMax: number): RangeSet {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length > countMax) {
      throw this.refused(`"${name}" is not a list of at most ${countMax} boundaries`);
    }
    try {
      return RangeSet.fromBoundaries(value);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw this.refused(`"${name}" is not ascending`, cause);
    }
  }

  texts(
    name: string,
    options: { readonly countMax: number; readonly lengthMax: number },
  ): readonly string[] {
    const value = this.#take(name);
    const isFine = Array.isArray(value) && value.length <= options.countMax &&
      value.every((item) => typeof item === "string" && item.length <= options.lengthMax);
    if (!isFine) {
      throw this.refused(
        `"${name}" is not a list of at most ${options.countMax} texts of at most ${options.lengthMax} characters`,
      );
    }
    return value;
  }

  map(name: string): FieldReader {
    return FieldReader.of(this.#take(name), `"${name}"`);
  }

  list<T>(name: string, countMax: number, read: (entry: FieldReader) => T): readonly T[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length > countMax) {
      throw this.refused(`"${name}" is not a list of at most ${countMax} entries`);
    }
    return value.map((entry: unknown) => read(FieldReader.of(entry, `an entry of "${name}"`)));
  }

  /** Says that all was read: any other field is refused. */
  end(): void {
    for (const name of this.#fields.keys()) {
      if (!this.#read.has(name)) throw this.refused(`the field "${name.slice(0, 40)}" is unknown`);
    }
  }

  refused(why: string, cause?: unknown): SeedmintError {
    return new SeedmintError(
      "protocol",
      `Cannot read ${this.#what}: ${why}`,
      cause === undefined ? {} : { cause },
    );
  }

  #take(name: string): unknown {
    if (!this.#fields.has(name)) throw this.refused(`the field "${name}" is missing`);
    this.#read.add(name);
    return this.#fields.get(name);
  }
}
