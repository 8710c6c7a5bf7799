/**
 * Prices without a wallet: a copy of its services in the data directory, so that a node whose wallet
 * does not open still knows what it must not give away, and serves the rest.
 */
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import type { Hash } from "../../core/hash.ts";
import { v } from "../schema.ts";

/** Largest copy that is read: some hundred bytes for each service that there may be. */
const FILE_BYTES_MAX = 64 << 20;

/** What decides on a price. */
export interface PricedService {
  readonly id: string;
  readonly enabled: boolean;
  readonly priceMsatPerMiB: number;
}

const fileSchema = v.strictObject({
  version: v.literal(1),
  services: v.array(v.strictObject({
    id: v.string(),
    enabled: v.boolean(),
    priceMsatPerMiB: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  })),
});

/** What prices depend on besides the hash. */
export interface PriceFacts {
  readonly visibility: string | undefined;
  /** Collections that list it. */
  readonly collections: Iterable<Hash>;
}

/** Services as they were when the wallet was last open. */
export class PriceList {
  readonly #prices = new Map<string, number>();
  /** A copy that cannot be read prices everything: nothing may be given away by mistake. */
  readonly problem: string | undefined;

  constructor(services: readonly PricedService[], problem?: string) {
    this.problem = problem;
    for (const { id, enabled, priceMsatPerMiB } of services) {
      if (enabled) this.#prices.set(id, priceMsatPerMiB);
    }
  }

  /** What a MiB of `hash` costs, in msat; undefined if that is not known. */
  priceOf(hash: Hash, facts: PriceFacts): number | undefined {
    if (this.problem !== undefined) return undefined;
    const own = this.#prices.get(`content:${hash}`);
    if (own !== undefined) return own;
    let lowest: number | undefined;
    for (const root of facts.collections) {
      const price = this.#prices.get(`content:${root}`);
      if (price !== undefined) lowest = Math.min(lowest ?? Infinity, price);
    }
    return lowest ?? this.#prices.get(`visibility:${facts.visibility}`) ??
      this.#prices.get("default") ?? 0;
  }
}

/** Reads the copy of `dataDirectory`; without one nothing was ever sold. */
export async function readPriceList(
  dataDirectory: string,
): Promise<{ readonly list: PriceList; readonly services: readonly PricedService[] }> {
  const path = pathOf(dataDirectory);
  try {
    const { size } = await Deno.stat(path);
    if (size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    const { services } = v.parse(fileSchema, JSON.parse(await Deno.readTextFile(path)));
    return { list: new PriceList(services), services };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { list: new PriceList([]), services: [] };
    const problem =
      `nothing is served to strangers until the wallet opens: ${path} cannot be read: ${
        messageOf(error)
      }`;
    return { list: new PriceList([], problem), services: [] };
  }
}

/** Replaces the copy at once, as prices change rarely. @throws {Error} What the file system says. */
export function writePriceList(dataDirectory: string, services: readonly PricedService[]): void {
  const path = pathOf(dataDirectory);
  const rows = services.map(({ id, enabled, priceMsatPerMiB }) => ({
    ...{ id, enabled, priceMsatPerMiB },
  }));
  const text = `${JSON.stringify({ version: 1, services: rows })}\n`;
  Deno.writeTextFileSync(`${path}.new`, text, { mode: 0o600 });
  Deno.renameSync(`${path}.new`, path);
}

function pathOf(dataDirectory: string): string {
  return join(dataDirectory, "prices.json");
}
