/**
 * A market of bytes, simulated: buyers and sellers of many kinds over many days, each fetch by the real
 * scheduler through `tests/sim`'s networks, each buyer with the real rule of what may be prepaid
 * (`wallet/buying/prepaid.ts`) and real scores (`swarm/score.ts`). Everything follows from a seed.
 *
 * Vocabulary: a conduct is how a node behaves; an account is what one buyer and one seller have of each
 * other; to keep is to have money that nothing was delivered for; a present is what was delivered and
 * never paid.
 *
 * Left out: mints and cryptography (a token is a number locked to somebody), networks with less room
 * than their sources, and fetches at the same time.
 */
export { Account, RULES, type Rules } from "./account.ts";
export { faultsOfMarket, marketLines, reportOf, type SellerReport } from "./checks.ts";
export {
  BUYER_CONDUCTS,
  type BuyerConduct,
  SELLER_CONDUCTS,
  type SellerConduct,
} from "./conduct.ts";
export { Market, type MarketOptions } from "./market.ts";
