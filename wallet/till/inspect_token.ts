/** Reading a single token without asking anybody. */
import { createHash } from "node:crypto";
import type { Sha256 } from "../../src/core/hash.ts";
import type { SagaContext } from "../operations/saga.ts";
import { parseSpendingCondition } from "../outputs/p2pk_secret.ts";
import { isSameKey } from "../payments/spendable.ts";
import { type Claim, isProven } from "../payments/verify_task.ts";
import { decodeToken, resolverOf, TokenError } from "../token.ts";
import { type MintUrl, type Proof, WALLET_UNIT } from "../types.ts";
import { PROVEN_MAX, VERIFIED_PROOFS_MAX } from "./limits.ts";
import { TillRefusal } from "./refusal.ts";

/** What a token says of itself, as far as it was checked. */
export interface InspectedToken {
  readonly mint: string;
  readonly unit: string;
  /** Face value, in sat. */
  readonly amountSat: number;
  /** The key that all its proofs are locked to, 66 hex digits; ours as it is written here. */
  readonly lockedTo?: string;
  /** The earliest end of a lock, in seconds since 1970. */
  readonly locktimeS?: number;
  readonly refundKey?: string;
  /** Whether each proof carries a valid proof of equality (NUT-12) of a keyset that is known here. */
  readonly hasValidDleq: boolean;
  /** SHA-256 over its proofs' secrets. */
  readonly id: Sha256;
  /** Whether the till itself took it before: redeeming it again tells the same outcome again. */
  readonly wasTaken: boolean;
}

/** Reads tokens; remembers what took long to find out. */
export class TokenInspector {
  readonly #context: SagaContext;
  /** Proofs that prove themselves; the one asked last at the end. */
  readonly #proven = new Set<string>();

  constructor(context: SagaContext) {
    this.#context = context;
  }

  /**
   * @param mints Those that are taken.
   * @param isTaken Whether the till itself took the token with this id: then its ecash is known here.
   * @throws {TillRefusal}
   */
  inspect(
    text: string,
    options: {
      readonly mints: ReadonlySet<string>;
      readonly isTaken: (id: Sha256) => boolean;
    },
  ): InspectedToken {
    const { store, keys } = this.#context;
    const token = this.#read(text);
    const record = store.mint(token.mint);
    if (record === undefined || !options.mints.has(token.mint)) {
      throw new TillRefusal("non_whitelisted_mint", `ecash of ${token.mint} is not taken here`);
    }
    if (record.blockedReason !== undefined) {
      throw new TillRefusal("mint_error", `ecash of ${token.mint} is not taken: it is blocked`);
    }
    if (token.unit !== WALLET_UNIT) {
      throw new TillRefusal("unsupported_unit", `ecash in ${WALLET_UNIT} only is taken`);
    }
    const id = tokenIdOf(token.proofs);
    const wasTaken = options.isTaken(id);
    if (!wasTaken) this.#assertNew(token.proofs);
    const amount = token.proofs.reduce((sum, proof) => sum + proof.amount, 0n);
    if (amount > BigInt(Number.MAX_SAFE_INTEGER) / 1000n) {
      throw new TillRefusal("invalid_token", "it says that it is worth more than all bitcoin");
    }
    return {
      mint: token.mint,
      unit: token.unit,
      amountSat: Number(amount),
      ...lockOf(token.proofs, keys.payment.publicKey),
      hasValidDleq: this.#isProven(token.mint, token.proofs),
      id,
      wasTaken,
    };
  }

