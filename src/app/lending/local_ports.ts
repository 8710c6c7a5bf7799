/** Ports of leases that the machine's own connections may hold when a lease wants them. */
import type { PortRange } from "../../../provisioning/leases/mod.ts";

const FOLDER = "/proc/sys/net/ipv4";

/**
 * The ports of `range` that the kernel gives to connections that this machine opens.
 *
 * @returns undefined if it gives none of them, or does not say.
 */
export async function connectionPorts(range: PortRange): Promise<PortRange | undefined> {
  const [local, reserved] = await Promise.all(
    ["ip_local_port_range", "ip_local_reserved_ports"].map((name) =>
      Deno.readTextFile(`${FOLDER}/${name}`).catch(() => "")
    ),
  );
  return sharedPorts(range, { local: local!, reserved: reserved! });
}

/**
 * The same, from the text of both files: `first<tab>last`, and a list such as `8080,40000-40100`. Pure.
 *
 * @returns The first and the last that both use; undefined if there is none.
 */
export function sharedPorts(
  range: PortRange,
  text: { readonly local: string; readonly reserved: string },
): PortRange | undefined {
  const [localFirst, localLast] = text.local.trim().split(/\s+/).map(Number);
  if (!Number.isInteger(localFirst) || !Number.isInteger(localLast)) return undefined;
  const kept = text.reserved.trim().split(",").filter((part) => part !== "").map((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return { first: first!, last: last! };
  });
  const shared: number[] = [];
  const last = Math.min(range.last, localLast!);
  for (let port = Math.max(range.first, localFirst!); port <= last; port++) {
    if (!kept.some((part) => port >= part.first && port <= part.last)) shared.push(port);
  }
  return shared.length === 0 ? undefined : { first: shared[0]!, last: shared.at(-1)! };
}
