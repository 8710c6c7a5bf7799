/** Addresses and packet rules of a lease. Pure; nft and ip apply them. */
import type { PublishedPort } from "../../ports.ts";
import { SSH_PORT_INSIDE } from "./inside.ts";
import {
  BANDWIDTH_BYTES_PER_S,
  CONNECTIONS_MAX,
  NEW_CONNECTIONS_BURST,
  NEW_CONNECTIONS_PER_S,
} from "./limits.ts";

/** Where a lease is on the host's network: a link of its own with two addresses. */
export interface LeaseLink {
  /** The host's end. */
  readonly device: string;
  /** The lease's packet rules. */
  readonly table: string;
  /** The host's address on the link. */
  readonly gateway: string;
  /** The lease's address. */
  readonly address: string;
}

/** What of a lease is published on the host. */
export interface PublishedPorts {
  /** Of its SSH server. */
  readonly hostPort: number;
  readonly ports: readonly PublishedPort[];
}

/** What is sent to leases' ends is meant for them, what comes from there is theirs. */
export const DEVICE_PREFIX = "smv";

/** 10.212.0.0/14 has one link of four addresses for each port of the host. */
const FIRST_ADDRESS = (10 << 24) | (212 << 16);

/** IANA's special-purpose registry: private, shared, link-local (clouds' metadata), test, multicast, reserved. */
export const CLOSED_RANGES: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

/** Mail between servers and its submission: what spam goes through. */
export const CLOSED_PORTS: readonly number[] = [25, 465, 587, 2525];

/** The lease is told, so that its programs fail at once instead of waiting. */
const REFUSED = "reject with icmpx type admin-prohibited";

/** The link of the lease whose SSH is published on `hostPort`: no two leases of a host share one. */
export function leaseLink(hostPort: number): LeaseLink {
  const base = FIRST_ADDRESS + hostPort * 4;
  const dotted = (value: number) =>
    [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
  return {
    device: `${DEVICE_PREFIX}${hostPort}`,
    table: `seedmint_${hostPort}`,
    gateway: dotted(base + 1),
    address: dotted(base + 2),
  };
}

/** What `ip -batch` makes on the host: the link, its other end in the namespace of `pid`. */
export function hostLinkBatch(link: LeaseLink, pid: number): string {
  return [
    `link add ${link.device} type veth peer name eth0 netns ${pid}`,
    `link set ${link.device} addrgenmode none`,
    `address add ${link.gateway}/30 dev ${link.device}`,
    `link set ${link.device} up`,
    "",
  ].join("\n");
}

/** What `ip -batch` makes inside. */
export function insideLinkBatch(link: LeaseLink): string {
  return [
    "link set lo up",
    `address add ${link.address}/30 dev eth0`,
    "link set eth0 up",
    `route add default via ${link.gateway}`,
    "",
  ].join("\n");
}

/** The rules of one lease, in a table of its own that replaces any earlier one at once. */
export function leaseRules(
  link: LeaseLink,
  published: PublishedPorts,
  options: { readonly bandwidthBytesPerS?: number } = {},
): string {
  const { device, table, address } = link;
  const rate = Math.ceil((options.bandwidthBytesPerS ?? BANDWIDTH_BYTES_PER_S) / 1024);
  const tooMuch = `limit rate over ${rate} kbytes/second burst ${rate} kbytes drop`;
  const tooFast =
    `ct state new limit rate over ${NEW_CONNECTIONS_PER_S}/second burst ${NEW_CONNECTIONS_BURST} packets drop`;
  const tooMany = `ct state new ct count over ${CONNECTIONS_MAX} drop`;
  const redirects = [
    { hostPort: published.hostPort, containerPort: SSH_PORT_INSIDE, protocol: "tcp" },
    ...published.ports,
  ].map(({ hostPort, containerPort, protocol }) =>
    `fib daddr type local ${protocol} dport ${hostPort} dnat ip to ${address}:${containerPort}`
  );
  return `table inet ${table} {}
delete table inet ${table}
table inet ${table} {
  set closed { type ipv4_addr; flags interval; elements = { ${CLOSED_RANGES.join(", ")} } }
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${device}" return
    ${redirects.join("\n    ")}
  }
  chain local {
    type nat hook output priority -100; policy accept;
    ${redirects.join("\n    ")}
  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${address} oifname != "${device}" masquerade
    oifname "${device}" ip saddr 127.0.0.0/8 masquerade
  }
  chain input {
    type filter hook input priority filter - 5; policy accept;
    iifname "${device}" ct state established,related accept
    iifname "${device}" ${REFUSED}
  }
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
    iifname "${device}" jump outward
    oifname "${device}" jump inward
  }
  chain outward {
    ip saddr != ${address} drop
    meta nfproto ipv6 drop
    ${tooMuch}
    ct state established,related accept
    ct state invalid drop
    ip daddr @closed ${REFUSED}
    tcp dport { ${CLOSED_PORTS.join(", ")} } ${REFUSED}
    ${tooFast}
    ${tooMany}
    accept
  }
  chain inward {
    ${tooMuch}
    ct state established,related accept
    ct status dnat ${tooFast}
    ct status dnat ${tooMany}
    ct status dnat accept
    drop
  }
}
`;
}

/** What removes a lease's rules, whether they are there or not. */
export function noRules(link: LeaseLink): string {
  return `table inet ${link.table} {}\ndelete table inet ${link.table}\n`;
}

/** The table of {@link GUARD_RULES}. */
export const GUARD_TABLE = "seedmint_guard";

/** Keeps a host that forwarded nothing before from forwarding for others than leases. */
export const GUARD_RULES = `table inet ${GUARD_TABLE} {}
delete table inet ${GUARD_TABLE}
table inet ${GUARD_TABLE} {
  chain forward {
    type filter hook forward priority filter - 6; policy accept;
    iifname "${DEVICE_PREFIX}*" accept
    oifname "${DEVICE_PREFIX}*" accept
    drop
  }
}
`;
