/** A node of Proxmox as settings name it: one address, and one file with what opens it. Pure. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { ProxmoxOptions } from "./backend.ts";

/** What an address says. */
export type ProxmoxPlace = Pick<
  ProxmoxOptions,
  "url" | "node" | "storage" | "templateStorage" | "bridge" | "network"
>;

const EXAMPLE = "https://pve.lan:8006/node/pve/storage/local-lvm";

/**
 * Reads `https://HOST:8006/node/NODE/storage/STORAGE`, with `/templates/NAME`, `/bridge/NAME` and
 * `/network/N.N` behind it where they are not `local`, `vmbr0` and `10.213`.
 *
 * @throws {SeedmintError} `usage`.
 */
export function readPlace(address: string): ProxmoxPlace {
  const url = URL.parse(address);
  const parts = (url?.pathname ?? "").split("/").filter((part) => part !== "");
  const pairs = new Map<string, string>();
  for (let index = 0; index < parts.length; index += 2) {
    pairs.set(parts[index]!, parts[index + 1] ?? "");
  }
  const take = (name: string, otherwise: string) => {
    const value = pairs.get(name) ?? otherwise;
    pairs.delete(name);
    return value;
  };
  const node = take("node", "");
  const storage = take("storage", "");
  const templateStorage = take("templates", "local");
  const bridge = take("bridge", "vmbr0");
  const network = take("network", "10.213");
  const isGood = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    [node, storage, templateStorage, bridge].every((name) => /^[A-Za-z0-9][\w.-]*$/.test(name)) &&
    /^\d{1,3}\.\d{1,3}$/.test(network) && pairs.size === 0 && url.search === "";
  if (isGood) return { url: url.origin, node, storage, templateStorage, bridge, network };
  throw new SeedmintError(
    "usage",
    `Cannot find Proxmox by ${address.slice(0, 200)}: an address such as ${EXAMPLE} is wanted`,
  );
}

/** Reads a file with an API token, and behind it, if there is one, the authority's certificate. */
export function readKey(text: string): Pick<ProxmoxOptions, "token" | "authority"> {
  const [token = "", ...lines] = text.trim().split("\n");
  const authority = lines.join("\n").trim();
  return { token: token.trim(), ...(authority === "" ? {} : { authority }) };
}
