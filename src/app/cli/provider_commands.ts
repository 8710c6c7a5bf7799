/** The table of verbs for lending compute. */
import type { SettingName } from "../config/settings.ts";
import { SETTING_NAMES } from "../config/settings.ts";
import { PROVIDER_SETUP_VERB } from "./operator_commands.ts";
import { COMMON_SETTINGS, type VerbFamily, type VerbSpec } from "./verb.ts";

/** As for `start`: without a node that runs, one is started. */
const NODE_SETTINGS: readonly SettingName[] = SETTING_NAMES.filter((name) =>
  name !== "seed" && name !== "provider" && !COMMON_SETTINGS.includes(name)
);

const LEASE_DETAILS = "LEASE is container- and a number, the number alone, or the whole id.";

const DENIED_DETAILS =
  "WHOM is a Nostr key (npub1… or 64 hex digits), or with --image an image: its digest, or the start " +
  "of its name such as docker.io/library/.";

const VERBS: readonly VerbSpec[] = [
  PROVIDER_SETUP_VERB,
  {
    name: "provider start",
    summary: "Begin to lend what the settings say",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "The running node begins at once, and lends again after its next start. Where no node runs, one " +
      "is started as start --provider would, and this goes on until it ends. Leases that run are found " +
      "again; offers go to the relays within seconds. Settings: provider setup.",
    flags: {},
    settings: NODE_SETTINGS,
    examples: [["provider start", "with the settings of seedmint.toml"]],
    load: () => import("./verbs/provider/start.ts"),
  },
  {
    name: "provider status",
    summary: "Show what is lent, to how many, and what it earned",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "Exits with 1 when it should lend and cannot.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/provider/status.ts"),
  },
  {
    name: "provider drain",
    summary: "Take no new leases; those that run run to their ends",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "Offers and heartbeats say so at once, and lessees who want notices hear of it.",
    flags: { off: { description: "Take new leases again" } },
    settings: [],
    examples: [["provider drain --off", "go on as before"]],
    load: () => import("./verbs/provider/drain.ts"),
  },
  {
    name: "provider leases",
    summary: "List what is lent, or show one lease and what happened to it",
    operands: "[LEASE]",
    operandCountMin: 0,
    operandCountMax: 1,
    details: LEASE_DETAILS,
    flags: { all: { short: "a", description: "Those that are over, too" } },
    settings: [],
    examples: [["provider leases 7", "the story of one lease"]],
    load: () => import("./verbs/provider/leases.ts"),
  },
  {
    name: "provider evict",
    summary: "End a lease now and pay back what it did not use",
    operands: "LEASE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: LEASE_DETAILS,
    flags: {
      reason: { placeholder: "TEXT", description: "What its owner is told" },
      yes: { short: "y", description: "Do not ask" },
    },
    settings: [],
    examples: [],
    load: () => import("./verbs/provider/evict.ts"),
  },
  {
    name: "provider deny",
    summary: "Lend nothing more to a key, or of an image",
    operands: "[WHOM]",
    operandCountMin: 0,
    operandCountMax: 1,
    details:
      `${DENIED_DETAILS} Without WHOM it lists what is denied. Leases that run are left alone.`,
    flags: {
      image: { description: "WHOM is an image" },
      reason: { placeholder: "TEXT", description: "Why, for yourself" },
    },
    settings: [],
    examples: [["provider deny npub1…", "a key"], [
      "provider deny --image ghcr.io/evil/",
      "images",
    ]],
    load: () => import("./verbs/provider/deny.ts"),
  },
  {
    name: "provider allow",
    summary: "Take a denial back",
    operands: "WHOM",
    operandCountMin: 1,
    operandCountMax: 1,
    details: DENIED_DETAILS,
    flags: { image: { description: "WHOM is an image" } },
    settings: [],
    examples: [],
    load: () => import("./verbs/provider/deny.ts"),
  },
  {
    name: "provider stop",
    summary: "End lending",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "Refuses while leases are open: drain first, or --evict ends them and pays back what they did " +
      "not use. The node itself goes on.",
    flags: {
      evict: { description: "End the leases that are open" },
      yes: { short: "y", description: "Do not ask" },
    },
    settings: [],
    examples: [],
    load: () => import("./verbs/provider/stop.ts"),
  },
];

/** The family `provider`. */
export const PROVIDER_VERBS: VerbFamily = {
  name: "provider",
  summary: "Lend compute for ecash: set up, start, look, drain, stop",
  operands: "VERB",
  details:
    "A provider offers containers on relays, takes ecash for them, and pays back what it did not " +
    "deliver. Leases outlive the node: a watchdog ends them on time whatever becomes of it.",
  verbs: VERBS,
};

/** Not for people: the provider starts it. */
export const WATCHDOG_VERB: VerbSpec = {
  name: "watchdog",
  summary: "End leases whose time is over (provider start runs it)",
  operands: "",
  operandCountMin: 0,
  operandCountMax: 0,
  details:
    "Looks at the engine every second and destroys what is past its end, whatever became of the " +
    "provider. It ends by itself when nobody lends and nothing runs.",
  flags: {},
  settings: [
    "providerBackend",
    "providerState",
    "providerSocket",
    "providerEngineUrl",
    "providerEngineAuth",
    "providerEngineRegistry",
    "providerPublicHost",
  ],
  examples: [],
  load: () => import("./verbs/watchdog.ts"),
};
