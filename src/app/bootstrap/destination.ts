/** Which host is meant. */
import { SeedmintError } from "../../core/errors.ts";

/** A host as `ssh` is told it. */
export interface Destination {
  /** Name, address, or an alias of the operator's own ssh configuration. */
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
}

const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})$/;
const IPV6 = /^[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?$/;

/**
 * Reads `[USER@]HOST[:PORT]`; an IPv6 address with a port stands in brackets. What could be taken for a
 * flag of `ssh`, or for more than a name, is refused.
 *
 * @throws {SeedmintError} `usage`
 */
export function parseDestination(text: string): Destination {
  const at = text.lastIndexOf("@");
  const user = at < 0 ? undefined : text.slice(0, at);
  const rest = text.slice(at + 1);
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(rest);
  const isBareIpv6 = bracketed === null && rest.split(":").length > 2;
  const plain = /^([^:]*)(?::(\d{1,5}))?$/.exec(rest);
  const host = bracketed?.[1] ?? (isBareIpv6 ? rest : plain?.[1]) ?? "";
  const portText = bracketed?.[2] ?? (isBareIpv6 ? undefined : plain?.[2]);
  const port = portText === undefined ? undefined : Number(portText);
  const isHost = host.includes(":") ? IPV6.test(host) : NAME.test(host);
  const isPort = port === undefined || (port >= 1 && port <= 65_535);
  if (!isHost || !isPort || (user !== undefined && !USER.test(user))) {
    throw new SeedmintError(
      "usage",
      "Cannot set up this host: [USER@]HOST[:PORT] wanted, such as root@node7.example.org",
    );
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

/** For people. */
export function shownDestination({ host, user, port }: Destination): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${user === undefined ? "" : `${user}@`}${name}${port === undefined ? "" : `:${port}`}`;
}

/** How files of known hosts name it. */
export function knownHostName({ host, port }: Destination): string {
  return port === undefined || port === 22 ? host : `[${host}]:${port}`;
}
