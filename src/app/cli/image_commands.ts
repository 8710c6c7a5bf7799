/** The table of verbs about container images, and about the clients that pull them. */
import type { SettingName } from "../config/settings.ts";
import type { VerbFamily, VerbSpec } from "./verb.ts";

const ANY = Number.MAX_SAFE_INTEGER;

const IMAGE_DETAILS =
  "IMAGE is named as for docker: nginx, ghcr.io/acme/web:1.2, quay.io/a/b@sha256:…; what was pushed " +
  "to this node is seedmint.local/NAME:TAG, or HOST:PORT of --push-listen and NAME:TAG.";

/** What a verb that may ask registries and peers needs to know. */
const FETCHING: readonly SettingName[] = [
  "relay",
  "fleetRelay",
  "peer",
  "mdns",
  "findTimeout",
  "fleet",
  "fleetCertificate",
  "mirrorRegistry",
  "mirrorUpstream",
  "registryAuth",
  "quota",
];

/** Verbs of `image`. */
const VERBS: readonly VerbSpec[] = [
  {
    name: "image ls",
    summary: "List the images that are here",
    operands: "",
    operandCountMin: 0,
    operandCountMax: 0,
    details: "",
    flags: { long: { short: "l", description: "Whole digests and hashes" } },
    settings: [],
    examples: [],
    load: () => import("./verbs/image/ls.ts"),
  },
  {
    name: "image pull",
    summary: "Bring an image in, from peers or its registry, and seed it",
    operands: "IMAGE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${IMAGE_DETAILS}\n` +
      "A tag is resolved by a signed catalog or by its registry, never by peers; bytes come from " +
      "peers first. What was pushed to another node and announced is seedmint.local/NAME@sha256:…. A login is taken from the files of docker or podman, or --registry-auth.",
    flags: {
      platform: {
        placeholder: "OS/ARCH",
        description: "Which of several (default: this machine's); repeat it, or all",
      },
      visibility: { placeholder: "WHO", description: "fleet (default), public or private" },
    },
    settings: FETCHING,
    examples: [
      ["image pull nginx:1.27", "from Docker Hub, or who has it"],
      ["image pull ghcr.io/acme/web:2 --platform all", "with every platform"],
    ],
    load: () => import("./verbs/image/pull.ts"),
  },
  {
    name: "image push",
    summary: "Push an image that is here, or an OCI layout, to a registry",
    operands: "IMAGE|PATH TO",
    operandCountMin: 2,
    operandCountMax: 2,
    details: `${IMAGE_DETAILS}\n` +
      "PATH begins with / or . and is an OCI layout: a directory, or a tar as podman save --format " +
      "oci-archive and docker buildx write it. TO has its registry: 127.0.0.1:5056/team/app:1.",
    flags: {},
    settings: ["mirrorUpstream", "registryAuth", "quota"],
    examples: [
      ["image push ./app.tar 127.0.0.1:5056/team/app:1", "an archive to a node"],
      ["image push seedmint.local/team/app:1 ghcr.io/acme/app:1", "and on to a registry"],
    ],
    load: () => import("./verbs/image/push.ts"),
  },
  {
    name: "image rm",
    summary: "Forget images and stop seeding them",
    operands: "IMAGE…",
    operandCountMin: 1,
    operandCountMax: ANY,
    details: `${IMAGE_DETAILS}\nWhat other images need stays; gc removes what nothing keeps.`,
    flags: {},
    settings: [],
    examples: [],
    load: () => import("./verbs/image/rm.ts"),
  },
  {
    name: "image export",
    summary: "Write an image as an OCI layout, a directory or a tar",
    operands: "IMAGE PATH",
    operandCountMin: 2,
    operandCountMax: 2,
    details: `${IMAGE_DETAILS}\n` +
      "A PATH that ends with .tar becomes an archive that podman load and ctr images import take.",
    flags: { force: { short: "f", description: "Replace what exists" } },
    settings: [],
    examples: [["image export nginx:1.27 nginx.tar", "one file"]],
    load: () => import("./verbs/image/export.ts"),
  },
  {
    name: "image announce",
    summary: "Let others have an image, and tell them of it",
    operands: "IMAGE",
    operandCountMin: 1,
    operandCountMax: 1,
    details: `${IMAGE_DETAILS}\n` +
      "It prints how to pull it on another node: by its digest. There its clients have it, too, by that " +
      "digest at --push-listen. Adverts of public images tell the world what this node has.",
    flags: {
      visibility: { placeholder: "WHO", description: "fleet (default) or public" },
    },
    settings: [],
    examples: [["image announce seedmint.local/team/app:1", "to the fleet"]],
    load: () => import("./verbs/image/announce.ts"),
  },
];

/** The family. */
export const IMAGE_VERBS: VerbFamily = {
  name: "image",
  summary: "Pull, push and announce container images (image --help lists its verbs)",
  operands: "VERB",
  details:
    "An image is a collection of the store: its manifests, configs and layers, fetched from peers by " +
    "digest and checked against it. Clients pull through --mirror-listen and push to --push-listen " +
    "of a running node; setup tells them so.",
  verbs: VERBS,
};

/** Container clients, as `setup` and `doctor` know them. */
const CLIENT_NAMES = "containerd, docker, podman or skopeo";

/** Makes clients use the node. */
export const SETUP_VERB: VerbSpec = {
  name: "setup",
  summary: "Make containerd, docker, podman or skopeo pull through this node",
  operands: "CLIENT…",
  operandCountMin: 1,
  operandCountMax: ANY,
  details:
    `CLIENT is ${CLIENT_NAMES} (podman, buildah and skopeo share their files). What the files say ` +
    "already stays; a file that is changed is kept as NAME.seedmint-backup first. --remove takes out " +
    "what setup put in. It needs no running node, and mostly root; it prints what to restart.",
  flags: {
    remove: { description: "Undo it" },
    "dry-run": { short: "n", description: "Only show what the files would be" },
    user: { description: "The files of this user (rootless podman, docker), not of the system" },
    root: { placeholder: "DIR", description: "Write below DIR instead of /, as for a disk image" },
  },
  settings: ["mirrorListen", "pushListen", "mirrorRegistry", "mirrorUpstream"],
  examples: [
    ["setup containerd", "before or after the node is started"],
    ["setup docker podman --dry-run", "shows the files"],
    ["setup containerd --remove", "as it was before"],
  ],
  load: () => import("./verbs/setup.ts"),
};

/** Finds out whether clients use the node. */
export const DOCTOR_VERB: VerbSpec = {
  name: "doctor",
  summary: "Find out whether container clients pull through this node, and what to do if not",
  operands: "[CLIENT…]",
  operandCountMin: 0,
  operandCountMax: ANY,
  details:
    `CLIENT is ${CLIENT_NAMES}; without one it looks at those that are installed. It reads the ` +
    "configuration in force, and lets the client pull an image of a few bytes that only this node " +
    "has: whoever gets it uses the mirror. Running clients needs the Deno permission --allow-run; " +
    "without it doctor asks the mirror itself, as the client would. What was pulled is removed " +
    "again. Where tiers are set it looks at what lending compute needs, too. Exits with 1 if " +
    "something is wrong.",
  flags: {
    user: { description: "The files of this user (rootless podman, docker), not of the system" },
    root: { placeholder: "DIR", description: "Read the clients' files below DIR instead of /" },
    "no-pull": { description: "Let no client pull" },
  },
  settings: ["mirrorListen", "mirrorRegistry"],
  examples: [["doctor", "everything"], ["doctor containerd --json", "for a check of a fleet"]],
  load: () => import("./verbs/doctor.ts"),
};
