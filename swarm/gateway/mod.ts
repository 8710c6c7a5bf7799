/** Public blobs over HTTP for clients without libp2p. */
export { GATEWAY_LIMITS, type GatewayLimits } from "./limits.ts";
export type {
  FetchBySha256,
  GatewayEvent,
  GatewayOptions,
  GatewaySettings,
  LocalCacheSettings,
  ServerFetch,
  UploadSettings,
} from "./options.ts";
export type {
  AskedPayment,
  ClaimedToken,
  EncodedPaymentRequest,
  PaymentRequests,
} from "./payment_requests.ts";
