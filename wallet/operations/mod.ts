/**
 * Operations as sagas: the journal's nouns, the engine that drives them, and one file for each kind.
 *
 * May import: `src/core`, and the wallet's nouns, `store`, `mint`, `outputs`, `selection`, `routes` and
 * `lightning` (the codec of invoices).
 */
export * from "./engine.ts";
export * from "./fund.ts";
export { claimLate } from "./fund_late.ts";
export {
  beginFund,
  FAULT_POINTS as FUND_FAULT_POINTS,
  type FundPlan,
  type FundState,
} from "./fund_plan.ts";
export { FAULT_POINTS as MELT_FAULT_POINTS, meltSaga } from "./melt.ts";
export {
  beginMelt,
  type LegResult,
  type MeltPlan,
  type MeltRequest,
  meltResultOf,
} from "./melt_plan.ts";
export type { MeltState } from "./melt_transition.ts";
export type * from "./operation.ts";
export * from "./reclaim_request.ts";
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
  type SendPlan,
  type SendRequest,
  type SendState,
  tokenOf,
} from "./send_plan.ts";
export * from "./strip.ts";
export {
  beginStrip,
  FAULT_POINTS as STRIP_FAULT_POINTS,
  type StripPlan,
  type StripRequest,
  type StripState,
} from "./strip_plan.ts";
export { swapSaga } from "./swap.ts";
export {
  beginSwap,
  FAULT_POINTS as SWAP_FAULT_POINTS,
  hasArrived,
  type SwapPlan,
  type SwapRequest,
  swapResultOf,
} from "./swap_plan.ts";
export type { SwapState } from "./swap_transition.ts";
