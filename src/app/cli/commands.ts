/** The table of verbs about content. Those about the node are in `node_commands.ts`. */
import type { VerbSpec } from "./verb.ts";

const ANY = Number.MAX_SAFE_INTEGER;

const TARGET_DETAILS =
  "HASH is the BLAKE3 hash of a blob or collection (64 hex digits, or its first digits when that " +
  "names one blob of the store), sha256: and its SHA-256, a blossom: URI, or a ticket.";

/** Verbs that bring content in, take it out, or look at it. */
export const CONTENT_VERBS: readonly VerbSpec[] = [
  {
    name: "add",
    summary: "Add files, directories or stdin to the store",
    operands: "PATH…",
    operandCountMin: 1,
    operandCountMax: ANY,
    details:
      "A directory becomes a collection: its files, and a list of them whose hash names them all. " +
      "PATH - reads stdin. Without a mode the file is copied; --link makes a hard link and falls " +
      "back to a copy on another file system; --in-place leaves the file where it is and notices " +
      "when it changes. A running node advertises what is public at once. With --json it prints " +
      '{"hash","size","sha256","name"} for each blob, and the collection last.',
    flags: {
      "in-place": { description: "Serve the file from where it is" },
      link: { description: "Hard-link the file into the store" },
      copy: { description: "Copy the file into the store (the default)" },
      visibility: { placeholder: "WHO", description: "public (default), fleet or private" },
      tag: { placeholder: "NAME", description: "Name it, which also keeps it from gc" },
      pin: { description: "Keep it whatever the quota says" },
      name: { placeholder: "NAME", description: "Name to show for what stdin gives" },
      "media-type": { placeholder: "TYPE", description: "Media type to tell requesters" },
    },
    settings: ["quota"],
    examples: [
      ["add film.mkv", "copies and seeds one file"],
      ["add --in-place ./photos", "a collection, without using disk space twice"],
      ["add - --name notes.txt < notes.txt", "from stdin"],
    ],
    load: () => import("./verbs/add.ts"),
  },
  {
    name: "get",
    summary: "Fetch content from peers, or from the origin",
    operands: "HASH|TICKET",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${TARGET_DETAILS}\n` +
      "The servers that a blossom: URI names (xs) are asked for what no peer has. " +
      "Every 16 KiB is verified before it is used. A fetch that was stopped goes on where it was. " +
      "Without -o the content stays in the store, where it is seeded and can be exported. " +
      "With --origin URL the origin serves what peers do not, so that a get with an origin " +
      "succeeds whenever the origin does. Peers that ask a price are paid from the wallet, within " +
      "--price-max and the budgets, and the last lines say whom and how much; what they do not get " +
      'is fetched elsewhere. With --json the last line is {"event":"done",…}.',
    flags: {
      output: {
        short: "o",
        placeholder: "PATH",
        description: "File to write, directory to write into (end it with /), or - for stdout",
      },
      force: { short: "f", description: "Replace files that exist" },
      origin: { placeholder: "URL", description: "HTTP or HTTPS URL of the same bytes" },
      header: { placeholder: "NAME:VALUE", description: "Header for the origin; may be repeated" },
      sha256: { placeholder: "HEX", description: "Check this SHA-256 as well" },
      visibility: { placeholder: "WHO", description: "Who may have it from here, as for add" },
      pin: { description: "Keep it whatever the quota says" },
      raw: { description: "Of a collection, fetch only the list itself" },
      cheapest: { description: "Prefer what costs least, as --thrift cheapest" },
      fastest: { description: "Prefer who is fastest, as --thrift fastest" },
      budget: {
        placeholder: "AMOUNT",
        description: "Most sat for this fetch, fees included, instead of --budget-blob",
      },
    },
    settings: [
      "relay",
      "peer",
      "mdns",
      "policy",
      "originDelay",
      "originFloor",
      "findTimeout",
      "fleetCertificate",
      "pay",
      "priceMax",
      "thrift",
      "quota",
    ],
    examples: [
      ["get seedmint:omF2AWFo… -o film.mkv", "by ticket, to a file"],
      ["get 3a7f… -o ./photos/", "a collection, into a directory"],
      ["get 3a7f… --origin https://example.org/film.mkv -o film.mkv", "with an origin behind"],
      ["get 3a7f… -o - | tar x", "to stdout"],
      ["get 3a7f… --budget 200 --cheapest", "for at most 200 sat, and less where it can be"],
      ["get 3a7f… --no-pay", "only what is free"],
    ],
    load: () => import("./verbs/get.ts"),
  },
  {
    name: "ls",
    summary: "List what the store holds",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "",
    flags: {
      collections: { description: "Only collections" },
      long: { short: "l", description: "Whole hashes, tags and paths" },
    },
    settings: [],
    examples: [],
    load: () => import("./verbs/ls.ts"),
  },
  {
    name: "find",
    summary: "Ask relays and peers who has a blob",
    operands: "HASH|TICKET",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${TARGET_DETAILS}\nPrints who was found, and what each says it holds when asked.`,
    flags: { "no-ask": { description: "Do not ask the peers that were found" } },
    settings: ["relay", "peer", "mdns", "findTimeout", "fleetCertificate"],
    examples: [["find 3a7f… --relay ws://127.0.0.1:7777", "ask one relay"]],
    load: () => import("./verbs/find.ts"),
  },
  {
    name: "ticket",
    summary: "Print a ticket that get takes, with a QR code on a terminal",
    operands: "HASH",
    operandCountMin: 1,
    operandCountMax: 1,
    details:
      `${TARGET_DETAILS}\nThe ticket names the content, this node's addresses and its relays.`,
    flags: {
      qr: { description: "Print the QR code in a pipe, too" },
      "no-qr": { description: "No QR code" },
    },
    settings: ["relay"],
    examples: [["ticket 3a7f…", "one string and a QR code"]],
    load: () => import("./verbs/ticket.ts"),
  },
  {
    name: "export",
    summary: "Write content of the store to a file or directory",
    operands: "HASH PATH",
    operandCountMin: 2,
    operandCountMax: 2,
    details: `${TARGET_DETAILS}\nPATH - writes a blob to stdout.`,
    flags: { force: { short: "f", description: "Replace files that exist" } },
    settings: [],
    examples: [["export 3a7f… film.mkv", "one file"]],
    load: () => import("./verbs/export.ts"),
  },
  {
    name: "verify",
    summary: "Read the store again and find damaged blocks",
    operands: "[HASH…]",
    operandCountMin: 0,
    operandCountMax: ANY,
    details:
      "Without HASH it checks everything. Damaged blocks are dropped, the good ones stay, and get " +
      "fetches what is missing. Exits with 1 if something was damaged. When the database itself is " +
      "damaged, --rebuild makes a new one from the blob files, with what the old one still tells; " +
      "a blob of which it tells nothing becomes private. It needs the node stopped.",
    flags: { rebuild: { description: "Make a new database from the blob files" } },
    settings: [],
    examples: [["verify --rebuild", "when a verb says that the database is damaged"]],
    load: () => import("./verbs/verify.ts"),
  },
];

