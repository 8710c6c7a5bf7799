/** Saying no, in words. */
import { SeedmintError } from "../../src/core/errors.ts";

/** Says no, in words for people, without secrets. */
export class Declined extends Error {
  override readonly name = "Declined";
}

/** Why something was not bought. Only our own errors have messages that are known to hold no secret. */
export function reasonOf(error: unknown): string {
  if (error instanceof Declined || error instanceof SeedmintError) return error.message;
  if (error instanceof RangeError || error instanceof TypeError) return error.message;
  return error instanceof DOMException ? "it was cancelled" : "the wallet made a mistake";
}
