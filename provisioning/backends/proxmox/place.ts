/** A node of Proxmox as settings name it: one address, and one file with what opens it. Pure. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { ProxmoxOptions } from "./backend.ts";

/** What an address says. */
export type ProxmoxPlace = Pick<
  ProxmoxOptions,
  "url" | "node" | "storage" | "templateStorage" | "bridge" | "network"
>;

const EXAMPLE = "https://pve.lan:8006/nodes/pve?storage=local-lvm";

/**
 * Reads `https://HOST:8006/nodes/NODE?storage=…`, with `templates`, `bridge` and `network` where they are not
 * `local`, `vmbr0` and `10.213`.
 *
 * @throws {SeedmintError} `usage`.
 */
export function readPlace(address: string): ProxmoxPlace {
  const url = URL.parse(address);
  const [, node] = /^\/nodes\/([A-Za-z0-9][A-Za-z0-9-]*)\/?$/.exec(url?.pathname ?? "") ?? [];
  const { storage, templates = "local", bridge, network, ...others } = Object.fromEntries(
    url?.searchParams ?? [],
  );
  const names = [storage ?? "", templates, bridge ?? "vmbr0"];
  const isGood = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    names.every((name) => /^[A-Za-z][A-Za-z0-9_.-]*$/.test(name)) &&
    /^\d{1,3}\.\d{1,3}$/.test(network ?? "10.213") && Object.keys(others).length === 0;
  if (!isGood || node === undefined) {
    throw new SeedmintError(
      "usage",
      `Cannot find Proxmox by ${address.slice(0, 200)}: an address such as ${EXAMPLE} is wanted`,
    );
  }
  return {
    ...{ url: url.origin, node, storage: storage!, templateStorage: templates },
    ...(bridge === undefined ? {} : { bridge }),
    ...(network === undefined ? {} : { network }),
  };
}

/** Reads a file with an API token, and behind it, if there is one, the authority's certificate. */
export function readKey(text: string): Pick<ProxmoxOptions, "token" | "authority"> {
  const [token = "", ...lines] = text.trim().split("\n");
  const authority = lines.join("\n").trim();
  return { token: token.trim(), ...(authority === "" ? {} : { authority }) };
}
