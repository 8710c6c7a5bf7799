/** What the admin interface can change for good: one row of the database. */
import type { SqliteConnection } from "../../src/sqlite/mod.ts";

/** How the mint behaves. */
export interface Behaviour {
  /** How far its clock is off, in seconds. */
  readonly clockOffsetS: number;
  /** NUTs that it does not have. */
  readonly disabledNuts: readonly number[];
  /** How long answers are kept for NUT-19, in seconds. */
  readonly cacheTtlS: number;
  /** Keeps answers that say PENDING, too, as real mints do: whoever posts again never sees PAID. */
  readonly cachePending: boolean;
  /** Which messages of NUT-20 it knows: mints before the amendment know `legacy` only. */
  readonly quoteSignatures: "both" | "amended" | "legacy";
  /** Signs change with the keyset of the blank output, or with the active one whatever was asked. */
  readonly changeKeyset: "blank" | "active";
  /** Pads change with signatures of amount 0 instead of leaving them out. */
  readonly zeroChange: boolean;
  readonly feeReservePercent: number;
  readonly feeReserveMinSat: number;
}

const USUAL: Behaviour = {
  clockOffsetS: 0,
  disabledNuts: [],
  cacheTtlS: 60,
  cachePending: false,
  quoteSignatures: "both",
  changeKeyset: "blank",
  zeroChange: false,
  feeReservePercent: 1,
  feeReserveMinSat: 1,
};

/** The behaviour on disk. */
export class Settings {
  readonly #db: SqliteConnection;
  #behaviour: Behaviour;

  constructor(db: SqliteConnection) {
    this.#db = db;
    const row = db.get("SELECT value FROM settings WHERE name = 'behaviour'");
    this.#behaviour = { ...USUAL, ...(row && JSON.parse(String(row.value)) as Behaviour) };
  }

  get behaviour(): Behaviour {
    return this.#behaviour;
  }

  /** Changes a part of it, on disk before it returns. */
  change(part: Partial<Behaviour>): void {
    this.#behaviour = { ...this.#behaviour, ...part };
    this.#db.run(
      "INSERT OR REPLACE INTO settings (name, value) VALUES ('behaviour', ?)",
      JSON.stringify(this.#behaviour),
    );
  }

  hasNut(nut: number): boolean {
    return !this.#behaviour.disabledNuts.includes(nut);
  }
}