  #read(text: string) {
    const { mints, store } = this.#context;
    // A short id that fits no keyset stays short: then nothing is proven, and the mint is asked later.
    const ids = () =>
      store.mints().flatMap(({ url, blockedReason }) =>
        blockedReason === undefined ? mints.of(url).cachedKeysetIds?.() ?? [] : []
      );
    let known: readonly string[] | undefined;
    try {
      return decodeToken(text, (shortId) => resolverOf(known ??= ids())(shortId) ?? shortId);
    } catch (error) {
      const why = error instanceof TokenError ? error.message : "the token cannot be read";
      throw new TillRefusal("invalid_token", why);
    }
  }

  #assertNew(proofs: readonly Proof[]): void {
    for (const { secret } of proofs) {
      switch (this.#context.store.stateOfSecret(secret)) {
        case undefined:
          continue;
        case "outgoing":
          throw new TillRefusal(
            "invalid_token",
            "this ecash was given out here; take it into your wallet first, and pay with what that makes",
          );
        default:
          throw new TillRefusal("token_already_spent", "this ecash was taken here before");
      }
    }
  }

  #isProven(mint: string, proofs: readonly Proof[]): boolean {
    if (proofs.length > VERIFIED_PROOFS_MAX) return false;
    const api = this.#context.mints.of(mint as MintUrl);
    const claims: Claim[] = [];
    for (const proof of proofs) {
      const key = api.cachedKeyset(proof.keysetId)?.keys[proof.amount.toString()];
      if (key === undefined || proof.dleq?.r === undefined) return false;
      claims.push({ proof, key });
    }
    return claims.every((claim) => this.#isClaimProven(claim));
  }

  /** One that was verified is remembered, so that a few good ones in ever new tokens cost us nothing. */
  #isClaimProven(claim: Claim): boolean {
    const { proof: { secret, C, amount, dleq }, key } = claim;
    const name = createHash("sha256")
      .update(JSON.stringify([secret, C, amount.toString(), dleq, key])).digest("hex");
    const isKnown = this.#proven.delete(name);
    if (!isKnown && !isProven(claim)) return false;
    this.#proven.add(name);
    if (this.#proven.size > PROVEN_MAX) this.#proven.delete(this.#proven.keys().next().value!);
    return true;
  }
}

/** The same ecash has the same one, in whatever order it is written. */
export function tokenIdOf(proofs: readonly Proof[]): Sha256 {
  const hash = createHash("sha256");
  for (const secret of proofs.map((proof) => proof.secret).sort()) {
    hash.update(createHash("sha256").update(secret).digest());
  }
  return hash.digest("hex") as Sha256;
}

/** @throws {TillRefusal} For conditions that our one key does not meet. */
function lockOf(
  proofs: readonly Proof[],
  publicKey: string,
): Pick<InspectedToken, "lockedTo" | "locktimeS" | "refundKey"> {
  const locks = proofs.map(({ secret }) => parseSpendingCondition(secret));
  if (locks.includes(undefined)) {
    throw new TillRefusal(
      "invalid_token",
      "it is under conditions that are not met here: one key and SIG_INPUTS are",
    );
  }
  const keys = new Set(locks.map((lock) => {
    if (lock?.kind !== "P2PK") return undefined;
    return isSameKey(lock.data, publicKey) ? publicKey : lock.data;
  }));
  const foreign = [...keys].some((key) => key !== undefined && key !== publicKey);
  if (keys.size > 1 && foreign) {
    throw new TillRefusal("invalid_token", "a part of it is locked to another key");
  }
  const [lockedTo] = keys;
  if (keys.size !== 1 || lockedTo === undefined) return {};
  const times = locks.flatMap((lock) =>
    lock?.kind === "P2PK" && lock.locktimeS !== undefined ? [lock.locktimeS] : []
  );
  const refunds = new Set(
    locks.map((lock) => lock?.kind === "P2PK" ? lock.refundKeys.join() : ""),
  );
  const [refundKey] = refunds;
  const hasOne = refunds.size === 1 && refundKey !== undefined && refundKey.length === 66;
  return {
    lockedTo,
    ...(times.length === 0 ? {} : { locktimeS: Math.min(...times) }),
    ...(hasOne ? { refundKey } : {}),
  };
}
