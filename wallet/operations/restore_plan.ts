/** What a restore operation keeps, and how one begins. */
import type { MintUrl } from "../types.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { newOperation, usableMint } from "./transition.ts";

/**
 * States of {@link RestorePlan}'s operation. Each step is one question to the mint and one commit, so
 * that it goes on wherever it was stopped; doing it again finds nothing twice.
 *
 *     planned ──▶ rechecking ──▶ scanning ──▶ waiting ──▶ done
 *                   │ └ ▲            └ ▲         └ ▲        ▲  pending proofs
 *                   └───────────────────────────────────────┘  only what is held was asked about
 */
export type RestoreState =
  | "planned"
  /** Asks whether what we hold is still unspent. */
  | "rechecking"
  /** Asks for signatures by counters (NUT-09, NUT-13). */
  | "scanning"
  /** Some of what was found is in a payment that is under way. */
  | "waiting"
  | "done";

/** Where one keyset stands. */
export interface KeysetScan {
  readonly id: string;
  /** First counter not asked about. */
  readonly next: number;
  /** One past the last counter that had a signature. */
  readonly signedTo: number;
}

/** A derived output by its place. */
export interface Derived {
  readonly keysetId: string;
  readonly counter: number;
}

/** Plan of a restore operation. */
export interface RestorePlan {
  /** Every keyset of the mint, with what is left to scan; those without anything left are gone. */
  readonly keysets: readonly KeysetScan[];
  /** The last Y that was checked again, in ascending order. */
  readonly checkedTo?: string;
  readonly pending: readonly Derived[];
  readonly foundSat: number;
  readonly lostSat: number;
  /** Keysets whose keys the mint does not give. */
  readonly unreadable: readonly string[];
  /** Only asks about held ecash that may not be spent before its mint was asked. */
  readonly heldOnly?: true;
}

/** Where a test or a crash may stop a restore operation. */
export const FAULT_POINTS: readonly string[] = [
  "restore.planned.before-commit",
  "restore.planned.after-commit",
  "restore.rechecking.before-commit",
  "restore.rechecking.after-commit",
  "restore.scanning.before-commit",
  "restore.scanning.after-commit",
  "restore.waiting.before-commit",
  "restore.waiting.after-commit",
];

/**
 * Writes down that what a mint signed for these seed words is to be found again. Nothing is asked yet.
 *
 * @throws {SeedmintError} `denied` for a mint that is not listed.
 */
export async function beginRestore(
  context: SagaContext,
  request: { readonly mint: MintUrl; readonly parent?: string; readonly heldOnly?: boolean },
): Promise<Operation<RestorePlan>> {
  const { mint, parent, heldOnly = false } = request;
  usableMint(context, mint, { evenBlocked: true });
  const operation = newOperation<RestorePlan>(context, {
    kind: "restore",
    state: "planned",
    mint,
    amount: 0n,
    plan: {
      keysets: [],
      pending: [],
      foundSat: 0,
      lostSat: 0,
      unreadable: [],
      ...(heldOnly ? { heldOnly } : {}),
    },
    ...(parent === undefined ? {} : { parent }),
  });
  return await Promise.resolve(context.store.transact((tx) => {
    tx.insertOperation(operation);
    return tx.operation<RestorePlan>(operation.id)!;
  }));
}
