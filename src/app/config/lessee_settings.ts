/** Settings of a node that rents compute: whom it chooses, what it may spend, and its key. */
import type { IsolationLevel } from "../../../provisioning/ports.ts";
import { satSchema } from "./money_values.ts";
import { setting } from "./setting.ts";
import {
  booleanSchema,
  choiceSchema,
  durationSchema,
  integerSchema,
  textSchema,
} from "./values.ts";

/** What providers are chosen by when none is named. */
export const LESSEE_POLICIES = ["price", "score", "uptime", "capacity"] as const;

/** One of {@link LESSEE_POLICIES}. */
export type LesseePolicy = typeof LESSEE_POLICIES[number];

/** The rows; `settings.ts` puts them among the others. */
export const LESSEE_SETTINGS = {
  lesseePolicy: setting<LesseePolicy>({
    placeholder: "CHOICE",
    default: "price",
    description:
      "Which provider is taken when none is named: the first by price, score, uptime or capacity",
    schema: choiceSchema(LESSEE_POLICIES),
  }),
  lesseeIsolation: setting<IsolationLevel | undefined>({
    placeholder: "LEVEL",
    default: undefined,
    description: "How strongly leases must be kept apart when no provider is named: " +
      "shared-kernel, dedicated-host or attested-research-tier",
    schema: choiceSchema(["shared-kernel", "dedicated-host", "attested-research-tier"]),
  }),
  lesseeRateMax: setting<number | undefined>({
    placeholder: "MSAT",
    default: undefined,
    description: "Most msat a second that a lease may cost when no provider is named",
    schema: integerSchema(1, 1_000_000_000),
  }),
  lesseeBudget: setting<number>({
    placeholder: "AMOUNT",
    default: "2000sat",
    description: "Most sat that one lease may cost without asking, top-ups and fees included",
    schema: satSchema,
  }),
  lesseeBudgetDay: setting<number>({
    placeholder: "AMOUNT",
    default: "10000sat",
    description: "Most sat that all leases together may cost in a day without asking",
    schema: satSchema,
  }),
  lesseeKey: setting<string | undefined>({
    placeholder: "FILE",
    default: undefined,
    description:
      "Private SSH key for leases, with FILE.pub beside it (default ssh/id_ed25519 in the data " +
      "directory, made when it is missing)",
    schema: textSchema,
  }),
  lesseeStep: setting<number>({
    placeholder: "TIME",
    default: "1h",
    description: "How much time each top-up of keepalive buys",
    schema: durationSchema,
  }),
  lesseeLead: setting<number>({
    placeholder: "TIME",
    default: "10m",
    description: "How long before the end of a lease keepalive tops it up",
    schema: durationSchema,
  }),
  lesseeHttp: setting<"off" | "public" | "any">({
    placeholder: "WHERE",
    default: "off",
    description: "Ask providers that have an HTTP address over HTTP first: off, public (HTTPS at " +
      "addresses of the internet), or any; they then see this node's address",
    schema: choiceSchema(["off", "public", "any"]),
  }),
  lesseeTimeout: setting<number>({
    placeholder: "TIME",
    default: "3m",
    description: "How long a verb waits for a provider; what was begun goes on after that",
    schema: durationSchema,
  }),
  leaseReceiptsPublic: setting<boolean>({
    default: "no",
    description: "Publish receipts for leases, lent or rented, where the other side wants it, too",
    schema: booleanSchema,
    isSwitch: true,
  }),
} as const;
