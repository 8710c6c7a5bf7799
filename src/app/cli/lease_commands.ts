/** The tables of verbs about renting compute: the market, and leases of one's own. */
import type { VerbFamily, VerbFlag, VerbSpec } from "./verb.ts";

const LEASE_DETAILS =
  "LEASE is its name in leases or the first digits of it, or container-N, if that names one lease.";

const NETWORK_SETTINGS = ["relay", "findTimeout", "lesseeTimeout", "lesseeHttp"] as const;

const FILTER_FLAGS: Readonly<Record<string, VerbFlag>> = {
  capability: { placeholder: "WORD", description: "What it must offer, such as lxc; repeat it" },
  isolation: {
    placeholder: "LEVEL",
    description: "At least shared-kernel, dedicated-host or attested-research-tier",
  },
  cpu: { placeholder: "CORES", description: "At least so much of the processor: 2, 0.5 or 500m" },
  memory: { placeholder: "SIZE", description: "At least so much memory: 512MiB, 2GiB" },
  disk: { placeholder: "SIZE", description: "At least so much disk, where it says how much" },
  location: { placeholder: "PLACE", description: "What its location begins with, such as EU" },
  mint: { placeholder: "URL", description: "A mint whose ecash it takes" },
  arch: { placeholder: "NAME", description: "Its machine: amd64 or arm64" },
  "rate-max": { placeholder: "MSAT", description: "At most so many msat a second" },
};

const AMOUNT_FLAGS: Readonly<Record<string, VerbFlag>> = {
  for: { placeholder: "TIME", description: "How long: 90m, 12h, 3d (default 1h)" },
  budget: { placeholder: "AMOUNT", description: "Instead of --for: as long as so many sat last" },
};

const TOKEN_FLAG: VerbFlag = {
  placeholder: "TOKEN",
  description: "Pay with this Cashu token instead of the wallet; - reads it from stdin",
};

const YES_FLAG: VerbFlag = {
  short: "y",
  description: "Do not ask, and pay what is above --lessee-budget, too",
};

