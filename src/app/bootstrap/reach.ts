/** Getting to know a host: the files that say which key it has, and the name that others reach it by. */
import { join } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import { mustRun } from "../../../provisioning/machine/mod.ts";
import { openDataDirectory } from "../identity.ts";
import { type Destination, knownHostName, shownDestination } from "./destination.ts";
import { type OfferedKey, offeredKeys } from "./host_key.ts";
import { LOOK_MS_MAX } from "./limits.ts";

/** The operator's own files of known hosts, and ours. */
export function knownHostFiles(dataDirectory: string): readonly string[] {
  const home = Deno.env.get("HOME");
  const theirs = home === undefined || home === ""
    ? []
    : ["known_hosts", "known_hosts2"].map((name) => join(home, ".ssh", name));
  return [...theirs, ownFile(dataDirectory)];
}

/**
 * Believes the key of a host that has this fingerprint, from now on.
 *
 * @throws {SeedmintError} `conflict` if the host offers no such key.
 */
export async function pinHostKey(
  destination: Destination,
  fingerprint: string,
  options: { readonly dataDirectory: string; readonly signal: AbortSignal },
): Promise<void> {
  const keys = await offeredKeys(destination, options);
  const key = keys.find((one) => one.fingerprint === fingerprint);
  if (key === undefined) {
    throw new SeedmintError(
      "conflict",
      `Cannot trust ${shownDestination(destination)}: it offers no key with that fingerprint, but ${
        keys.map(({ type, fingerprint }) => `${fingerprint} (${type})`).join(", ")
      }; compare again what the host itself shows, since somebody may sit in between`,
    );
  }
  await keep(destination, key, options.dataDirectory);
}

/** The name or address behind what was typed: the operator's ssh configuration may have an alias. */
export async function hostNameOf(
  destination: Destination,
  options: { readonly signal: AbortSignal },
): Promise<string> {
  const text = await mustRun(["ssh", "-G", "--", destination.host], {
    signal: options.signal,
    timeoutMs: LOOK_MS_MAX,
  });
  const name = /^hostname (\S{1,253})$/m.exec(text)?.[1];
  return name ?? destination.host;
}

/** One line for each host and kind of key; another key of that kind is no longer believed. */
async function keep(destination: Destination, key: OfferedKey, directory: string): Promise<void> {
  await openDataDirectory(directory);
  const path = ownFile(directory);
  const before = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  const lead = `${knownHostName(destination)} ${key.type} `;
  const lines = before.split("\n").filter((line) => line !== "" && !line.startsWith(lead));
  await Deno.writeTextFile(path, [...lines, key.line, ""].join("\n"), { mode: 0o600 });
}

function ownFile(dataDirectory: string): string {
  return join(dataDirectory, "known_hosts");
}
