/** Selling as the handlers see it; `src/app/lifecycle` puts the wallet's seller behind it. */
import type { Hash } from "../../core/hash.ts";
import type { SoldFigures } from "../metrics.ts";
import type { EarningsReport, ServiceView } from "./selling_methods.ts";

/** A service without what the store knows of its content. */
export type ServiceRow = Omit<ServiceView, "name">;

/** What a node sells, and what it earned. */
export interface Selling {
  services(): readonly ServiceRow[];
  /**
   * Makes or changes a service and enables it.
   *
   * @throws {SeedmintError} `usage` for a mint that is not listed
   */
  set(service: {
    readonly id: string;
    readonly priceMsatPerMiB: number;
    readonly minTopUpSat?: number;
    readonly mints?: readonly string[];
  }): Promise<ServiceRow>;
  /** @throws {SeedmintError} `not-found` if there is no such service. */
  enable(id: string, isEnabled: boolean): ServiceRow;
  earnings(
    query: { readonly by: EarningsReport["by"]; readonly sinceMs?: number },
  ): Omit<EarningsReport, "by" | "sinceMs">;
}

/** The selling of a node. */
export interface SellingAccess {
  /**
   * Opens the wallet if it is not open.
   *
   * @throws {SeedmintError} If it cannot be opened.
   */
  readonly open: () => Promise<Selling>;
  /** Selling while the wallet is open. */
  readonly opened: () => Selling | undefined;
  /** What strangers are asked for a MiB of a blob: 0 is free, undefined is not known. */
  readonly priceOf: (hash: Hash) => number | undefined;
  /** What was sold so far, for metrics; undefined while the wallet is not open. */
  readonly sold: () => SoldFigures | undefined;
}
