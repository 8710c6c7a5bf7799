/**
 * Four hosts on one switch, each a network of its own: whoever runs this is the lessee's; the others are
 * the provider's, the relay's and the mints'. Development mints listen on loopback only, so each host's
 * loopback has their ports, and what arrives there goes over the switch.
 */
import { commandOutput } from "../registry/lab.ts";

/** Hosts besides this one. */
export type Host = "provider" | "relay" | "mints";

/** Addresses on the switch. */
export const ADDRESSES: Readonly<Record<Host | "lessee", string>> = {
  lessee: "10.88.0.1",
  provider: "10.88.0.2",
  relay: "10.88.0.3",
  mints: "10.88.0.4",
};

/** Ports of the host of mints that each loopback has, too. */
export const MINT_PORTS = { first: 7780, last: 7799 } as const;

const LINK = "net0";
const SWITCH = "switch";

/** Makes the hosts; they are gone with the mounts and processes of this lab. */
export async function makeHosts(): Promise<void> {
  await ip("netns", "attach", "lessee", String(Deno.pid));
  await ip("netns", "add", SWITCH);
  await ip("-n", SWITCH, "link", "add", "br0", "type", "bridge");
  await ip("-n", SWITCH, "link", "set", "br0", "up");
  for (const [host, address] of Object.entries(ADDRESSES)) {
    if (host !== "lessee") await ip("netns", "add", host);
    const peer = ["peer", "name", host, "netns", SWITCH];
    await ip("-n", host, "link", "add", LINK, "type", "veth", ...peer);
    await ip("-n", SWITCH, "link", "set", host, "master", "br0", "up");
    await ip("-n", host, "address", "add", `${address}/24`, "dev", LINK);
    for (const link of ["lo", LINK]) await ip("-n", host, "link", "set", link, "up");
  }
  const ports = `tcp dport ${MINT_PORTS.first}-${MINT_PORTS.last}`;
  for (const host of ["lessee", "provider", "mints"]) {
    const rules = host === "mints"
      ? `chain in { type nat hook prerouting priority -100; iifname ${LINK} ${ports} dnat to 127.0.0.1; };`
      : `chain out { type nat hook output priority -100; ip daddr 127.0.0.1 ${ports} dnat to ${ADDRESSES.mints}; };
         chain post { type nat hook postrouting priority 100; ip daddr ${ADDRESSES.mints} ${ports} masquerade; };`;
    await inHost(host, "sh", "-c", 'echo 1 > "$0"', `/proc/sys/net/ipv4/conf/all/route_localnet`);
    await inHost(host, "nft", `table ip mints { ${rules} }`);
  }
}

/** What makes a program one of a host's. */
export function enter(host: Host): readonly string[] {
  return ["nsenter", `--net=/run/netns/${host}`];
}

/** Runs a program on a host to its end. @returns What it printed. */
export async function inHost(host: string, ...argv: readonly string[]): Promise<string> {
  return await commandOutput("nsenter", [`--net=/run/netns/${host}`, ...argv]);
}

/** Pulls the plug of a host, or puts it back. */
export async function setLink(host: Host, state: "up" | "down"): Promise<void> {
  await ip("-n", SWITCH, "link", "set", host, state);
}

/** Has the provider's host swallow what goes to these ports, until the returned function is called. */
export async function swallow(first: number, last: number): Promise<() => Promise<void>> {
  const hooks = ["prerouting", "output"].map((hook) =>
    `chain ${hook} { type filter hook ${hook} priority -300; tcp dport ${first}-${last} drop; };`
  );
  await inHost("provider", "nft", `table ip swallow { ${hooks.join(" ")} }`);
  return async () => {
    await inHost("provider", "nft", "delete table ip swallow");
  };
}

async function ip(...args: string[]): Promise<void> {
  await commandOutput("ip", args);
}
