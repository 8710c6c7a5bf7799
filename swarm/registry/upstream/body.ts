/** Reading small bodies of registries: bounded in size and in time. */
import { concatBytes } from "../../../src/core/bytes.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { BODY_STALL_MS_MAX } from "./limits.ts";
import { within } from "./within.ts";

/** How a body is read. */
export interface BodyOptions {
  readonly registry: string;
  readonly clock: Clock;
  /** The most bytes that it may have. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/**
 * The whole body of `response`.
 *
 * @throws {SeedmintError} `protocol` if it is larger than allowed or shorter than it said; `timeout`,
 * `unavailable` if it stops.
 */
export async function readBody(
  response: Response,
  options: BodyOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { registry, clock, bytesMax, signal } = options;
  const refuse = (code: "protocol" | "unavailable", why: string) =>
    new SeedmintError(code, `Cannot read the answer of registry ${registry}: ${why}`, {
      retryable: code === "unavailable",
    });
  const announced = lengthOf(response.headers);
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  try {
    if (announced !== undefined && announced > bytesMax) {
      throw refuse("protocol", `it has ${announced} bytes, and at most ${bytesMax} are taken`);
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    const what = `Cannot read the answer of registry ${registry}: nothing came`;
    while (true) {
      const read = await within({ clock, ms: BODY_STALL_MS_MAX, signal, what }, async () => {
        try {
          return await reader.read();
        } catch {
          throw refuse("unavailable", "the connection broke");
        }
      });
      if (read.done) break;
      size += read.value.length;
      if (size > bytesMax) throw refuse("protocol", `it has more than ${bytesMax} bytes`);
      pieces.push(read.value);
    }
    return concatBytes(...pieces);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** What a JSON body holds; undefined if it is not JSON. */
export async function readJson(response: Response, options: BodyOptions): Promise<unknown> {
  return jsonIn(await readBody(response, options));
}

/** What JSON in UTF-8 holds; undefined if `bytes` are none. */
export function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Content-Length, if there is one that is a number. */
export function lengthOf(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
