/** What programs and people ask for, in the words of the lessee's side. */
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import { isSha256 } from "../../../core/hash.ts";
import type {
  ChoicePolicy,
  LeaseWish,
  MarketFilter as ListingFilter,
  SpawnWish,
} from "../../../../provisioning/consumer/mod.ts";
import { parseImageName } from "../../../../swarm/registry/names.ts";
import type { MarketFilter, SpawnParams, WantedLease } from "../../api/lease_methods.ts";
import type { Config } from "../../config/settings.ts";

/** What the settings say to a wish. */
export type WishSettings = Pick<
  Config,
  "lesseePolicy" | "lesseeIsolation" | "lesseeRateMax" | "lesseeStep" | "lesseeLead"
>;

/** What is said of the image when nobody named one: the quote is for the tier. */
const NO_IMAGE = "";

/** A filter of the market. */
export function listingFilter(filter: MarketFilter): ListingFilter {
  const { capabilities, isolation, location, arch, mint } = filter;
  const { cpuMillicoresMin, memoryMbMin, diskMbMin, rateMsatPerSMax, withOffline } = filter;
  return defined({
    isOnline: withOffline === true ? undefined : true,
    capabilities,
    isolation,
    cpuMillicores: cpuMillicoresMin,
    memoryMb: memoryMbMin,
    diskMb: diskMbMin,
    rateMsatPerSMax,
    location,
    arch,
    mints: mint === undefined ? undefined : [mint],
  });
}

/** How a provider is chosen; to one that is named, only what was asked for with it applies. */
function policyOf(
  { filter = {}, provider }: WantedLease,
  settings: WishSettings,
): ChoicePolicy {
  const { lesseeIsolation, lesseeRateMax, lesseePolicy } = settings;
  if (provider !== undefined) return listingFilter(filter);
  return {
    ...defined({ isolation: lesseeIsolation, rateMsatPerSMax: lesseeRateMax }),
    ...listingFilter(filter),
    prefer: lesseePolicy,
  };
}

/** A lease that is wanted. @throws {SeedmintError} `usage` for an image that is none. */
export function leaseWish(params: WantedLease, settings: WishSettings): LeaseWish {
  const { provider, tier, durationS, budgetSat } = params;
  return {
    ...imageOf(params.image),
    policy: policyOf(params, settings),
    ...defined({
      provider,
      specId: tier,
      durationMs: durationS === undefined ? undefined : durationS * 1000,
      budgetSat,
    }),
  };
}

/** A lease that is wanted and paid for. @throws {SeedmintError} `usage` */
export function spawnWish(
  params: SpawnParams,
  settings: WishSettings,
  token: Pick<SpawnWish, "token" | "tokenSat" | "tokenMint">,
): SpawnWish {
  const { env, ports, sshUser, sshPublicKeys, keepaliveBudgetSat, requestId } = params;
  return {
    ...leaseWish(params, settings),
    ...token,
    ...defined({
      id: requestId,
      env,
      ports,
      sshUser,
      sshPublicKey: sshPublicKeys?.join("\n"),
      keepAlive: keepaliveBudgetSat === undefined ? undefined : {
        budgetSat: keepaliveBudgetSat,
        stepMs: settings.lesseeStep,
        leadMs: settings.lesseeLead,
      },
    }),
  };
}

/** What a token that was made elsewhere says of itself. @throws {SeedmintError} `usage` */
export async function readToken(
  text: string | undefined,
): Promise<Pick<SpawnWish, "token" | "tokenSat" | "tokenMint">> {
  if (text === undefined) return {};
  const { tokenMetadata } = await import("../../../../wallet/token.ts");
  try {
    const { unit, amount, mint } = tokenMetadata(text);
    if (unit !== "sat") throw new SyntaxError(`it is in ${unit}, and sat are wanted`);
    return { token: text, tokenSat: Number(amount), tokenMint: mint };
  } catch (error) {
    throw new SeedmintError("usage", `Cannot pay with this token: ${messageOf(error)}`);
  }
}

function imageOf(text: string | undefined): Pick<LeaseWish, "image" | "imageDigest"> {
  if (text === undefined) return { image: NO_IMAGE };
  try {
    parseImageName(text);
  } catch (error) {
    throw new SeedmintError("usage", messageOf(error));
  }
  const digest = /@sha256:([0-9a-f]{64})$/.exec(text)?.[1];
  return { image: text, ...(isSha256(digest) ? { imageDigest: digest } : {}) };
}

/** Fields that are given. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
