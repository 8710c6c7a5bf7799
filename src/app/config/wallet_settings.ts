/** Settings about money: mints, budgets, fees. */
import type { MintUrl } from "../../../wallet/types.ts";
import {
  type FeeLimit,
  feeLimitSchema,
  mintUrlSchema,
  payeeSchema,
  priceSchema,
  satSchema,
} from "./money_values.ts";
import { setting } from "./setting.ts";
import { booleanSchema, choiceSchema, listSchema } from "./values.ts";

/** The rows; `settings.ts` puts them among the others. */
export const WALLET_SETTINGS = {
  mint: setting<readonly MintUrl[]>({
    placeholder: "URL",
    default: [],
    description:
      "Mints trusted with money: ecash is held and swapped into there, and taken without asking them",
    schema: listSchema(mintUrlSchema),
    isList: true,
  }),
  mintAccepted: setting<readonly MintUrl[]>({
    placeholder: "URL",
    default: [],
    description: "Mints whose ecash is taken, redeemed at once, and swept to a trusted mint",
    schema: listSchema(mintUrlSchema),
    isList: true,
  }),
  homeMint: setting<MintUrl | undefined>({
    placeholder: "URL",
    default: undefined,
    description: "The trusted mint to fund and to prefer (default the first of --mint)",
    schema: mintUrlSchema,
  }),
  mintPrivate: setting<boolean>({
    default: "no",
    description: "Allow mints whose addresses are of private networks",
    schema: booleanSchema,
    isSwitch: true,
  }),
  pay: setting<boolean>({
    default: "yes",
    description: "Pay peers that ask a price, within the budgets, when get fetches from them",
    schema: booleanSchema,
    isSwitch: true,
  }),
  priceMax: setting<number>({
    placeholder: "MSAT",
    default: "2000",
    description: "Most msat that the node pays for a MiB; dearer peers are not asked",
    schema: priceSchema,
  }),
  thrift: setting<"cheapest" | "balanced" | "fastest">({
    placeholder: "CHOICE",
    default: "balanced",
    description: "Which peers a fetch prefers when some ask a price: cheapest, balanced or fastest",
    schema: choiceSchema(["cheapest", "balanced", "fastest"]),
  }),
  budgetBlob: setting<number>({
    placeholder: "AMOUNT",
    default: "1000sat",
    description: "Most sat that the node spends on one blob or collection without asking",
    schema: satSchema,
  }),
  budgetPeer: setting<number>({
    placeholder: "AMOUNT",
    default: "5000sat",
    description: "Most sat that the node pays to one peer in a day without asking",
    schema: satSchema,
  }),
  budgetDay: setting<number>({
    placeholder: "AMOUNT",
    default: "10000sat",
    description: "Most sat that the node spends in a day without asking",
    schema: satSchema,
  }),
  paymentFeeMax: setting<FeeLimit>({
    placeholder: "FEES",
    default: "10sat+20000ppm",
    description:
      "Most fees of one payment or swap unless a verb says otherwise: sat, ppm of the amount, or both",
    schema: feeLimitSchema,
  }),
  sweepAbove: setting<number | undefined>({
    placeholder: "AMOUNT",
    default: undefined,
    description:
      "Pay out to --sweep-to what the wallet holds above this; off unless both are given",
    schema: satSchema,
  }),
  sweepTo: setting<string | undefined>({
    placeholder: "ADDRESS",
    default: undefined,
    description: "The Lightning address that --sweep-above pays out to",
    schema: payeeSchema,
  }),
} as const;
