/** The table of verbs for whoever runs machines: another host, and the end of this one's data. */
import type { SettingName } from "../config/settings.ts";
import type { VerbFamily, VerbSpec } from "./verb.ts";

/** What a provider is made of; both verbs take these as flags and write them down. */
const LENDING: readonly SettingName[] = [
  "listen",
  "announce",
  "relay",
  "mint",
  "mintAccepted",
  "mintPrivate",
  "homeMint",
  "sweepAbove",
  "sweepTo",
  "provider",
  "providerName",
  "providerLocation",
  "providerTier",
  "providerBackend",
  "providerSocket",
  "providerState",
  "providerPublicHost",
  "providerPorts",
  "providerMints",
  "providerDurationMin",
  "providerDurationMax",
  "providerGrace",
  "providerLeasesPerKey",
  "providerCpu",
  "providerMemory",
  "providerDisk",
  "providerImageMax",
  "providerBandwidth",
  "providerNameServer",
  "providerImages",
  "providerHttp",
  "providerHttpUrl",
];

/** Verb of the family `provider`. */
export const PROVIDER_SETUP_VERB: VerbSpec = {
  name: "provider setup",
  summary: "Write down what this machine lends, and say what it lacks for that",
  operands: "",
  operandCountMin: 0,
  operandCountMax: 0,
  details:
    "Settings that are given as flags are written into the settings file (what else stands in it " +
    "stays, the file of before is kept as NAME.before); without a tier, those that fit this machine " +
    "are. --import takes over a Paygress provider's files: .env (with POD_SPECS or POD_SPECS_FILE), " +
    "pod-specs.json, or its JSON configuration. Then it looks at the engine, the mints, the relays and " +
    "the address, and says what to do about each that is wrong; it exits with 1 if there is any.",
  flags: {
    import: { placeholder: "FILE", description: "Take over these settings; repeat it" },
    "dry-run": { short: "n", description: "Write nothing: print the file" },
  },
  settings: LENDING.filter((name) => name !== "provider"),
  examples: [
    [
      "provider setup --mint https://mint.example --provider-public-host node7.example.org",
      "what fits this machine, for ecash of one mint",
    ],
    ["provider setup --provider-tier small=500m/512MiB/5GiB/20msat", "a tier of one's own"],
    ["provider setup --import ../paygress/.env", "goes on where a Paygress provider was"],
  ],
  load: () => import("./verbs/provider/setup.ts"),
};

/** Makes another host a provider. */
export const BOOTSTRAP_VERB: VerbSpec = {
  name: "bootstrap",
  summary: "Make another host a provider of compute, over ssh",
  operands: "[USER@]HOST[:PORT]",
  operandCountMin: 1,
  operandCountMax: 1,
  details:
    "Looks at the host first, and changes nothing unless all is well: Linux with systemd, root or " +
    "sudo without a password. Then it installs what is missing, brings this program and its Deno, " +
    "writes settings, a service and the command seedmint, and starts it. Run again it changes what " +
    "differs, or says that nothing does. Settings that are given as flags become the host's.\n" +
    "The host must be known to ssh, or its fingerprint be named with --host-key; keys alone are " +
    "used, never passwords. No secret is brought: the host makes a seed of its own, whose words you " +
    "find there with seedmint wallet words. It needs the Deno permission --allow-run.",
  flags: {
    "dry-run": { short: "n", description: "Only print what would be done, each command and file" },
    identity: { short: "i", placeholder: "FILE", description: "Private key for ssh" },
    "host-key": {
      placeholder: "SHA256:…",
      description: "Trust the host with this fingerprint, from now on",
    },
    settings: { placeholder: "FILE", description: "Settings file for the host to begin with" },
    deno: {
      placeholder: "FILE",
      description: "The Deno to bring, for a host with another processor than this machine's",
    },
  },
  settings: LENDING,
  examples: [
    [
      "bootstrap root@node7.example.org --mint https://mint.example --relay wss://relay.example",
      "with runc, and tiers for a beginning",
    ],
    ["bootstrap node7 --settings node7.toml --dry-run", "shows what it would do"],
    ["bootstrap node7", "brings this version to a host that was set up before"],
  ],
  load: () => import("./verbs/bootstrap.ts"),
};

/** What concerns a node's data as a whole. */
export const SYSTEM_VERBS: VerbFamily = {
  name: "system",
  summary: "Remove what a node keeps on this machine (system --help lists its verbs)",
  operands: "VERB",
  details: "These verbs work on the data directory, while no node runs on it.",
  verbs: [
    {
      name: "system reset",
      summary: "Remove a node's data: blobs, wallet, leases, seed",
      operands: "",
      operandCountMin: 0,
      operandCountMax: 0,
      details:
        "Shows what would go and asks. It refuses while a node runs, while leases are open or " +
        "running, and while the wallet holds money, unless it is told to. Settings files and " +
        "whatever is not a node's stay. What --provider-state holds of leases goes, too.",
      flags: {
        yes: { short: "y", description: "Do not ask" },
        "keep-seed": {
          description: "Keep the seed, and so the node's keys and its wallet's words",
        },
        "end-leases": { description: "End leases that run here; nobody is paid back" },
        "lose-money": { description: "Remove a wallet that holds money or awaits some" },
        "dry-run": { short: "n", description: "Only show what would go" },
      },
      settings: [
        "providerState",
        "providerBackend",
        "providerSocket",
        "providerEngineUrl",
        "providerEngineAuth",
      ],
      examples: [
        ["system reset --keep-seed", "begins anew as the same node"],
        ["system reset --data /tmp/trial --yes", "after a trial"],
      ],
      load: () => import("./verbs/system/reset.ts"),
    },
  ],
};
