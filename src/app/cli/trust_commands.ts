/** The tables of verbs about the release root, signed catalogs and releases. */
import type { SettingName } from "../config/settings.ts";
import type { VerbFamily, VerbFlag, VerbSpec } from "./verb.ts";

const ANY = Number.MAX_SAFE_INTEGER;

const SEED: Readonly<Record<string, VerbFlag>> = {
  seed: { placeholder: "FILE", description: "The master seed (default root.seed)" },
  label: {
    placeholder: "LABEL",
    description: "Which of its keys: root (the default), root/1, or the name of a role",
  },
  yes: { description: "Sign without asking" },
};

const LIFE: VerbFlag = { placeholder: "N", description: "How long it holds (default 400)" };

const THRESHOLD: VerbFlag = {
  placeholder: "N",
  description: "How many of the keys must sign (default 1)",
};

const DEVELOPMENT: readonly SettingName[] = ["development"];

const CHANGE_DETAILS =
  "It makes the next version, or changes the one that still lacks signatures, and signs it when a " +
  "master seed is here. It counts once the threshold of the version before and its own have signed.";

const ROOT_VERBS: readonly VerbSpec[] = [
  {
    name: "root new",
    summary: "Make a release root: its master seed and its first version",
    operands: "NAME",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "The master seed is made when there is none and written with mode 0600; all keys derive from it. " +
      "Other people's keys (--key, what root pubkey printed there) may be listed, too; they sign with " +
      "root sign. root.json holds no secret: followers pin it with --release-root. --development uses " +
      "a seed that everybody knows, and nodes refuse what it signs unless they are set to development.",
    flags: {
      ...SEED,
      output: { short: "o", placeholder: "FILE", description: "The root (default root.json)" },
      key: { placeholder: "HEX", description: "One more key of the root; repeat it" },
      threshold: THRESHOLD,
      days: LIFE,
    },
    settings: DEVELOPMENT,
    examples: [
      ["root new acme", "one key, in root.seed, and the root in root.json"],
      ["root new acme --key 3b6a… --key 9f02… --threshold 2", "two of three people sign"],
    ],
    load: () => import("./verbs/root/new.ts"),
  },
  {
    name: "root pubkey",
    summary: "Print the public key of a master seed",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "With --new it makes the master seed first, for one more person or a role.",
    flags: { ...SEED, new: { description: "Make the master seed" } },
    settings: DEVELOPMENT,
    examples: [
      ["root pubkey --new --seed ben.seed", "a second person"],
      ["root pubkey --label ci", "the key of the role ci"],
    ],
    load: () => import("./verbs/root/pubkey.ts"),
  },
  {
    name: "root show",
    summary: "Show what a root says and whether it is signed",
    operands: "FILE",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "The fingerprint is of the bytes that are signed: all who sign one version compare it. Exits " +
      "with 1 while signatures are missing, or something is wrong.",
    flags: {},
    settings: [],
    examples: [["root show root.json", "before signing it"]],
    load: () => import("./verbs/root/show.ts"),
  },
  {
    name: "root sign",
    summary: "Sign the newest version of a root",
    operands: "FILE",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "It shows the version, asks, and adds the signatures of every key of the seed that may sign it.",
    flags: SEED,
    settings: DEVELOPMENT,
    examples: [["root sign root.json --seed ben.seed", "the second signature of two"]],
    load: () => import("./verbs/root/sign.ts"),
  },
  {
    name: "root delegate",
    summary: "Let other keys sign some catalogs",
    operands: "FILE ROLE",
    operandCountMin: 2,
    operandCountMax: 2,
    details: `${CHANGE_DETAILS} A pattern is the name of a catalog, with * for any characters.`,
    flags: {
      ...SEED,
      key: { placeholder: "HEX", description: "A key of the role; repeat it" },
      threshold: THRESHOLD,
      catalog: { placeholder: "PATTERN", description: "What it may sign; repeat it" },
      pins: {
        placeholder: "PREFIX",
        description: "Images it may speak for, as ghcr.io/acme/; repeat it",
      },
      days: { placeholder: "N", description: "How long it may (default as long as the root)" },
      remove: { description: "Take the role away" },
    },
    settings: DEVELOPMENT,
    examples: [
      ["root delegate root.json ci --key 3b6a… --catalog 'nightly-*'", "a build machine"],
      ["root delegate root.json ci --remove", "not any more"],
    ],
    load: () => import("./verbs/root/change.ts"),
  },
  {
    name: "root rotate",
    summary: "Change the keys, the threshold or the expiry of a root",
    operands: "FILE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${CHANGE_DETAILS} Without flags it only makes the root hold longer. A key that was ` +
      "taken out signs nothing new; revoke one that may be in wrong hands instead.",
    flags: {
      ...SEED,
      add: { placeholder: "HEX", description: "A new key; repeat it" },
      remove: { placeholder: "HEX", description: "A key that goes; repeat it" },
      threshold: THRESHOLD,
      days: LIFE,
    },
    settings: DEVELOPMENT,
    examples: [["root rotate root.json --add 9f02… --remove 3b6a…", "one person for another"]],
    load: () => import("./verbs/root/change.ts"),
  },
  {
    name: "root revoke",
    summary: "Make a key count never again",
    operands: "FILE KEY",
    operandCountMin: 2,
    operandCountMax: 2,
    details: `${CHANGE_DETAILS} A revoked key counts for nothing, whatever it signed and when: ` +
      "catalogs that only it signed stop counting at followers, and what it made them refuse is " +
      "taken again.",
    flags: {
      ...SEED,
      reason: { placeholder: "TEXT", description: "Why, for followers to see" },
      replace: { placeholder: "HEX", description: "The key that takes its place" },
    },
    settings: DEVELOPMENT,
    examples: [["root revoke root.json 3b6a… --reason 'laptop stolen' --replace 9f02…", ""]],
    load: () => import("./verbs/root/change.ts"),
  },
];

