/** What is counted of signed catalogs that are followed. */
import { Counter, Gauge, type Registry } from "./prometheus.ts";

/** One catalog that is followed. */
export interface CatalogFigures {
  /** Names as the operator knows them. */
  readonly root: string;
  readonly catalog: string;
  /** What counts; undefined while none does. */
  readonly accepted?: {
    readonly sequence: number;
    /** Since it was signed, and until it expires: below 0 when it has. Both in seconds. */
    readonly ageS: number;
    readonly leftS: number;
  };
}

/** The part of the metrics that is about catalogs. */
export class CatalogMetrics {
  readonly #refused: Counter<"catalog" | "reason">;

  constructor(registers: Registry[], followed: (() => readonly CatalogFigures[]) | undefined) {
    this.#refused = new Counter({
      name: "seedmint_catalog_refused_total",
      help: "Publications of catalogs that were refused, by catalog and reason",
      labelNames: ["catalog", "reason"],
      registers,
    });
    if (followed !== undefined) catalogGauges(registers, followed);
  }

  /** Counts publications that were found and refused. */
  refused(catalog: string, reasons: readonly string[]): void {
    for (const reason of reasons) this.#refused.inc({ catalog, reason });
  }
}

/** How followed catalogs fare, read for each scrape. */
function catalogGauges(registers: Registry[], followed: () => readonly CatalogFigures[]): void {
  const gauge = (
    suffix: string,
    help: string,
    read: (accepted: NonNullable<CatalogFigures["accepted"]>) => number,
  ) =>
    new Gauge({
      name: `seedmint_catalog_${suffix}`,
      help,
      labelNames: ["root", "catalog"],
      registers,
      collect() {
        this.reset();
        for (const { root, catalog, accepted } of followed()) {
          if (accepted !== undefined) this.set({ root, catalog }, read(accepted));
        }
      },
    });
  gauge("sequence", "Sequence number of the catalog that counts", ({ sequence }) => sequence);
  gauge("age_seconds", "Since the catalog that counts was signed", ({ ageS }) => ageS);
  gauge("expires_seconds", "Until the catalog that counts expires", ({ leftS }) => leftS);
  new Gauge({
    name: "seedmint_catalogs_followed",
    help: "Catalogs that are followed, and those of which none counts yet",
    labelNames: ["state"],
    registers,
    collect() {
      const all = followed();
      const readyCount = all.filter(({ accepted }) => accepted !== undefined).length;
      this.set({ state: "accepted" }, readyCount);
      this.set({ state: "missing" }, all.length - readyCount);
    },
  });
}
