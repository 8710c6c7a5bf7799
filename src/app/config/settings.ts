/**
 * Every setting of the node in one table. Flags, `SEEDMINT_*` variables, keys of `seedmint.toml`, the
 * `config` verb, the help texts and docs/operating.md all come from it.
 */
import {
  booleanSchema,
  bytesSchema,
  choiceSchema,
  durationSchema,
  hostPortSchema,
  integerSchema,
  listSchema,
  logLevelSchema,
  loopbackSchema,
  multiaddrSchema,
  peerAddressSchema,
  peerIdSchema,
  publicKeySchema,
  relayUrlSchema,
  textSchema,
} from "./values.ts";
import { GATEWAY_SETTINGS } from "./gateway_settings.ts";
import { LESSEE_SETTINGS } from "./lessee_settings.ts";
import { MCP_SETTINGS } from "./mcp_settings.ts";
import { PROVIDER_SETTINGS } from "./provider_settings.ts";
import { REGISTRY_SETTINGS } from "./registry_settings.ts";
import { type Setting, setting } from "./setting.ts";
import { TRUST_SETTINGS } from "./trust_settings.ts";
import { WALLET_SETTINGS } from "./wallet_settings.ts";

export type { Setting } from "./setting.ts";

/** All settings, in the order in which they are shown. */
export const SETTINGS = {
  data: setting<string>({
    placeholder: "DIR",
    default: undefined,
    description: "Data directory: seed, blobs, control socket (default ~/.local/share/seedmint)",
    schema: textSchema,
  }),
  config: setting<string | undefined>({
    placeholder: "FILE",
    default: undefined,
    description: "Settings file (default seedmint.toml in the data directory, if it is there)",
    schema: textSchema,
  }),
  seed: setting<string | undefined>({
    default: undefined,
    description:
      "The 12 words to derive all keys from, instead of the file seed in the data directory",
    schema: textSchema,
    isSecret: true,
  }),
  listen: setting<readonly string[]>({
    placeholder: "MULTIADDR",
    default: ["/ip4/0.0.0.0/tcp/0"],
    description: "Where peers can connect; name a fixed port on a host behind a firewall",
    schema: listSchema(multiaddrSchema),
    isList: true,
  }),
  announce: setting<readonly string[]>({
    placeholder: "MULTIADDR",
    default: [],
    description: "Addresses to tell others besides those found, such as a forwarded port",
    schema: listSchema(multiaddrSchema),
    isList: true,
  }),
  relay: setting<readonly string[]>({
    placeholder: "WS_URL",
    default: [],
    description: "Nostr relays to find seeders by and to advertise on",
    schema: listSchema(relayUrlSchema),
    isList: true,
  }),
  peer: setting<readonly string[]>({
    placeholder: "MULTIADDR",
    default: [],
    description: "Peers to ask first, each with its /p2p/ part",
    schema: listSchema(peerAddressSchema),
    isList: true,
  }),
  mdns: setting<boolean>({
    default: "yes",
    description: "Find peers on the local network by multicast DNS",
    schema: booleanSchema,
    isSwitch: true,
  }),
  dial: setting<"all" | "public">({
    placeholder: "HOSTS",
    default: "all",
    description:
      "Which hosts that adverts and peers name are connected to: all, or public, which leaves " +
      "out this machine and private networks",
    schema: choiceSchema(["all", "public"]),
  }),
  fleetRelay: setting<readonly string[]>({
    placeholder: "WS_URL",
    default: [],
    description:
      "Nostr relays of the fleet: the only ones that learn of content of visibility fleet",
    schema: listSchema(relayUrlSchema),
    isList: true,
  }),
  advertise: setting<"all" | "collections" | "none">({
    placeholder: "WHAT",
    default: "all",
    description:
      "What the relays are told of: all, collections (and what is tagged or pinned), or none",
    schema: choiceSchema(["all", "collections", "none"]),
  }),
  circuitRelay: setting<readonly string[]>({
    placeholder: "MULTIADDR",
    default: [],
    description: "Circuit relays to be reachable through when this host is behind NAT",
    schema: listSchema(peerAddressSchema),
    isList: true,
  }),
  circuitServer: setting<boolean>({
    default: "no",
    description: "Relay connections for peers behind NAT",
    schema: booleanSchema,
    isSwitch: true,
  }),
  fleet: setting<readonly string[]>({
    placeholder: "PEER_ID",
    default: [],
    description: "Members of the fleet: they may see content of visibility fleet",
    schema: listSchema(peerIdSchema),
    isList: true,
  }),
  fleetKey: setting<string | undefined>({
    placeholder: "HEX",
    default: undefined,
    description: "Ed25519 public key whose certificates make a peer a member of the fleet",
    schema: publicKeySchema,
  }),
  fleetCertificate: setting<string | undefined>({
    placeholder: "FILE",
    default: undefined,
    description: "This node's certificate of the fleet, in hex, shown to peers of the fleet",
    schema: textSchema,
  }),
  quota: setting<number>({
    placeholder: "SIZE",
    default: "50GiB",
    description:
      "Most bytes the store keeps; what is not pinned is evicted, least recently used first",
    schema: bytesSchema,
  }),
  policy: setting<"swarm-first" | "race" | "origin-first" | "swarm-only">({
    placeholder: "POLICY",
    default: "swarm-first",
    description: "When the origin is asked: swarm-first, race, origin-first or swarm-only",
    schema: choiceSchema(["swarm-first", "race", "origin-first", "swarm-only"]),
  }),
  originDelay: setting<number>({
    placeholder: "TIME",
    default: "2s",
    description: "How long the swarm may give nothing before the origin is asked",
    schema: durationSchema,
  }),
  originFloor: setting<number>({
    placeholder: "SIZE",
    default: "256KiB",
    description: "Bytes per second below which the origin joins the swarm; 0 for never",
    schema: bytesSchema,
  }),
  findTimeout: setting<number>({
    placeholder: "TIME",
    default: "5s",
    description: "How long relays and peers are asked who has a blob",
    schema: durationSchema,
  }),
  uploadRate: setting<number>({
    placeholder: "SIZE",
    default: "0",
    description: "Most bytes per second sent to one peer; 0 for no limit",
    schema: bytesSchema,
  }),
  uploadRateAll: setting<number>({
    placeholder: "SIZE",
    default: "0",
    description: "Most bytes per second sent to all peers together; 0 for no limit",
    schema: bytesSchema,
  }),
  connectionsMax: setting<number>({
    placeholder: "COUNT",
    default: "300",
    description: "Most connections to peers",
    schema: integerSchema(4, 100_000),
  }),
  requestsPerPeerMax: setting<number>({
    placeholder: "COUNT",
    default: "32",
    description: "Most requests of one peer served at a time",
    schema: integerSchema(1, 4096),
  }),
  direct: setting<"off" | "public" | "trusted">({
    placeholder: "MODE",
    default: "public",
    description:
      "Let bytes flow over plain HTTP, too: off, public content only, or all on a trusted network",
    schema: choiceSchema(["off", "public", "trusted"]),
  }),
  directListen: setting<{ hostname: string; port: number }>({
    placeholder: "HOST:PORT",
    default: "0.0.0.0:0",
    description: "Where the plain HTTP port listens; 0 takes any free port",
    schema: hostPortSchema,
  }),
  ...WALLET_SETTINGS,
  ...GATEWAY_SETTINGS,
  ...REGISTRY_SETTINGS,
  ...PROVIDER_SETTINGS,
  ...LESSEE_SETTINGS,
  ...MCP_SETTINGS,
  ...TRUST_SETTINGS,
  relayListen: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Run a Nostr relay of this node's own here, and use it",
    schema: hostPortSchema,
  }),
  relayMember: setting<readonly string[]>({
    placeholder: "HEX",
    default: [],
    description:
      "Nostr public keys that may use this node's own relay; everybody when none is named",
    schema: listSchema(publicKeySchema),
    isList: true,
  }),
  controlListen: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Serve control on loopback TCP too; the bearer token is the file control.token",
    schema: loopbackSchema,
  }),
  metricsListen: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Serve /metrics for Prometheus here, on loopback and without a token",
    schema: loopbackSchema,
  }),
  stopDeadline: setting<number>({
    placeholder: "TIME",
    default: "5s",
    description: "How long a clean stop may take",
    schema: durationSchema,
  }),
  logLevel: setting<import("./values.ts").LogLevels>({
    placeholder: "LEVEL",
    default: "info",
    description: "trace, debug, info, warning or error; by category: info,net=debug",
    schema: logLevelSchema,
  }),
  logFormat: setting<"pretty" | "json">({
    placeholder: "FORMAT",
    default: "pretty",
    description: "Logs on stderr for people (pretty) or for machines (json)",
    schema: choiceSchema(["pretty", "json"]),
  }),
} as const;

/** Name of a setting as the program uses it. */
export type SettingName = keyof typeof SETTINGS;

/** The value of every setting. */
export type Config = {
  readonly [Name in SettingName]: typeof SETTINGS[Name] extends Setting<infer T> ? T : never;
};

/** All names, in the order of the table. */
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** `relay-listen`: the flag without its dashes, and the key in `seedmint.toml`. */
export function keyOf(name: SettingName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `SEEDMINT_RELAY_LISTEN`. */
export function variableOf(name: SettingName): string {
  return `SEEDMINT_${keyOf(name).replaceAll("-", "_").toUpperCase()}`;
}

/** The row of `name`, its value type set aside. */
export function settingOf(name: SettingName): Setting<unknown> {
  return SETTINGS[name] as Setting<unknown>;
}