/** Ceremonies. */
export const ROOT_VERBS_FAMILY: VerbFamily = {
  name: "root",
  summary: "Keep a release root: who may sign catalogs (root --help lists its verbs)",
  operands: "VERB",
  details:
    "These verbs work on files, without a node and without a network: run them where the master seed " +
    "is. A root is a file with every version since the first. Each version names keys, how many of " +
    "them must sign, roles that may sign some catalogs, and revoked keys.",
  verbs: ROOT_VERBS,
};

const ROOT_FILE: VerbFlag = {
  placeholder: "FILE",
  description: "The root (default root.json beside the catalog)",
};

const CATALOG_VERBS: readonly VerbSpec[] = [
  {
    name: "catalog init",
    summary: "Make an empty catalog",
    operands: "NAME",
    operandCountMin: 1,
    operandCountMax: 1,
    details: "NAME is what followers follow: a-z 0-9 . _ - wanted.",
    flags: {
      root: ROOT_FILE,
      output: { short: "o", placeholder: "FILE", description: "The catalog (default NAME.json)" },
      days: { placeholder: "N", description: "How long each of its versions holds (default 30)" },
    },
    settings: [],
    examples: [["catalog init tools", "in tools.json, of the root in root.json"]],
    load: () => import("./verbs/catalog/init.ts"),
  },
  {
    name: "catalog add",
    summary: "List files, folders or an image in a catalog",
    operands: "CATALOG [PATH…]",
    operandCountMin: 1,
    operandCountMax: ANY,
    details:
      "Each PATH is hashed, not copied; publish takes the files. With --release it becomes a file of a " +
      "release, which is always free; else a file of its own, such as a film. A folder is one " +
      "collection: HLS playlists and segments play by GET /media of the gateway. --origin is its URL, " +
      "or a folder that ends with /. --image lists an image of this node with all its layers, and " +
      "pins its tag for followers. A catalog that was signed is followed by the next of its name.",
    flags: {
      release: { placeholder: "NAME", description: "The release that it belongs to" },
      version: { placeholder: "V", description: "Its version" },
      platform: { placeholder: "P", description: "linux/amd64, and so on; absent: any" },
      name: { placeholder: "NAME", description: "Another name than that of the file" },
      origin: { placeholder: "URL", description: "Where it can be had, too; repeat it" },
      "media-type": { placeholder: "TYPE", description: "Media type, such as video/mp4" },
      price: { placeholder: "CLASS", description: "free (the default) or priced" },
      notes: { placeholder: "TEXT", description: "What changed; @FILE reads a file" },
      image: { placeholder: "IMAGE", description: "An image, as docker names it" },
      as: { placeholder: "IMAGE:TAG", description: "The tag to pin instead of its own" },
      force: { short: "f", description: "Replace what is listed under its name" },
    },
    settings: [],
    examples: [
      [
        "catalog add tools.json tool.tgz --release tool --version 1.2.0 --platform linux/amd64",
        "a file of a release",
      ],
      ["catalog add tools.json notes.pdf --origin https://example.org/dl/", "with its origin"],
      ["catalog add films.json ./film-hls --media-type application/vnd.apple.mpegurl", "a film"],
      ["catalog add tools.json --image ghcr.io/acme/web:1.2", "an image, its tag pinned"],
    ],
    load: () => import("./verbs/catalog/add.ts"),
  },
  {
    name: "catalog rm",
    summary: "Take entries out of a catalog",
    operands: "CATALOG NAME[@VERSION]…",
    operandCountMin: 2,
    operandCountMax: ANY,
    details: "Followers keep what they have of it.",
    flags: {},
    settings: [],
    examples: [["catalog rm tools.json tool@1.1.0", "one version"]],
    load: () => import("./verbs/catalog/rm.ts"),
  },
  {
    name: "catalog sign",
    summary: "Sign a catalog, or add one more signature",
    operands: "CATALOG",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "It needs no node. The signature lies beside the catalog, in CATALOG.seal. One that is signed " +
      "already gets one more signature; --renew signs it as the next of its name with new times, " +
      "before it expires.",
    flags: {
      ...SEED,
      root: ROOT_FILE,
      renew: { description: "The same content as the next version" },
      sequence: {
        placeholder: "N",
        description: "With a higher sequence than the next one, when older files were lost",
      },
      days: { placeholder: "N", description: "How long it holds from now" },
    },
    settings: DEVELOPMENT,
    examples: [["catalog sign tools.json --seed ci.seed --yes", "on a build machine"]],
    load: () => import("./verbs/catalog/sign.ts"),
  },
  {
    name: "catalog verify",
    summary: "Say whether followers would take a catalog, and why not",
    operands: "CATALOG",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "Against --root, or the pinned --release-root, or root.json beside it. Exits with 1 if not.",
    flags: { root: ROOT_FILE },
    settings: ["releaseRoot", "development"],
    examples: [],
    load: () => import("./verbs/catalog/verify.ts"),
  },
  {
    name: "catalog publish",
    summary: "Tell relays and peers of a signed catalog, and seed it",
    operands: "CATALOG [PATH…]",
    operandCountMin: 1,
    operandCountMax: ANY,
    details:
      "Each PATH, a file or folder that it lists, is added to the store and seeded, as add does. What " +
      "nobody could get is told. The running node tells the relays again from time to time. With " +
      "--output nothing is sent: it writes what a web server serves, for followers that name its URL.",
    flags: {
      root: ROOT_FILE,
      url: { placeholder: "URL", description: "Where the catalog's own bytes lie, too; repeat it" },
      output: { short: "o", placeholder: "DIR", description: "Write the files for a web server" },
    },
    settings: ["relay", "peer", "mdns", "quota", "development"],
    examples: [
      ["catalog publish tools.json dist/tool.tar.gz", "to the relays of the node"],
      ["catalog publish tools.json -o public/", "for https://example.org/tools.publication.json"],
    ],
    load: () => import("./verbs/catalog/publish.ts"),
  },
  {
    name: "catalog follow",
    summary: "Follow a signed catalog, and look for it now",
    operands: "[ROOT/]NAME",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      "Its root must be pinned at the node: release-root in seedmint.toml, or --release-root of start. " +
      "It is found on relays, at --url and at peers; whatever is older, expired, unsigned or wrongly " +
      "signed is refused with the reason. --select fetches what it lists as soon as it does: " +
      "[release:|image:|file:]NAME[@VERSION][#PLATFORM], * for any characters, the latest version " +
      "unless one is given. --pins says whose tags it may resolve at the mirror: ghcr.io/acme/ for all " +
      "below it, a repository, or *. Exits with 1 when nothing that counts was found.",
    flags: {
      publisher: { placeholder: "HEX", description: "Only from this Nostr key; repeat it" },
      url: { placeholder: "URL", description: "Where its publication lies at an origin" },
      select: { placeholder: "SELECTOR", description: "What to prefetch; repeat it" },
      pins: { placeholder: "PREFIX", description: "Images that it may speak for; repeat it" },
    },
    settings: ["releaseRoot", "development", "relay", "peer", "mdns", "catalogVisibility"],
    examples: [
      ["catalog follow tools --select 'release:tool*#linux/amd64'", "and have the latest at hand"],
      ["catalog follow acme/tools --url https://example.org/tools.publication.json", ""],
    ],
    load: () => import("./verbs/catalog/follow.ts"),
  },
  {
    name: "catalog unfollow",
    summary: "Stop following a catalog",
    operands: "[ROOT/]NAME",
    operandCountMin: 1,
    operandCountMax: 1,
    details: "What was accepted stays remembered, so that nothing older is taken later.",
    flags: {},
    settings: ["releaseRoot", "development"],
    examples: [],
    load: () => import("./verbs/catalog/follow.ts"),
  },
  {
    name: "catalog ls",
    summary: "List the catalogs that are followed, or what one lists",
    operands: "[[ROOT/]NAME|FILE]",
    operandCountMin: 0,
    operandCountMax: 1,
    details: "FILE, which ends with .json, is a catalog that you make.",
    flags: { long: { short: "l", description: "Whole hashes" } },
    settings: ["releaseRoot", "development"],
    examples: [["catalog ls tools --json", "one object for each file"]],
    load: () => import("./verbs/catalog/ls.ts"),
  },
];

