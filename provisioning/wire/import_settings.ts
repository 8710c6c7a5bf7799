/**
 * Settings of a Paygress provider, read so that its owner can go on with ours: the environment file of
 * its first versions (`.env` with `POD_SPECS` or `POD_SPECS_FILE`), the file of tiers (`pod-specs.json`),
 * and the JSON configuration of the later ones. Reading files is the caller's.
 */
import { nostrSecretKeyOf } from "../../src/nostr/nostr.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { asCount, asMembers, type Members } from "./json.ts";
import { canonicalMint } from "./mint_url.ts";
import { readPodSpecs, specsOf } from "./pod_specs.ts";
import type { Spec } from "./spec.ts";

/** What could be read. Members that are absent were not said. */
export interface ImportedSettings {
  readonly name?: string;
  readonly location?: string;
  /** The address that lessees connect to. */
  readonly publicHost?: string;
  readonly relays?: readonly string[];
  readonly mints?: readonly string[];
  readonly specs?: readonly Spec[];
  readonly minDurationS?: number;
  readonly sshPorts?: { readonly first: number; readonly last: number };
  /** The image of a lease that names none. */
  readonly baseImage?: string;
  /** `host:port` of the HTTP mode. */
  readonly httpBind?: string;
  readonly capabilities?: readonly string[];
  /** The provider's Nostr secret, 32 bytes: whoever takes it over keeps the provider's name. Secret. */
  readonly secretKey?: Uint8Array;
  /** Sentences about what was said and could not be taken over; none repeats a value. */
  readonly warnings: readonly string[];
}

/** What is written into `imported`, step by step. */
type Draft = { -readonly [K in keyof ImportedSettings]: ImportedSettings[K] } & {
  warnings: string[];
};

const FILE_CHARS_MAX = 256 * 1024;
const LIST_MAX = 32;

/** The file that `POD_SPECS_FILE` names, for {@link importEnv}; undefined if there is none. */
export function podSpecsFileOf(variables: ReadonlyMap<string, string>): string | undefined {
  const path = variables.get("POD_SPECS_FILE")?.trim();
  return path === "" || variables.get("POD_SPECS")?.trim() ? undefined : path;
}

/**
 * Takes over the settings of an environment file.
 *
 * @param options `podSpecs`: the text of the file that {@link podSpecsFileOf} names.
 * @throws {SeedmintError} `invalid` if the tiers cannot be read.
 */
export function importEnv(
  variables: ReadonlyMap<string, string>,
  options: { readonly podSpecs?: string } = {},
): ImportedSettings {
  const draft: Draft = { warnings: [] };
  const text = (name: string) => variables.get(name)?.trim() || undefined;
  const specs = text("POD_SPECS") ?? options.podSpecs;
  if (specs !== undefined) draft.specs = readPodSpecs(specs);
  else if (text("POD_SPECS_FILE") !== undefined) {
    draft.warnings.push("The file of tiers is missing");
  } else takeSingleRate(draft, text("PAYMENT_RATE_MSATS_PER_SEC"));
  takeList(draft, "relays", text("NOSTR_RELAYS")?.split(","), asRelay);
  takeList(draft, "mints", text("WHITELISTED_MINTS")?.split(","), canonicalMint);
  takeCount(draft, "minDurationS", text("MINIMUM_POD_DURATION_SECONDS"));
  takePorts(draft, text("SSH_PORT_RANGE_START"), text("SSH_PORT_RANGE_END"));
  const host = text("SSH_HOST");
  if (host !== undefined && isPlaceholder(host)) {
    draft.warnings.push("SSH_HOST was never filled in");
  } else if (host !== undefined) draft.publicHost = host;
  const image = text("BASE_IMAGE");
  if (image !== undefined) draft.baseImage = image;
  const bind = text("BIND_ADDR");
  if (bind !== undefined) draft.httpBind = bind;
  takeSecretKey(draft, text("NOSTR_PRIVATE_KEY"));
  return draft;
}

/**
 * Takes over the settings of a JSON configuration.
 *
 * @throws {SeedmintError} `invalid` if it is no JSON object, or its tiers cannot be read.
 */
