/** What NUT-15 needs of Lightning besides the client that every mint uses. */
import type { LightningClient, PaymentRequest } from "../lightning/client.ts";

/** An order that may be for a part of the invoice's amount. */
export interface PartPayment extends PaymentRequest {
  /** Pays this much; the invoice is paid once the parts of all payers make up its amount. */
  readonly partMsat?: bigint;
}

/** A client that pays parts says so. */
export interface PartPayingLightning extends LightningClient {
  readonly paysParts: true;
  pay(
    request: PartPayment,
    options?: Parameters<LightningClient["pay"]>[1],
  ): ReturnType<LightningClient["pay"]>;
}

/** Whether the client pays parts of invoices. */
export function paysParts(client: LightningClient): client is PartPayingLightning {
  return (client as Partial<PartPayingLightning>).paysParts === true;
}