/** Making, publishing and following catalogs. */
export const CATALOG_VERBS_FAMILY: VerbFamily = {
  name: "catalog",
  summary: "Publish and follow signed catalogs (catalog --help lists its verbs)",
  operands: "VERB",
  details:
    "A catalog lists releases, images and files with both their hashes, and is signed by a root, or by a " +
    "role of it. init, add, rm, sign and verify work on files, without a node.",
  verbs: CATALOG_VERBS,
};

/** Releases. */
export const RELEASE_VERBS_FAMILY: VerbFamily = {
  name: "release",
  summary: "Fetch what signed catalogs list (release --help lists its verbs)",
  operands: "VERB",
  details: "A release is free and signed: nothing that a root did not sign is ever written.",
  verbs: [
    {
      name: "release get",
      summary: "Fetch a release from peers, or from its origin",
      operands: "NAME[@VERSION]",
      operandCountMin: 1,
      operandCountMax: 1,
      details:
        "The latest version that is no pre-release, unless one is given, out of the catalogs that are " +
        "followed. Peers are asked first, then its origins; both hashes are checked, and nothing is " +
        "ever paid. Without -o it stays in the store.",
      flags: {
        catalog: { placeholder: "[ROOT/]NAME", description: "Only of this catalog" },
        platform: {
          placeholder: "P",
          description: "linux/arm64, and so on, or all (default this machine's)",
        },
        file: { placeholder: "NAME", description: "Only this file of it" },
        output: {
          short: "o",
          placeholder: "PATH",
          description: "File to write, or directory to write into (end it with /)",
        },
        force: { short: "f", description: "Replace files that exist" },
      },
      settings: [
        "releaseRoot",
        "development",
        "relay",
        "peer",
        "mdns",
        "policy",
        "originDelay",
        "findTimeout",
        "catalogVisibility",
        "quota",
      ],
      examples: [
        ["release get tool -o ./", "the latest for this machine"],
        ["release get tool@1.2.0 --platform all -o dist/", "every file of one version"],
      ],
      load: () => import("./verbs/release.ts"),
    },
  ],
};
