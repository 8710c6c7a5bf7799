/**
 * Outputs before they are sent: which amounts, which secrets, blinded how. What is planned here is
 * written to disk before the mint hears of it.
 */
import { assert } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/ports.ts";
import { blindingFactorOf, blindSecret, secretDeriver, splitAmount } from "../cashu.ts";
import type { WalletKeys } from "../keys.ts";
import { OUTPUTS_PER_REQUEST_MAX } from "../limits.ts";
import type { Keyset, OutputRole, PlannedOutput } from "../types.ts";
import { BLANK_COUNT_MAX } from "./limits.ts";

/** Where counters of NUT-13 come from: `firstCounter` was taken in the same transaction. */
interface DerivedFrom {
  readonly keyset: Keyset;
  readonly keys: Pick<WalletKeys, "seed">;
  readonly firstCounter: number;
}

/** To whom ecash is locked (NUT-11). */
export interface OutputLock {
  /** 33 bytes in hex. */
  readonly publicKey: string;
  /** Seconds since 1970, after which `refundKey` can spend it too. */
  readonly locktimeS?: number;
  /** 33 bytes in hex. Needs a locktime. */
  readonly refundKey?: string;
}

/** How many outputs, and so counters, `amount` takes. @throws {SeedmintError} `protocol` */
export function outputCountOf(amount: bigint, keyset: Pick<Keyset, "id" | "keys">): number {
  return amountsOf(amount, keyset).length;
}

/** Outputs of `amount` that the seed words can find again (NUT-13). */
export function planOutputs(
  request: DerivedFrom & { readonly amount: bigint; readonly role: OutputRole },
): PlannedOutput[] {
  return derive(request, amountsOf(request.amount, request.keyset), request.role);
}

/**
 * Outputs of `amount` that only the holder of a key can spend. Their secrets are random: only their
 * blinded messages on disk find them again.
 */
export function planLocked(request: {
  readonly amount: bigint;
  readonly role: OutputRole;
  readonly keyset: Keyset;
  readonly lock: OutputLock;
  readonly random?: Random;
}): PlannedOutput[] {
  const { keyset, lock, role, random } = request;
  const bytes = (count: number) =>
    random ? random.bytes(count) : crypto.getRandomValues(new Uint8Array(count));
  return amountsOf(request.amount, keyset).map((amount) => {
    const secret = lockedSecret(lock, bytes(32).toHex());
    const factor = blindingFactorOf(bytes(32));
    return { role, keysetId: keyset.id, amount, secret, ...blindSecret(secret, factor) };
  });
}

/** How many blank outputs take change of up to `changeMax` (NUT-08). */
export function blankCountOf(changeMax: bigint): number {
  assert(changeMax >= 0n, "change is never negative");
  if (changeMax === 0n) return 0;
  // Bits of (changeMax - 1), which is the logarithm rounded up; at least one.
  return Math.min(Math.max((changeMax - 1n).toString(2).length, 1), BLANK_COUNT_MAX);
}

/**
 * Blank outputs for the change of a melt.
 *
 * @param request `feeReserve`: the most that can come back, which is what the inputs are worth after
 * their fee, less the amount that is paid.
 */
export function planBlanks(
  request: DerivedFrom & { readonly feeReserve: bigint },
): PlannedOutput[] {
  const amounts = new Array<bigint>(blankCountOf(request.feeReserve)).fill(0n);
  return derive(request, amounts, "change");
}

function amountsOf(amount: bigint, keyset: Pick<Keyset, "id" | "keys">): bigint[] {
  try {
    return splitAmount(amount, keyset, OUTPUTS_PER_REQUEST_MAX);
  } catch (cause) {
    throw new SeedmintError(
      "protocol",
      `Cannot make ${amount} sat of keyset ${keyset.id}: its amounts do not add up to it in ${OUTPUTS_PER_REQUEST_MAX} outputs; use another amount or mint`,
      { cause },
    );
  }
}

function derive(from: DerivedFrom, amounts: readonly bigint[], role: OutputRole): PlannedOutput[] {
  const secretAt = secretDeriver(from.keys.seed, from.keyset.id);
  return amounts.map((amount, index) => {
    const counter = from.firstCounter + index;
    return { role, keysetId: from.keyset.id, amount, counter, ...secretAt(counter) };
  });
}

function lockedSecret(lock: OutputLock, nonce: string): string {
  const { publicKey, locktimeS, refundKey } = lock;
  assert(refundKey === undefined || locktimeS !== undefined, "a refund needs a locktime");
  const tags: string[][] = [];
  if (locktimeS !== undefined) tags.push(["locktime", String(locktimeS)]);
  if (refundKey !== undefined) tags.push(["refund", refundKey]);
  return JSON.stringify(["P2PK", { nonce, data: publicKey, tags }]);
}