export function importConfig(text: string): ImportedSettings {
  let members: Members | undefined;
  try {
    members = text.length <= FILE_CHARS_MAX ? asMembers(JSON.parse(text)) : undefined;
  } catch {
    members = undefined;
  }
  if (members === undefined) {
    throw new SeedmintError(
      "invalid",
      "Cannot take over this configuration: it is no JSON object; name the provider's own file",
    );
  }
  const draft: Draft = { warnings: [] };
  const string = (name: string) => {
    const value = members[name];
    return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
  };
  const list = (name: string) => {
    const value = members[name];
    return Array.isArray(value) ? value.map(String) : undefined;
  };
  if (members.specs !== undefined) draft.specs = specsOf(members.specs);
  takeList(draft, "relays", list("nostr_relays"), asRelay);
  takeList(draft, "mints", list("whitelisted_mints"), canonicalMint);
  takeList(draft, "capabilities", list("capabilities"), (word) => word);
  takeCount(draft, "minDurationS", members.minimum_duration_seconds);
  takePorts(draft, members.ssh_port_start, members.ssh_port_end);
  for (
    const [name, key] of [
      ["provider_name", "name"],
      ["provider_location", "location"],
      ["public_ip", "publicHost"],
      ["http_bind_addr", "httpBind"],
    ] as const
  ) {
    const value = string(name);
    if (value !== undefined) draft[key] = value;
  }
  takeSecretKey(draft, string("nostr_private_key"));
  return draft;
}

/** The very first versions knew one rate and no tiers. */
function takeSingleRate(draft: Draft, text: string | undefined): void {
  if (text === undefined) return;
  const rate = wholeNumber(text);
  if (rate === undefined || rate === 0) {
    draft.warnings.push("PAYMENT_RATE_MSATS_PER_SEC is no rate above 0");
    return;
  }
  draft.specs = [{
    id: "basic",
    name: "Basic",
    description: "1 vCPU, 1GB RAM",
    cpuMillicores: 1000,
    memoryMb: 1024,
    rateMsatPerS: rate,
  }];
}

function takeList(
  draft: Draft,
  key: "relays" | "mints" | "capabilities",
  items: readonly string[] | undefined,
  read: (item: string) => string | undefined,
): void {
  if (items === undefined) return;
  const wanted = items.map((item) => item.trim()).filter((item) => item !== "");
  const taken = [...new Set(wanted.map(read).filter((item) => item !== undefined))];
  if (taken.length < new Set(wanted).size || taken.length > LIST_MAX) {
    draft.warnings.push(`Some of the ${key} were left out: not readable, twice, or too many`);
  }
  if (taken.length > 0) draft[key] = taken.slice(0, LIST_MAX);
}

function takeCount(draft: Draft, key: "minDurationS", value: unknown): void {
  if (value === undefined) return;
  const count = wholeNumber(value);
  if (count === undefined) {
    draft.warnings.push("The minimum duration is no whole number of seconds");
  } else draft[key] = count;
}

function takePorts(draft: Draft, start: unknown, end: unknown): void {
  if (start === undefined && end === undefined) return;
  const first = wholeNumber(start);
  const last = wholeNumber(end);
  if (first === undefined || last === undefined || first === 0 || last < first || last > 65535) {
    draft.warnings.push("The range of SSH ports is none within 1 to 65535");
    return;
  }
  draft.sshPorts = { first, last };
}

function takeSecretKey(draft: Draft, text: string | undefined): void {
  if (text === undefined || isPlaceholder(text)) return;
  const secretKey = nostrSecretKeyOf(text);
  if (secretKey === undefined) {
    draft.warnings.push("The Nostr secret is neither nsec1… nor 64 hex digits");
  } else draft.secretKey = secretKey;
}

/** What the templates hold before somebody fills them in. */
function isPlaceholder(text: string): boolean {
  return /^YOUR_|_HERE$/.test(text);
}

function asRelay(text: string): string | undefined {
  return /^wss?:\/\/[^\s@]+$/.test(text) ? text : undefined;
}

function wholeNumber(value: unknown): number | undefined {
  if (typeof value === "string") return /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
  return asCount(value);
}