/** Verbs of `market`. */
const MARKET: readonly VerbSpec[] = [
  {
    name: "market list",
    summary: "List who lends compute, what, and for how much",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "Asks the relays for offers and for signs of life. One line for each provider, with its " +
      "cheapest tier that fits; market show tells all of one. UPTIME is counted from heartbeats, not " +
      "taken from what the provider says of itself. With --json it prints one offer a line.",
    flags: {
      sort: {
        placeholder: "BY",
        description: "price (the default), score, uptime or capacity",
      },
      ...FILTER_FLAGS,
      all: { short: "a", description: "Those, too, that gave no sign of life lately" },
    },
    settings: ["relay", "findTimeout"],
    examples: [
      ["market list --cpu 2 --memory 4GiB --sort score", "machines of some size, the best first"],
      ["market list --mint https://mint.example.org", "what can be paid without a swap"],
    ],
    load: () => import("./verbs/market/list.ts"),
  },
  {
    name: "market show",
    summary: "Show an offer with all its tiers, and what is known of the provider",
    operands: "PROVIDER",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "PROVIDER is an npub, 64 hex digits or the first ones of them, or the name that one offer has.",
    flags: {},
    settings: ["relay", "findTimeout"],
    examples: [],
    load: () => import("./verbs/market/show.ts"),
  },
  {
    name: "market quote",
    summary: "Ask what a lease would cost, and whether it could begin now",
    operands: "[IMAGE]",
    operandCountMin: 0,
    operandCountMax: 1,
    details:
      "Without --provider it is chosen as market spawn --yes would choose it. Nothing is paid and " +
      "nothing is reserved. Providers of Paygress answer no such question: then it is reckoned from " +
      "the offer, and the output says so.",
    flags: {
      provider: { placeholder: "PROVIDER", description: "Ask this one" },
      tier: { placeholder: "ID", description: "This tier (default the cheapest that fits)" },
      ...AMOUNT_FLAGS,
      ...FILTER_FLAGS,
    },
    settings: [...NETWORK_SETTINGS, "lesseePolicy", "lesseeIsolation", "lesseeRateMax"],
    examples: [["market quote docker.io/library/nginx:1.27 --for 12h", "half a day"]],
    load: () => import("./verbs/market/quote.ts"),
  },
  {
    name: "market spawn",
    summary: "Rent a container, pay for it, and wait until SSH answers",
    operands: "IMAGE",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "IMAGE is a name with a tag or with @sha256: and a digest; the provider brings it in from the " +
      "swarm or a registry. Without --provider a terminal shows the offers that fit and asks; " +
      "elsewhere, and with --yes, --lessee-policy chooses. The wallet pays with a token locked to the " +
      "provider, swapped to a mint that it takes when it must be. Above --lessee-budget it asks. What " +
      "the provider did not deliver comes back: at once if it refuses, after the lock if it never " +
      "answers. A spawn that was interrupted goes on: see leases. Old providers know no SSH keys and " +
      "no way back for money; market show tells.",
    flags: {
      provider: { placeholder: "PROVIDER", description: "Rent from this one" },
      tier: { placeholder: "ID", description: "This tier (default the cheapest that fits)" },
      ...AMOUNT_FLAGS,
      ...FILTER_FLAGS,
      key: {
        placeholder: "FILE",
        description: "Public SSH key to log in with; repeat it (default --lessee-key)",
      },
      user: {
        placeholder: "NAME",
        description: "User to log in as, where there are others than root",
      },
      env: { placeholder: "NAME=VALUE", description: "Variable for the container; repeat it" },
      port: {
        placeholder: "PORT[/udp][=LABEL]",
        description: "Port of the container to be reached from outside; repeat it",
      },
      keepalive: {
        placeholder: "AMOUNT",
        description: "Top it up by itself before it ends, for so many sat in all: see keepalive",
      },
      token: TOKEN_FLAG,
      "request-id": {
        placeholder: "ID",
        description: "Name of this request: the same again is paid once and gets the same lease",
      },
      yes: YES_FLAG,
    },
    settings: [
      ...NETWORK_SETTINGS,
      "lesseePolicy",
      "lesseeIsolation",
      "lesseeRateMax",
      "lesseeBudget",
      "lesseeBudgetDay",
      "lesseeKey",
    ],
    examples: [
      ["market spawn docker.io/library/debian:12 --for 2h", "pick a provider on the terminal"],
      [
        "market spawn ghcr.io/anna/web:3 --port 8080=web --env MODE=live --budget 500 --yes",
        "as long as 500 sat last, from whoever is cheapest",
      ],
    ],
    load: () => import("./verbs/market/spawn.ts"),
  },
];

/** The family. */
export const MARKET_VERBS: VerbFamily = {
  name: "market",
  summary: "Find compute and rent it (market --help lists its verbs)",
  operands: "VERB",
  details:
    "Providers publish offers and heartbeats on the relays of --relay, in the formats of Paygress. " +
    "Renting needs a wallet with ecash: wallet --help. What is rented is in leases.",
  verbs: MARKET,
};

