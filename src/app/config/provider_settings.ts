/** Settings of a node that lends compute: its tiers, its engine, and what it gives to whom. */
import type { MintUrl } from "../../../wallet/types.ts";
import { DEFAULT_SETTINGS } from "../../../provisioning/provider/settings.ts";
import { WIRE_LIMITS } from "../../../provisioning/wire/limits.ts";
import { mintUrlSchema } from "./money_values.ts";
import {
  type ImageRule,
  imageRuleSchema,
  portRangeSchema,
  type Tier,
  tierSchema,
} from "./provider_values.ts";
import { PUBLIC_REGISTRIES, registrySchema } from "./registry_settings.ts";
import { setting } from "./setting.ts";
import {
  booleanSchema,
  bytesSchema,
  choiceSchema,
  durationSchema,
  hostPortSchema,
  httpUrlSchema,
  integerSchema,
  ipAddressSchema,
  listSchema,
  textSchema,
} from "./values.ts";

/** The engines that leases can run on. */
export const PROVIDER_BACKENDS = [
  "runc",
  "docker",
  "podman",
  "lxd",
  "incus",
  "kubernetes",
  "proxmox",
] as const;

/** One of {@link PROVIDER_BACKENDS}. */
export type ProviderBackend = typeof PROVIDER_BACKENDS[number];

/** Where leases are kept unless the settings say otherwise: root's, and each part of it passable. */
export const PROVIDER_STATE = "/var/lib/seedmint-leases";

