/** Settings of the registry: the mirror that clients pull through, and the one that they push to. */
import { registryOf } from "../../../swarm/registry/names.ts";
import { setting } from "./setting.ts";
import {
  choiceSchema,
  durationSchema,
  hostPortSchema,
  httpUrlSchema,
  listSchema,
  reader,
  type Schema,
  textSchema,
} from "./values.ts";
import { v } from "../schema.ts";

/** Where most images of the public come from. */
export const PUBLIC_REGISTRIES: readonly string[] = [
  "docker.io",
  "ghcr.io",
  "quay.io",
  "registry.k8s.io",
  "gcr.io",
  "public.ecr.aws",
  "mcr.microsoft.com",
];

/** What the mirror does with what it does not have. */
export const MIRROR_MODES = ["pull-through", "miss-404"] as const;

/** One of {@link MIRROR_MODES}. */
export type MirrorMode = typeof MIRROR_MODES[number];

/** Where the mirror is looked for when nothing says where it listens. */
export const MIRROR_ADDRESS = { hostname: "127.0.0.1", port: 5055 } as const;

/** Where pushes are looked for when nothing says where they go. */
export const PUSH_ADDRESS = { hostname: "127.0.0.1", port: 5056 } as const;

/** What is said of one registry. */
export interface OfRegistry<T> {
  /** Canonical host. */
  readonly registry: string;
  readonly value: T;
}

/** The canonical host of a registry. */
export const registrySchema: Schema<string> = reader((input) => {
  const registry = registryOf(String(input).trim());
  if (registry !== undefined) return registry;
  throw new SyntaxError("a registry such as ghcr.io or registry.example.org:5000 wanted");
});

/** `REGISTRY=VALUE`. */
function ofRegistrySchema<T>(value: Schema<T>, example: string): Schema<OfRegistry<T>> {
  return reader((input) => {
    const [, registry, rest] = /^([^=]+)=(.+)$/.exec(String(input).trim()) ?? [];
    const host = registry === undefined ? undefined : registryOf(registry);
    const result = v.safeParse(value, rest);
    if (host !== undefined && result.success) return { registry: host, value: result.output };
    throw new SyntaxError(`REGISTRY=VALUE such as ${example} wanted`);
  });
}

/** A host without its port, as a Host header names it. */
const hostSchema: Schema<string> = reader((input) => {
  const host = registryOf(String(input).trim());
  if (host !== undefined && !/:\d+$/.test(host)) return host;
  throw new SyntaxError("a host name such as node7.example.org wanted");
});

/** The rows; `settings.ts` puts them among the others. */
export const REGISTRY_SETTINGS = {
  mirrorListen: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Mirror container registries here (127.0.0.1:5055 by custom); off unless given",
    schema: hostPortSchema,
  }),
  pushListen: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Take pushed images here (127.0.0.1:5056 by custom); off unless given",
    schema: hostPortSchema,
  }),
  mirrorHost: setting<readonly string[]>({
    placeholder: "HOST",
    default: [],
    description: "Names besides localhost by which clients call --mirror-listen and --push-listen",
    schema: listSchema(hostSchema),
    isList: true,
  }),
  mirrorRegistry: setting<readonly string[]>({
    placeholder: "REGISTRY",
    default: PUBLIC_REGISTRIES,
    description: "Registries that are mirrored; all others are answered 404",
    schema: listSchema(registrySchema),
    isList: true,
  }),
  mirrorMode: setting<readonly OfRegistry<MirrorMode>[]>({
    placeholder: "REGISTRY=MODE",
    default: [],
    description:
      "What nobody here has of a registry: pull-through brings it in (the default), miss-404 " +
      "leaves it to the client",
    schema: listSchema(ofRegistrySchema(choiceSchema(MIRROR_MODES), "ghcr.io=miss-404")),
    isList: true,
  }),
  mirrorUpstream: setting<readonly OfRegistry<string>[]>({
    placeholder: "REGISTRY=URL",
    default: [],
    description: "Where a registry is asked, if not at https:// and its name",
    schema: listSchema(
      ofRegistrySchema(httpUrlSchema, "registry.lan:5000=http://registry.lan:5000"),
    ),
    isList: true,
  }),
  mirrorVisibility: setting<"public" | "fleet" | "none">({
    placeholder: "WHO",
    default: "fleet",
    description:
      "Who may have what clients pull: fleet, public (adverts then tell what this host runs), or " +
      "none",
    schema: choiceSchema(["public", "fleet", "none"]),
  }),
  mirrorPrivate: setting<"fleet" | "private">({
    placeholder: "WHO",
    default: "private",
    description: "Who may have what only this node's login may pull: private (nobody) or fleet",
    schema: choiceSchema(["fleet", "private"]),
  }),
  mirrorTagCache: setting<number>({
    placeholder: "TIME",
    default: "60s",
    description: "How long a tag is answered without asking its registry again",
    schema: durationSchema,
  }),
  registryAuth: setting<readonly string[]>({
    placeholder: "FILE",
    default: [],
    description:
      "Logins for registries, as docker and podman write them; theirs when none is named",
    schema: listSchema(textSchema),
    isList: true,
  }),
} as const;