/** Verbs about leases of one's own. */
export const LEASE_VERBS: readonly VerbSpec[] = [
  {
    name: "leases",
    summary: "List what this node rents",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "The list is kept here and asks nobody; status LEASE asks the provider. --sync asks " +
      "providers for leases of this node's key that are not listed, as after a loss of the data " +
      "directory: the seed is enough to find them.",
    flags: {
      all: { short: "a", description: "Those that are over, too" },
      sync: { description: "Ask the providers of the market first" },
    },
    settings: [...NETWORK_SETTINGS],
    examples: [["leases --sync", "find them again after a loss"]],
    load: () => import("./verbs/lease/leases.ts"),
  },
  {
    name: "ssh",
    summary: "Log in to a lease, or run a command there",
    operands: "LEASE [COMMAND…]",
    operandCountMin: 1,
    operandCountMax: Number.MAX_SAFE_INTEGER,
    details: `${LEASE_DETAILS}\n` +
      "Runs the program ssh with the lease's key, and with the host key pinned: the one whose " +
      "fingerprint the provider signed its answer with. Another one is refused before anything is " +
      "sent. Of a provider that told no fingerprint the first key seen is kept. Neither agent nor X11 " +
      "is forwarded. Flags of the command stand behind --. It exits as the command does.",
    flags: {
      print: { description: "Print the command line of ssh instead of running it" },
    },
    settings: [...NETWORK_SETTINGS, "lesseeKey"],
    examples: [
      ["ssh 3f2a", "a shell"],
      ["ssh 3f2a -- uname -a", "one command"],
    ],
    load: () => import("./verbs/lease/ssh.ts"),
  },
  {
    name: "logs",
    summary: "Show what a lease printed",
    operands: "LEASE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${LEASE_DETAILS}\n` +
      "Control characters, which a terminal could take for commands, are shown as �; colours are left " +
      "out.",
    flags: {
      lines: { short: "n", placeholder: "COUNT", description: "The last so many (default 100)" },
      follow: { short: "f", description: "Go on with what comes, until interrupted" },
      raw: { description: "Exactly as it came" },
    },
    settings: [...NETWORK_SETTINGS],
    examples: [["logs 3f2a -n 20 -f", "the last lines, and what follows"]],
    load: () => import("./verbs/lease/logs.ts"),
  },
  {
    name: "exec",
    summary: "Run a command inside a lease without SSH",
    operands: "LEASE COMMAND…",
    operandCountMin: 2,
    operandCountMax: Number.MAX_SAFE_INTEGER,
    details: `${LEASE_DETAILS}\n` +
      "COMMAND is a program and its arguments; no shell looks at them. Flags of the command stand " +
      "behind --. Output is cut where a private message ends, and shown as by logs. It exits as the " +
      "command does.",
    flags: {
      timeout: { placeholder: "TIME", description: "How long it may run (default 30s)" },
      raw: { description: "Output exactly as it came" },
    },
    settings: [...NETWORK_SETTINGS],
    examples: [["exec 3f2a -- df -h /", "how full its disk is"]],
    load: () => import("./verbs/lease/exec.ts"),
  },
  {
    name: "topup",
    summary: "Pay for more time of a lease",
    operands: "LEASE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: LEASE_DETAILS,
    flags: {
      ...AMOUNT_FLAGS,
      token: TOKEN_FLAG,
      "request-id": {
        placeholder: "ID",
        description: "Name of this request: the same again is paid once",
      },
      yes: YES_FLAG,
    },
    settings: [...NETWORK_SETTINGS, "lesseeBudget", "lesseeBudgetDay"],
    examples: [["topup 3f2a --for 6h", "six hours more"]],
    load: () => import("./verbs/lease/topup.ts"),
  },
  {
    name: "restart",
    summary: "Start the processes of a lease anew",
    operands: "LEASE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${LEASE_DETAILS}\nIts disk stays as it is.`,
    flags: {},
    settings: [...NETWORK_SETTINGS],
    examples: [],
    load: () => import("./verbs/lease/restart.ts"),
  },
  {
    name: "stop",
    summary: "End a lease now and take back what is left of its money",
    operands: "LEASE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${LEASE_DETAILS}\n` +
      "Everything in it is gone. A provider of Paygress pays nothing back and lets it run until its " +
      "end.",
    flags: { yes: { short: "y", description: "Do not ask" } },
    settings: [...NETWORK_SETTINGS],
    examples: [],
    load: () => import("./verbs/lease/stop.ts"),
  },
  {
    name: "keepalive",
    summary: "Top a lease up by itself, within a budget",
    operands: "LEASE [AMOUNT|off]",
    operandCountMin: 1,
    operandCountMax: 2,
    details: `${LEASE_DETAILS}\n` +
      "AMOUNT is the most that top-ups may cost in all, fees of mints not included. The running node buys --step " +
      "more when --lessee-lead is left, and warns when the budget ends. Without AMOUNT it " +
      "shows how it stands. It needs a node that runs: start.",
    flags: {
      step: { placeholder: "TIME", description: "How much each top-up buys (--lessee-step)" },
    },
    settings: ["lesseeStep", "lesseeLead"],
    examples: [
      ["keepalive 3f2a 1000 --step 2h", "at most 1,000 sat, two hours at a time"],
      ["keepalive 3f2a off", "let it end"],
    ],
    load: () => import("./verbs/lease/keepalive.ts"),
  },
];
