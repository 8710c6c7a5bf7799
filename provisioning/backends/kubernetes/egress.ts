/** Where a lease may go on the network, and who may come in. Pure. */
import type { InstanceSpec } from "../../ports.ts";
import { CLOSED_PORTS, CLOSED_RANGES, SSH_PORT_INSIDE } from "../host/mod.ts";
import type { V1NetworkPolicy, V1NetworkPolicyPort } from "./client_node.d.ts";
import { NAME } from "./objects.ts";

/** Ranges of ports can be named since 1.22 (`NetworkPolicyEndPort`); older servers drop the end silently. */
export const PORT_RANGES_MINOR = 22;

/** More ranges that leases may not reach: the provider's own public networks. */
export interface PolicyOptions {
  readonly closedRanges?: readonly string[];
  /** The second part of the API server's version. */
  readonly minor: number;
}

/**
 * Lets a lease reach public addresses of IPv4 but no mail server, and be reached through its published
 * ports. A network plugin that knows policies has to hold it.
 */
export function policyObject(
  spec: Pick<InstanceSpec, "ports">,
  options: PolicyOptions,
): V1NetworkPolicy {
  const except = [...CLOSED_RANGES, ...options.closedRanges ?? []];
  const ports = options.minor >= PORT_RANGES_MINOR ? { ports: openPorts() } : {};
  return {
    metadata: { name: NAME },
    spec: {
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [{
        ports: [
          { protocol: "TCP", port: SSH_PORT_INSIDE },
          ...spec.ports.map(({ containerPort, protocol }) => ({
            protocol: protocol.toUpperCase(),
            port: containerPort,
          })),
        ],
      }],
      egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except } }], ...ports }],
    },
  };
}

/** All ports but the closed ones: policies can allow only. */
function openPorts(): V1NetworkPolicyPort[] {
  const open: V1NetworkPolicyPort[] = [{ protocol: "UDP", port: 1, endPort: 65_535 }];
  let from = 1;
  for (const closed of [...CLOSED_PORTS, 65_536]) {
    open.push({ protocol: "TCP", port: from, endPort: closed - 1 });
    from = closed + 1;
  }
  return open;
}
