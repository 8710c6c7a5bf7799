/** Keysets (NUT-01, NUT-02): one seed each, at most one active; ids of version 2, or 1 where asked. */
import { createNewMintKeys, serializeMintKeys } from "@cashu/cashu-ts";
import type { Random } from "../../src/core/ports.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import { type SecretKey, secretKeyOf } from "./crypto.ts";
import { MintError } from "./errors.ts";
import { DENOMINATION_COUNT } from "./limits.ts";
import type { MintClock } from "./clock.ts";

/** What a new keyset may be told besides its fee. */
export interface NewKeyset {
  readonly finalExpiryS?: number;
  /** Wallets of older libraries know how ids of version 1 are made, and no others. @default 2 */
  readonly idVersion?: 1 | 2;
}

/** One keyset of the unit sat. */
export class MintKeyset {
  readonly id: string;
  readonly inputFeePpk: bigint;
  readonly finalExpiryS: number | undefined;
  /** Public key for each amount, hex. */
  readonly publicKeys: Readonly<Record<string, string>>;
  isActive: boolean;
  readonly #secretKeys: Readonly<Record<string, string>>;
  readonly #ready = new Map<bigint, SecretKey>();

  constructor(row: SqlRow) {
    this.id = String(row.id);
    this.inputFeePpk = BigInt(Number(row.fee_ppk));
    this.finalExpiryS = row.final_expiry === null ? undefined : Number(row.final_expiry);
    this.publicKeys = JSON.parse(String(row.public_keys));
    this.isActive = row.active === 1;
    this.#secretKeys = JSON.parse(String(row.secret_keys));
  }

  /** The key of an amount. @throws {MintError} If it has none. */
  key(amount: bigint): SecretKey {
    const ready = this.#ready.get(amount);
    if (ready) return ready;
    const hex = this.#secretKeys[String(amount)];
    if (hex === undefined) {
      throw new MintError("amountOutOfRange", `No key for the amount ${amount} in this keyset`);
    }
    const key = secretKeyOf(hex);
    this.#ready.set(amount, key);
    return key;
  }

  /** As `/v1/keysets` lists it. */
  summary(): Record<string, unknown> {
    return {
      id: this.id,
      unit: "sat",
      active: this.isActive,
      input_fee_ppk: Number(this.inputFeePpk),
      final_expiry: this.finalExpiryS ?? null,
    };
  }
}

/** All keysets of the mint. */
export class Keysets {
  readonly #db: SqliteConnection;
  readonly #random: Random;
  readonly #byId = new Map<string, MintKeyset>();

  constructor(db: SqliteConnection, random: Random) {
    this.#db = db;
    this.#random = random;
    for (const row of db.all("SELECT * FROM keysets ORDER BY position")) {
      this.#byId.set(String(row.id), new MintKeyset(row));
    }
  }

  all(): readonly MintKeyset[] {
    return [...this.#byId.values()];
  }

  get active(): MintKeyset {
    return this.all().findLast((keyset) => keyset.isActive)!;
  }

  /** The keyset of an input. @throws {MintError} If it is unknown or expired. */
  forInput(id: string, clock: MintClock): MintKeyset {
    const keyset = this.#byId.get(id);
    if (!keyset) throw new MintError("keysetUnknown", "Keyset is not known");
    if (keyset.finalExpiryS !== undefined && keyset.finalExpiryS <= clock.nowS()) {
      throw new MintError("keysetExpired", "Keyset has expired");
    }
    return keyset;
  }

  /** The keyset of an output. @throws {MintError} If it may not sign. */
  forOutput(id: string, clock: MintClock): MintKeyset {
    const keyset = this.forInput(id, clock);
    if (!keyset.isActive) {
      throw new MintError("keysetInactive", "Keyset is inactive, cannot sign messages");
    }
    return keyset;
  }

  find(id: string): MintKeyset | undefined {
    return this.#byId.get(id);
  }

  /** Makes a new keyset the only active one. */
  rotate(options: NewKeyset & { readonly feePpk: number }): MintKeyset {
    const { feePpk, finalExpiryS, idVersion = 2 } = options;
    if (!Number.isInteger(feePpk) || feePpk < 0 || feePpk > 1_000_000) {
      throw new RangeError(`Cannot make a keyset with a fee of ${feePpk} ppk`);
    }
    const made = createNewMintKeys(DENOMINATION_COUNT, this.#random.bytes(32), {
      input_fee_ppk: feePpk,
      unit: "sat",
      versionByte: idVersion - 1,
      ...(finalExpiryS === undefined ? {} : { expiry: finalExpiryS }),
    });
    this.#db.transaction(() => {
      this.#db.run("UPDATE keysets SET active = 0");
      this.#db.run(
        `INSERT INTO keysets (id, position, active, fee_ppk, final_expiry, secret_keys, public_keys)
         VALUES (?, ?, 1, ?, ?, ?, ?)`,
        made.keysetId,
        this.#byId.size,
        feePpk,
        finalExpiryS ?? null,
        JSON.stringify(serializeMintKeys(made.privKeys)),
        JSON.stringify(serializeMintKeys(made.pubKeys)),
      );
    });
    for (const keyset of this.#byId.values()) keyset.isActive = false;
    const keyset = new MintKeyset(
      this.#db.get("SELECT * FROM keysets WHERE id = ?", made.keysetId)!,
    );
    this.#byId.set(keyset.id, keyset);
    return keyset;
  }
}
