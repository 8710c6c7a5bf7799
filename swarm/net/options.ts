/** What a {@link Libp2pNetwork} is started with. */
import type { Clock } from "../../src/core/ports.ts";
import type { Libp2pOptions } from "../libp2p.ts";
import type { AddressPolicy } from "./addresses.ts";

/** What a relay gives to each of its clients. */
export interface RelayServerOptions {
  /** Bytes per circuit, both ways together; Infinity for no limit. @default {4 GiB} */
  readonly circuitBytesMax?: number;
  /** How long a circuit may last. @default {2 hours} */
  readonly circuitDurationMs?: number;
  /** Peers that may be reached through this relay. @default {128} */
  readonly reservationsMax?: number;
  /** Whether a peer may be reached through this relay; anybody when absent. */
  readonly allow?: (peerId: string) => boolean;
}

/** Options of {@link Libp2pNetwork.start}. */
export interface Libp2pNetworkOptions {
  /** The 32-byte Ed25519 secret that the peer id comes from. */
  readonly secretKey: Uint8Array;
  /** Multiaddrs to listen on; port 0 takes a free one. None: the node only dials. */
  readonly listen: readonly string[];
  readonly clock: Clock;
  /** Multiaddrs under which others reach the node besides those it listens on, as behind a port forward. */
  readonly announceAddrs?: readonly string[];
  /** Whether to find peers on the local network and be found there. */
  readonly mdns: boolean;
  /** Multiaddrs with `/p2p/` of peers to stay connected to. */
  readonly peers?: readonly string[];
  /** Multiaddrs with `/p2p/` of circuit relays to be reached through. */
  readonly relays?: readonly string[];
  /** Whether, and within which limits, to relay for others. @default {false} */
  readonly relayServer?: boolean | RelayServerOptions;
  /** Which of the addresses that strangers give are dialled. Static peers and relays are always. */
  readonly addressPolicy?: AddressPolicy;
  /** @default {300} */
  readonly maxConnections?: number;
  /** Most connections per second from one address. @default {50} */
  readonly inboundConnectionsPerSecondMax?: number;
  /** How often idle connections are pinged. @default {10 000} */
  readonly pingIntervalMs?: number;
  /** What other peers see of the software. @default {"seedmint"} */
  readonly userAgent?: string;
  readonly log?: (level: "debug" | "info" | "warning", message: string, error?: unknown) => void;
  /** Instead of TCP on Deno's sockets; circuits and WebSockets come on top. */
  readonly transports?: NonNullable<Libp2pOptions["transports"]>;
  /** Instead of Noise. */
  readonly connectionEncrypters?: NonNullable<Libp2pOptions["connectionEncrypters"]>;
  /** Instead of Yamux. */
  readonly streamMuxers?: NonNullable<Libp2pOptions["streamMuxers"]>;
}
