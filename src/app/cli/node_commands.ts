/** The table of verbs about the node itself, and the groups in which help shows all verbs. */
import { SETTING_NAMES } from "../config/settings.ts";
import { CONTENT_VERBS, KEEPING_VERBS } from "./commands.ts";
import { DOCTOR_VERB, IMAGE_VERBS, SETUP_VERB } from "./image_commands.ts";
import { LEASE_VERBS, MARKET_VERBS } from "./lease_commands.ts";
import { BOOTSTRAP_VERB, SYSTEM_VERBS } from "./operator_commands.ts";
import { PROVIDER_VERBS, WATCHDOG_VERB } from "./provider_commands.ts";
import { MCP_VERB } from "./mcp_command.ts";
import { RECEIPTS_VERBS } from "./receipt_commands.ts";
import { EARNINGS_VERB, SERVICES_VERBS } from "./selling_commands.ts";
import { COMMON_SETTINGS, isFamily, type VerbFamily, type VerbSpec } from "./verb.ts";
import { CATALOG_VERBS_FAMILY, RELEASE_VERBS_FAMILY, ROOT_VERBS_FAMILY } from "./trust_commands.ts";
import { WALLET_VERBS } from "./wallet_commands.ts";

const NODE_SETTINGS = SETTING_NAMES.filter((name) =>
  name !== "seed" && !COMMON_SETTINGS.includes(name)
);

/** Verbs that run or describe the node. */
export const NODE_VERBS: readonly VerbSpec[] = [
  {
    name: "start",
    summary: "Start the node and seed what the store holds",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "Runs until SIGINT or SIGTERM, then stops cleanly; a second signal ends it at once. With " +
      '--json it prints {"event":"ready",…} once it is ready.',
    flags: {},
    settings: NODE_SETTINGS,
    examples: [
      ["start --relay wss://relay.example.org", "find and be found through a relay"],
      ["start --relay-listen 0.0.0.0:7777 --listen /ip4/0.0.0.0/tcp/4001", "the fleet's own relay"],
    ],
    load: () => import("./verbs/start.ts"),
  },
  {
    name: "status",
    summary: "Show who this node is and how it fares, or how a lease does",
    operands: "[LEASE]",
    operandCountMin: 0,
    operandCountMax: 1,
    details: "With LEASE it asks the provider of that lease: see leases.",
    flags: {},
    settings: ["relay", "lesseeTimeout"],
    examples: [],
    load: () => import("./verbs/status.ts"),
  },
  {
    name: "peers",
    summary: "List the peers that are connected",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/peers.ts"),
  },
  {
    name: "relay",
    summary: "Run only a Nostr relay, for nodes to find each other by",
    operands: "[HOST:PORT]",
    operandCountMin: 0,
    operandCountMax: 1,
    details: "Listens on 127.0.0.1:7777 unless told otherwise; 0.0.0.0:7777 serves other hosts. " +
      'Adverts are kept in the data directory. With --json it prints {"event":"ready","url"}.',
    flags: { memory: { description: "Keep adverts in memory only" } },
    settings: ["relayMember"],
    examples: [["relay 0.0.0.0:7777", "a relay for the local network"]],
    load: () => import("./verbs/relay.ts"),
  },
  {
    name: "devnet",
    summary: "Run a relay, mints and a fake Lightning network for development",
    operands: "[start|pay|invoice|books]",
    operandCountMin: 0,
    operandCountMax: Number.MAX_SAFE_INTEGER,
    details: "Its money is worth nothing. devnet --help of node.ts tells its flags.",
    flags: {},
    settings: [],
    examples: [],
    isLight: true,
    isForeign: true,
    load: () => import("./verbs/devnet.ts"),
  },
  {
    name: "fleet",
    summary: "Make a fleet's key, or a certificate that admits a peer",
    operands: "init|certify [PEER_ID]",
    operandCountMin: 1,
    operandCountMax: 2,
    details:
      "init writes a new key to a file that only you can read and prints its public half, which " +
      "nodes that serve the fleet take as --fleet-key. certify prints a certificate for PEER_ID, " +
      "which that peer takes as --fleet-certificate: it then sees content of visibility fleet. " +
      "Neither asks a node, so the key can stay on a machine without one.",
    flags: {
      key: {
        placeholder: "FILE",
        description: "The key (default fleet.key in the data directory)",
      },
      days: { placeholder: "N", description: "How long the certificate holds (default 365)" },
      output: { short: "o", placeholder: "FILE", description: "Write the certificate to a file" },
    },
    settings: [],
    examples: [
      ["fleet init --key fleet.key", "a new fleet"],
      ["fleet certify 12D3Koo… --key fleet.key --days 90 -o anna.cert", "admits one peer"],
    ],
    load: () => import("./verbs/fleet.ts"),
  },
  {
    name: "config",
    summary: "Print every setting, its value and where that came from",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "A flag beats SEEDMINT_* in the environment, which beats seedmint.toml in the data directory " +
      "(or the file of --config), which beats the default. Keys of the file are the flags without " +
      'dashes in front: quota = "100GiB".',
    flags: {
      toml: { description: "Print a commented seedmint.toml" },
      markdown: { description: "Print the table of settings for the documentation" },
    },
    settings: NODE_SETTINGS,
    examples: [["config --toml > seedmint.toml", "a file to begin with"]],
    load: () => import("./verbs/config.ts"),
  },
  {
    name: "version",
    summary: "Print the version",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "",
    flags: {},
    settings: [],
    examples: [],
    isLight: true,
    load: () => import("./verbs/version.ts"),
  },
  {
    name: "completions",
    summary: "Print completions for bash, zsh or fish",
    operands: "SHELL",
    operandCountMin: 1,
    operandCountMax: 1,
    details: "They complete the command seedmint, which you define as an alias or a script.",
    flags: {},
    settings: [],
    examples: [["completions bash > /etc/bash_completion.d/seedmint", "for all users"]],
    isLight: true,
    load: () => import("./verbs/completions.ts"),
  },
];

/** All verbs in the groups in which help shows them. */
export const VERB_GROUPS: readonly (readonly [string, readonly (VerbSpec | VerbFamily)[]])[] = [
  ["Content", CONTENT_VERBS],
  ["Keeping", KEEPING_VERBS],
  ["Containers", [IMAGE_VERBS, SETUP_VERB, DOCTOR_VERB]],
  ["Releases", [RELEASE_VERBS_FAMILY, CATALOG_VERBS_FAMILY, ROOT_VERBS_FAMILY]],
  ["Compute", [MARKET_VERBS, ...LEASE_VERBS, PROVIDER_VERBS, BOOTSTRAP_VERB, MCP_VERB]],
  ["Money", [WALLET_VERBS, SERVICES_VERBS, EARNINGS_VERB, RECEIPTS_VERBS]],
  ["Node", [...NODE_VERBS, SYSTEM_VERBS]],
];

/** All first words; the last is for programs. */
export const WORDS: readonly (VerbSpec | VerbFamily)[] = [
  ...VERB_GROUPS.flatMap(([, verbs]) => verbs),
  WATCHDOG_VERB,
];

/** All verbs, those of families by their whole names. */
export const VERBS: readonly VerbSpec[] = WORDS.flatMap((verb) =>
  isFamily(verb) ? verb.verbs : [verb]
);
