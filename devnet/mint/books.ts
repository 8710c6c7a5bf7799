/** The mint's own accounts, reckoned from its database. Amounts are sat unless named msat. */
import type { MintContext } from "./context.ts";

/** Ecash of one keyset. */
export interface KeysetBooks {
  readonly id: string;
  readonly issued: bigint;
  readonly redeemed: bigint;
  /** Inputs of melts that are being paid: part of what is outstanding. */
  readonly pending: bigint;
  /** Issued and not redeemed. */
  readonly outstanding: bigint;
}

/** All accounts. */
export interface MintBooks {
  readonly issued: bigint;
  readonly redeemed: bigint;
  readonly pending: bigint;
  readonly outstanding: bigint;
  /** Input fees (NUT-02) of swaps and melts. */
  readonly fees: bigint;
  readonly keysets: readonly KeysetBooks[];
  /** Paid into quotes, as far as the mint has seen. */
  readonly lightningInMsat: bigint;
  /** Paid out for melts, Lightning's fees among it. */
  readonly lightningOutMsat: bigint;
  /** Paid into quotes that nobody has issued yet. */
  readonly unissuedMsat: bigint;
  /** Kept of melts: fee reserve that did not come back as change, and parts of a sat. */
  readonly marginMsat: bigint;
  /**
   * Whether in - out = outstanding + fees + unissued + margin: every sat that came in is accounted for
   * and none was made of nothing.
   */
  readonly isBalanced: boolean;
}

/** Reckons the accounts anew. */
export function books(context: MintContext): MintBooks {
  const keysets = context.keysets.all().map(({ id }) => keysetBooks(context, id));
  const total = (name: "issued" | "redeemed" | "pending" | "outstanding") =>
    keysets.reduce((sum, keyset) => sum + keyset[name], 0n);
  const sum = (sql: string) => BigInt(String(context.db.get(sql)!.total));
  const paidQuotes = "SELECT CAST(COALESCE(SUM(paid_msat), 0) AS TEXT) AS total FROM mint_quotes";
  const lightningInMsat = sum(paidQuotes);
  const unissuedMsat = sum(`${paidQuotes} WHERE state = 'PAID'`);
  const lightningOutMsat = sum(
    `SELECT CAST(COALESCE(SUM(paid_msat + lightning_fee_msat), 0) AS TEXT) AS total
     FROM melt_quotes WHERE state = 'PAID'`,
  );
  const fees = sum("SELECT CAST(COALESCE(SUM(input_fee), 0) AS TEXT) AS total FROM swaps") +
    sum(
      `SELECT CAST(COALESCE(SUM(input_fee), 0) AS TEXT) AS total
       FROM melt_quotes WHERE state = 'PAID'`,
    );
  const marginMsat = meltMarginMsat(context);
  const heldMsat = (total("outstanding") + fees) * 1000n + unissuedMsat + marginMsat;
  return {
    issued: total("issued"),
    redeemed: total("redeemed"),
    pending: total("pending"),
    outstanding: total("outstanding"),
    fees,
    keysets,
    lightningInMsat,
    lightningOutMsat,
    unissuedMsat,
    marginMsat,
    isBalanced: lightningInMsat - lightningOutMsat === heldMsat,
  };
}

function keysetBooks(context: MintContext, id: string): KeysetBooks {
  const sum = (sql: string) => BigInt(String(context.db.get(sql, id)!.total));
  const issued = sum(
    `SELECT CAST(COALESCE(SUM(amount), 0) AS TEXT) AS total FROM outputs
     WHERE signed_keyset = ? AND signature IS NOT NULL`,
  );
  const proofs = "SELECT CAST(COALESCE(SUM(amount), 0) AS TEXT) AS total FROM proofs";
  const redeemed = sum(`${proofs} WHERE keyset = ? AND state = 'SPENT'`);
  const pending = sum(`${proofs} WHERE keyset = ? AND state = 'PENDING'`);
  return { id, issued, redeemed, pending, outstanding: issued - redeemed };
}

function meltMarginMsat(context: MintContext): bigint {
  const row = context.db.get(`
    SELECT CAST(COALESCE(SUM(
      (input_amount - input_fee - COALESCE(change, 0)) * 1000 - paid_msat - lightning_fee_msat
    ), 0) AS TEXT) AS total
    FROM melt_quotes LEFT JOIN (
      SELECT origin, SUM(amount) AS change FROM outputs WHERE signature IS NOT NULL GROUP BY origin
    ) ON origin = 'melt:' || id
    WHERE state = 'PAID'`)!;
  return BigInt(String(row.total));
}
