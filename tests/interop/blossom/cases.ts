/** The cases: see run.ts. */
import { nostrPublicKey } from "../../../src/nostr/nostr.ts";
import { ALICE, fakeRequests, startWorld } from "../../swarm/gateway/support.ts";
import { decodePaymentRequest, encodePaymentRequest } from "../../../wallet/payment_request.ts";
import { blossomCases } from "./blossom_cases.ts";
import { curlCases } from "./curl_cases.ts";
import { finish } from "./suite.ts";

// Real encodings of what is asked, and a seller whose tokens need no mint.
const payments = { ...fakeRequests, encodePaymentRequest, decodePaymentRequest };
const keys = [nostrPublicKey(ALICE)];

{
  await using world = await startWorld({ payments, uploads: { keys } });
  await blossomCases(world);
}
{
  await using world = await startWorld({ payments, uploads: { keys } });
  await curlCases(world);
}
finish();
