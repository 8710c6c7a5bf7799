/**
 * Whether this host really forwards, to leases and from them. The host's own connections to a published
 * port never pass the hook `forward`, so that they answer where a firewall drops all that comes from
 * outside. Here two packets are sent through: from a link as the world's to one as a lease's, and back.
 * They are counted before and after all chains of that hook.
 *
 * A namespace of its own turns them round: it holds the far ends of both links, and passes on what the
 * host sends to either. It lives as long as a program that reads from us, and the links with it.
 */
import { createSocket } from "node:dgram";
import type { Clock } from "../../../src/core/ports.ts";
import { mustRun } from "../../machine/mod.ts";
import { PROBE_LOOK_MS, PROBE_LOOKS_MAX } from "./limits.ts";
import { leaseLink } from "./network_rules.ts";

/** No lease has a port below 1024, and so none of these addresses; the device has a lease's prefix. */
const LEASE = leaseLink(0);
const WORLD = { ...leaseLink(1), device: "seedmint0" };
/** Somewhere in the world. */
const FAR = "10.212.0.10";

const TABLE = "seedmint_probe";

/** What the host sends to the namespace, and what comes back as if to a published port. */
const SENT_PORT = 9;
const PUBLISHED_PORT = 10;

/** Its text is fixed: forwarding is switched on by who is inside only, and it ends when we do. */
const HOLDER = ["--net", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && exec cat"];

/** On the host: the links, and where the world is. */
function hostBatch(pid: number): string {
  return [
    `link add ${LEASE.device} type veth peer name lease netns ${pid}`,
    `link add ${WORLD.device} type veth peer name world netns ${pid}`,
    ...[LEASE, WORLD].flatMap(({ device, gateway }) => [
      `address add ${gateway}/30 dev ${device}`,
      `link set ${device} up`,
    ]),
    `route add ${FAR}/32 via ${WORLD.address}`,
    "",
  ].join("\n");
}

const INSIDE_BATCH = [
  `address add ${LEASE.address}/30 dev lease`,
  `address add ${WORLD.address}/30 dev world`,
  "link set lease up",
  "link set world up",
  `route add ${FAR}/32 via ${LEASE.gateway}`,
  "",
].join("\n");

/** On the host: a published port, and the counters at both ends of the hook. */
const HOST_RULES = `table inet ${TABLE} {}
delete table inet ${TABLE}
table inet ${TABLE} {
  counter to_first {}
  counter to_last {}
  counter from_first {}
  counter from_last {}
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${WORLD.device}" udp dport ${PUBLISHED_PORT} dnat ip to ${LEASE.address}:${SENT_PORT}
  }
  chain first {
    type filter hook forward priority -400; policy accept;
    iifname "${WORLD.device}" oifname "${LEASE.device}" counter name to_first
    iifname "${LEASE.device}" oifname "${WORLD.device}" counter name from_first
  }
  chain last {
    type filter hook forward priority 1000000; policy accept;
    iifname "${WORLD.device}" oifname "${LEASE.device}" counter name to_last
    iifname "${LEASE.device}" oifname "${WORLD.device}" counter name from_last
  }
}
`;

/** In the namespace: each packet goes back over the link that it came by; what returns ends here. */
const INSIDE_RULES = `table ip turn {
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "world" ip saddr ${WORLD.gateway} udp dport ${SENT_PORT} dnat to ${WORLD.gateway}:${PUBLISHED_PORT}
    iifname "lease" ip saddr ${LEASE.gateway} udp dport ${SENT_PORT} dnat to ${FAR}:${SENT_PORT}
  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    masquerade
  }
}
`;

/**
 * Why leases would not be reached or reach nothing, with what to do. Undefined where all is well, and
 * where it cannot be tried: that is no proof of anything.
 */
export async function forwardingProblem(clock: Clock): Promise<string | undefined> {
  const holder = new Deno.Command("unshare", {
    args: HOLDER,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const [writer, reader] = [holder.stdin.getWriter(), holder.stdout.getReader()];
  let isOurs = false;
  try {
    // It says this back once it is where it should be.
    await writer.write(new Uint8Array([10]));
    if ((await reader.read()).done) return undefined;
    // Refused while another process tries the same.
    await mustRun(["ip", "-batch", "-"], { input: hostBatch(holder.pid) });
    isOurs = true;
    await furnish(holder.pid);
    return problemOf(await countPackets(clock));
  } catch {
    return undefined;
  } finally {
    await writer.close().catch(() => {});
    await reader.cancel().catch(() => {});
    await holder.status;
    if (isOurs) await takeAway();
  }
}

/** The links go with the namespace, though some time later. */
async function takeAway(): Promise<void> {
  const rules = `table inet ${TABLE} {}\ndelete table inet ${TABLE}\n`;
  await Promise.allSettled([
    mustRun(["nft", "-f", "-"], { input: rules }),
    ...[LEASE, WORLD].map(({ device }) => mustRun(["ip", "link", "del", device])),
  ]);
}

async function furnish(pid: number): Promise<void> {
  const inside = (argv: readonly string[], input: string) =>
    mustRun(["nsenter", `--net=/proc/${pid}/ns/net`, ...argv], { input });
  await Promise.all([
    inside(["ip", "-batch", "-"], INSIDE_BATCH),
    inside(["nft", "-f", "-"], INSIDE_RULES),
    mustRun(["nft", "-f", "-"], { input: HOST_RULES }),
    // For these two links alone, whatever the host does otherwise.
    ...[LEASE, WORLD].map(({ device }) =>
      Deno.writeTextFile(`/proc/sys/net/ipv4/conf/${device}/forwarding`, "1")
    ),
  ]);
}

/** Packets by the names of their counters. */
type Counts = Readonly<Record<string, number>>;

async function countPackets(clock: Clock): Promise<Counts> {
  let counts: Counts = {};
  for (let looks = 0; looks < PROBE_LOOKS_MAX; looks++) {
    await Promise.all([send(WORLD.address), send(LEASE.address)]);
    await clock.sleep(PROBE_LOOK_MS);
    counts = countsOf(await mustRun(["nft", "-j", "list", "counters", "table", "inet", TABLE]));
    if ((counts["to_first"] ?? 0) > 0 && (counts["from_first"] ?? 0) > 0) break;
  }
  return counts;
}

async function send(address: string): Promise<void> {
  const socket = createSocket("udp4");
  try {
    const sent = Promise.withResolvers<void>();
    socket.once("error", sent.reject);
    socket.send("seedmint", SENT_PORT, address, (error) => {
      if (error) sent.reject(error);
      else sent.resolve();
    });
    await sent.promise;
  } finally {
    socket.close();
  }
}

function countsOf(json: string): Counts {
  const { nftables } = JSON.parse(json) as {
    readonly nftables: readonly { readonly counter?: { name: string; packets: number } }[];
  };
  return Object.fromEntries(
    nftables.flatMap(({ counter }) =>
      counter === undefined ? [] : [[counter.name, counter.packets]]
    ),
  );
}

/** What counters say. Pure. */
export function problemOf(counts: Counts): string | undefined {
  const isDropped = (way: string) =>
    (counts[`${way}_first`] ?? 0) > 0 && (counts[`${way}_last`] ?? 0) === 0;
  const ways = [
    ...(isDropped("to") ? ["to leases"] : []),
    ...(isDropped("from") ? ["from leases"] : []),
  ];
  if (ways.length === 0) return undefined;
  return `a firewall of this host drops what goes ${
    ways.join(" and ")
  }: let it forward what comes from ` +
    'and goes to the devices smv* (nftables: iifname "smv*" accept and oifname "smv*" accept, before ' +
    "what drops; firewalld: firewall-cmd --permanent --zone=trusted --add-interface=smv+ and --reload)";
}
