/**
 * Operations as sagas: the journal's nouns, the engine that drives them, and one file for each kind.
 *
 * May import: `src/core`, and the wallet's nouns, `store`, `mint`, `outputs`, `selection` and `lightning` (the codec of invoices).
 */
export * from "./engine.ts";
export * from "./fund.ts";
export {
  beginFund,
  FAULT_POINTS as FUND_FAULT_POINTS,
  type FundPlan,
  type FundState,
} from "./fund_plan.ts";
export type * from "./operation.ts";
export * from "./restore.ts";
export {
  beginRestore,
  FAULT_POINTS as RESTORE_FAULT_POINTS,
  type RestorePlan,
  type RestoreState,
} from "./restore_plan.ts";
export * from "./resumer.ts";
export type * from "./saga.ts";
export * from "./send.ts";
export {
  beginSend,
  FAULT_POINTS as SEND_FAULT_POINTS,
  markDelivered,
  requestReclaim,
  type SendPlan,
  type SendRequest,
  type SendState,
  tokenOf,
} from "./send_plan.ts";
