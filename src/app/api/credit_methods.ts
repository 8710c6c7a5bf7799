/** What can be asked of a node about credit that is left at sellers. Plain JSON. */
import type { OperationView } from "../../../wallet/wallet_api.ts";

/** `credits.refund` */
export interface RefundReport {
  readonly peerId: string;
  /** What the seller says that its ecash is worth. */
  readonly amountSat: number;
  /** What is in the wallet of it by now, after the fee of its mint. */
  readonly receivedSat: number;
  readonly operation: OperationView;
}

/** Every method: parameters, events, result. */
export interface CreditMethods {
  "credits.refund": {
    params: {
      readonly peerId: string;
      /** Multiaddrs that end with `/p2p/` and the peer id, to reach it. */
      readonly peers?: readonly string[];
    };
    event: never;
    result: RefundReport;
  };
}
