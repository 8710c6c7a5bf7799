/** Ports as they stand in requests and answers. */
import type { PublishedPort } from "../ports.ts";
import { asCount, asMembers, asText } from "./json.ts";
import { WIRE_LIMITS } from "./limits.ts";

/** A port that a lessee wants passed through; the provider chooses the one on its host. */
export interface WantedPort {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
  readonly label: string;
}

const PORT_MAX = 65535;

/** Reads `{"container_port","protocol"?,"label"?}`. */
export function readWantedPort(raw: unknown): WantedPort | undefined {
  const members = asMembers(raw);
  const containerPort = asCount(members?.container_port, PORT_MAX);
  if (members === undefined || containerPort === undefined || containerPort === 0) return undefined;
  const protocol = members.protocol ?? "tcp";
  const label = asText(members.label ?? "", WIRE_LIMITS.nameCharsMax);
  if ((protocol !== "tcp" && protocol !== "udp") || label === undefined) return undefined;
  return { containerPort, protocol, label };
}

/** What {@link readWantedPort} reads. */
export function wantedPortMembers(port: WantedPort): Record<string, unknown> {
  return { container_port: port.containerPort, protocol: port.protocol, label: port.label };
}

/** Reads `{"host_port","container_port","protocol","label"}`; another protocol's name means TCP. */
export function readPublishedPort(raw: unknown): PublishedPort | undefined {
  const members = asMembers(raw);
  if (members === undefined) return undefined;
  const hostPort = asCount(members.host_port, PORT_MAX);
  const containerPort = asCount(members.container_port, PORT_MAX);
  const label = asText(members.label, WIRE_LIMITS.nameCharsMax);
  if (hostPort === undefined || containerPort === undefined || label === undefined) {
    return undefined;
  }
  if (typeof members.protocol !== "string") return undefined;
  return { hostPort, containerPort, protocol: members.protocol === "udp" ? "udp" : "tcp", label };
}

/** What {@link readPublishedPort} reads. */
export function publishedPortMembers(port: PublishedPort): Record<string, unknown> {
  return {
    host_port: port.hostPort,
    container_port: port.containerPort,
    protocol: port.protocol,
    label: port.label,
  };
}
