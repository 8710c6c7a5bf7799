/**
 * How operations run. A saga is a function from the state on disk to the next state on disk: it looks
 * at the journal, makes at most one request, and commits what it learnt in one transaction. The engine
 * calls it again until it waits or ends, now or after a crash: there is no other way to resume.
 */
import type { Clock, Random } from "../../src/core/ports.ts";
import type { HeldBack } from "../held_back.ts";
import type { Mints } from "../mint/mint_api.ts";
import type { WalletStore } from "../store/wallet_store.ts";
import type { WalletKeys } from "../keys.ts";
import type { Operation, OperationKind } from "./operation.ts";

/** What a step ended with. The operation itself says the rest. */
export type Step =
  /** A transition was committed: go on at once. */
  | "again"
  /** Committed with `nextAtMs` or a wish for a person; or it has ended. */
  | "rest";

/** Where a test may stop the world: `send.swap.after-send`. Does nothing in production. */
export type FaultPoint = (name: string) => void;

/** Something that people must hear of, without secrets. */
export interface WalletEvent {
  readonly event: "operation" | "attention" | "mint-blocked";
  readonly operationId?: string;
  readonly mint?: string;
  readonly message: string;
}

/** What sagas work with. */
export interface SagaContext {
  readonly store: WalletStore;
  readonly mints: Mints;
  readonly keys: WalletKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly fault: FaultPoint;
  readonly emit: (event: WalletEvent) => void;
  /** What is owed and must stay where it is. @default {nothing} */
  readonly heldBack?: HeldBack;
}

/** One kind of operation. */
export interface Saga {
  readonly kind: OperationKind;
  /**
   * One transition of `operation`, which is open and was just read.
   *
   * @throws {StaleOperationError} If somebody else moved it: the engine reads it again.
   * @throws {SeedmintError} For trouble that passes (retryable): the engine waits and tries again.
   */
  step(
    operation: Operation,
    context: SagaContext,
    options: { readonly signal: AbortSignal },
  ): Promise<Step>;
}