/** Verbs that change what is kept. */
export const KEEPING_VERBS: readonly VerbSpec[] = [
  {
    name: "pin",
    summary: "Keep content whatever the quota says",
    operands: "HASH…",
    operandCountMin: 1,
    operandCountMax: ANY,
    details: TARGET_DETAILS,
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/pin.ts"),
  },
  {
    name: "unpin",
    summary: "Let content be evicted again",
    operands: "HASH…",
    operandCountMin: 1,
    operandCountMax: ANY,
    details: TARGET_DETAILS,
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/pin.ts"),
  },
  {
    name: "rm",
    summary: "Forget content and stop seeding it",
    operands: "HASH…",
    operandCountMin: 1,
    operandCountMax: ANY,
    details:
      `${TARGET_DETAILS}\nA file that was added in place stays where it is. The children of a ` +
      "collection stay in the store until gc.",
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/rm.ts"),
  },
  {
    name: "gc",
    summary: "Remove what nothing keeps",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details:
      "Kept are pinned and tagged blobs, the children of collections that are kept, and what is in " +
      "use. What add brought is tagged; what get brought is not, unless it was pinned.",
    flags: { "dry-run": { short: "n", description: "Only tell what would be removed" } },
    settings: [],
    examples: [["gc --dry-run", "what would go"]],
    load: () => import("./verbs/gc.ts"),
  },
];