/** The rows; `settings.ts` puts them among the others. */
export const PROVIDER_SETTINGS = {
  provider: setting<boolean>({
    default: "no",
    description: "Lend compute as soon as the node runs, as after provider start",
    schema: booleanSchema,
    isSwitch: true,
  }),
  providerName: setting<string | undefined>({
    placeholder: "NAME",
    default: undefined,
    description: "What lessees see this provider called (default seedmint- and its key's start)",
    schema: textSchema,
  }),
  providerLocation: setting<string | undefined>({
    placeholder: "PLACE",
    default: undefined,
    description: "Roughly where the machine is, such as EU, for those who look for one near",
    schema: textSchema,
  }),
  providerTier: setting<readonly Tier[]>({
    placeholder: "TIER",
    default: [],
    description: "What is lent, and for how much: ID=CPU/MEMORY/DISK/RATE, such as " +
      "basic=1000m/1GiB/10GiB/50msat (msat a second); in the settings file also a table",
    schema: listSchema(tierSchema),
    isList: true,
  }),
  providerBackend: setting<ProviderBackend>({
    placeholder: "ENGINE",
    default: "runc",
    description: `The engine that runs leases: ${PROVIDER_BACKENDS.join(", ")}`,
    schema: choiceSchema(PROVIDER_BACKENDS),
  }),
  providerSocket: setting<string | undefined>({
    placeholder: "PATH",
    default: undefined,
    description: "The engine's Unix socket, if it is not where it usually is",
    schema: textSchema,
  }),
  providerEngineUrl: setting<string | undefined>({
    placeholder: "URL",
    default: undefined,
    description: "Node of proxmox: https://pve.lan:8006/node/pve/storage/local",
    schema: httpUrlSchema,
  }),
  providerEngineAuth: setting<string | undefined>({
    placeholder: "FILE",
    default: undefined,
    description: "What opens the engine: the kubeconfig of kubernetes, or the API token of proxmox",
    schema: textSchema,
  }),
  providerEngineRegistry: setting<string | undefined>({
    placeholder: "URL",
    default: undefined,
    description:
      "Where images are pushed for the nodes of kubernetes; without it each asks a mirror of its own",
    schema: httpUrlSchema,
  }),
  providerState: setting<string>({
    placeholder: "DIR",
    default: PROVIDER_STATE,
    description: "Where the engine keeps disks and unpacked images of leases",
    schema: textSchema,
  }),
  providerPublicHost: setting<string | undefined>({
    placeholder: "HOST",
    default: undefined,
    description: "The name or address at which lessees reach this machine",
    schema: textSchema,
  }),
  providerProbeHost: setting<string | undefined>({
    placeholder: "HOST",
    default: undefined,
    description: "Where this machine itself reaches a lease's SSH, if not where lessees do",
    schema: textSchema,
  }),
  providerPorts: setting<{ readonly first: number; readonly last: number }>({
    placeholder: "FROM-TO",
    default: `${DEFAULT_SETTINGS.ports.first}-${DEFAULT_SETTINGS.ports.last}`,
    description: "Ports of this machine for SSH and other ports of leases; open them to lessees",
    schema: portRangeSchema,
  }),
  providerPortsMax: setting<number>({
    placeholder: "COUNT",
    default: String(DEFAULT_SETTINGS.portCountMax),
    description: "Most ports of one lease besides SSH",
    schema: integerSchema(0, WIRE_LIMITS.portCountMax),
  }),
  providerMints: setting<readonly MintUrl[]>({
    placeholder: "URL",
    default: [],
    description: "Mints whose ecash pays for leases (default all of --mint and --mint-accepted)",
    schema: listSchema(mintUrlSchema),
    isList: true,
  }),
  providerDurationMin: setting<number>({
    placeholder: "TIME",
    default: "60s",
    description: "The shortest lease",
    schema: durationSchema,
  }),
  providerDurationMax: setting<number>({
    placeholder: "TIME",
    default: "30d",
    description: "The longest that a lease can be paid ahead",
    schema: durationSchema,
  }),
  providerGrace: setting<number>({
    placeholder: "TIME",
    default: "0s",
    description: "How long a lease is kept, paused, when its time is over and nobody topped it up",
    schema: durationSchema,
  }),
  providerLeasesPerKey: setting<number>({
    placeholder: "COUNT",
    default: String(DEFAULT_SETTINGS.leasesPerKeyMax),
    description: "Most leases of one key at a time",
    schema: integerSchema(1, 10_000),
  }),
  providerCpu: setting<number | undefined>({
    placeholder: "MILLICORES",
    default: undefined,
    description: "Most thousandths of a core for all leases together (default what there is)",
    schema: integerSchema(1, 100_000_000),
  }),
  providerMemory: setting<number | undefined>({
    placeholder: "SIZE",
    default: undefined,
    description: "Most memory for all leases together (default what there is)",
    schema: bytesSchema,
  }),
  providerDisk: setting<number | undefined>({
    placeholder: "SIZE",
    default: undefined,
    description: "Most disk for all leases together (default what there is)",
    schema: bytesSchema,
  }),
  providerImageMax: setting<number>({
    placeholder: "SIZE",
    default: "10GiB",
    description: "Most disk of one image, unpacked; it is not counted as its lease's",
    schema: bytesSchema,
  }),
  providerBandwidth: setting<number | undefined>({
    placeholder: "SIZE",
    default: undefined,
    description: "Most bytes per second of one lease, each way (default the engine's)",
    schema: bytesSchema,
  }),
  providerNameServer: setting<readonly string[]>({
    placeholder: "IP",
    default: [],
    description: "Public resolvers of names that leases may ask (default the engine's)",
    schema: listSchema(ipAddressSchema),
    isList: true,
  }),
  providerImages: setting<readonly ImageRule[]>({
    placeholder: "RULE",
    default: [],
    description:
      "Images that lessees may start: the start of a name such as docker.io/library/, or a digest; " +
      "with ! in front, those they may not (default all but those)",
    schema: listSchema(imageRuleSchema),
    isList: true,
  }),
  providerRegistry: setting<readonly string[]>({
    placeholder: "REGISTRY",
    default: PUBLIC_REGISTRIES,
    description:
      "Registries that a lessee's image may be brought from, over HTTPS, without any login of ours",
    schema: listSchema(registrySchema),
    isList: true,
  }),
  providerHttp: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Lend over HTTP, too, and listen here; off unless given",
    schema: hostPortSchema,
  }),
  providerHttpUrl: setting<string | undefined>({
    placeholder: "URL",
    default: undefined,
    description: "Where lessees reach --provider-http, told in offers",
    schema: httpUrlSchema,
  }),
} as const;
