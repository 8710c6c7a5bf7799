/** Hints as a fetch uses them. */
import type { ProviderHint } from "../ports.ts";
import type { Herd } from "./options.ts";

/**
 * The hint without its terms when it names a member of our fleet, which never charges us: whatever its
 * advert asks of strangers, it is paid nothing ahead and is no dearer than a free peer.
 */
export function withoutFleetTerms(hint: ProviderHint, herd: Herd | undefined): ProviderHint {
  if (hint.priceMsatPerMiB === undefined || herd?.isMember(hint.peerId) !== true) return hint;
  const { priceMsatPerMiB: _price, mints: _mints, p2pk: _key, ...rest } = hint;
  const { minTopUpSat: _least, locktimeMin: _locktime, ...others } = rest;
  return others;
}
