/** Builds the libp2p node that {@link Libp2pNetwork} runs on: which parts, within which limits. */
import {
  type Connection,
  createLibp2p,
  generateKeyPairFromSeed,
  identify,
  identifyPush,
  type Libp2p,
  type Libp2pOptions,
  loadCircuitRelay,
  loadDcutr,
  loadMdns,
  loadWebSockets,
  partsOf,
  type PeerId,
  type PeerInfo,
  ping,
  type Stream,
  type Transport,
} from "../libp2p.ts";
import { assert } from "../../src/core/assert.ts";
import { isStrict, usableAddresses } from "./addresses.ts";
import { denoTcp, fastNoise, fastYamux } from "./fast/mod.ts";
import {
  CIRCUIT_BYTES_MAX,
  CIRCUIT_DURATION_MS,
  CONNECTION_STREAMS_MAX,
  CONNECTIONS_MAX,
  DIAL_ADDRESS_TIMEOUT_MS,
  DIAL_TIMEOUT_MS,
  EARLY_STREAMS_MAX,
  INBOUND_CONNECTIONS_PER_SECOND_MAX,
  INBOUND_PENDING_MAX,
  INBOUND_UPGRADE_TIMEOUT_MS,
  MDNS_INTERVAL_MS,
  NEGOTIATION_TIMEOUT_MS,
  OUTBOUND_STREAMS_MAX,
  RELAY_RESERVATIONS_MAX,
  STREAM_WINDOW_BYTES_MAX,
} from "./limits.ts";
import type { Libp2pNetworkOptions, RelayServerOptions } from "./options.ts";
import { isPeerId } from "./peer_id.ts";
import { quietLogger } from "./quiet_logger.ts";
import { boundCircuits } from "./relay_server.ts";

/** The name that nodes of this network look for on the local one, apart from other libp2p programs. */
const MDNS_SERVICE = "_seedmint._udp.local";

/** The circuit transport, as far as reservations go. */
export interface CircuitTransport extends Transport {
  readonly reservationStore: {
    addRelay(peerId: PeerId, type: "configured"): Promise<unknown>;
    hasReservation(peerId: PeerId): boolean;
  };
  onStop(stream: Stream, connection: Connection): Promise<void>;
}

/** A node that is not started yet. */
export interface BuiltNode {
  readonly node: Libp2p;
  readonly circuitTransport: CircuitTransport;
}

/** @param onFound Called for each answer on the local network. */
export async function buildNode(
  options: Libp2pNetworkOptions,
  onFound: (peer: PeerInfo) => void,
): Promise<BuiltNode> {
  const [privateKey, circuit, services, webSockets] = await Promise.all([
    generateKeyPairFromSeed("Ed25519", options.secretKey),
    loadCircuitRelay(),
    buildServices(options, onFound),
    options.listen.some((address) => /\/wss?(\/|$)/.test(address)) ? loadWebSockets() : undefined,
  ]);
  let circuitTransport: CircuitTransport | undefined;
  const node = await createLibp2p({
    start: false,
    privateKey,
    logger: quietLogger(errorLog(options)),
    nodeInfo: { name: "seedmint", userAgent: options.userAgent ?? "seedmint" },
    addresses: {
      listen: [...options.listen],
      appendAnnounce: [...(options.announceAddrs ?? [])],
    },
    transports: [
      ...(options.transports ?? [denoTcp({ clock: options.clock })]),
      (components) => {
        circuitTransport = refuseUnknownRelays(
          circuit.circuitRelayTransport()(components) as CircuitTransport,
        );
        return circuitTransport;
      },
      ...(webSockets === undefined ? [] : [webSockets.webSockets()]),
    ],
    connectionEncrypters: options.connectionEncrypters ?? [fastNoise()],
    streamMuxers: options.streamMuxers ?? [fastYamux({
      clock: options.clock,
      inboundStreamCountMax: CONNECTION_STREAMS_MAX,
      outboundStreamCountMax: CONNECTION_STREAMS_MAX,
      earlyStreamCountMax: EARLY_STREAMS_MAX,
      windowBytesMax: STREAM_WINDOW_BYTES_MAX,
    })],
    services,
    connectionGater: gater(options),
    // Ours looks at traffic before it calls a connection dead: see connection_monitor.ts.
    connectionMonitor: { enabled: false },
    connectionManager: connectionLimits(options),
  });
  return { node, circuitTransport: circuitTransport! };
}

async function buildServices(
  options: Libp2pNetworkOptions,
  onFound: (peer: PeerInfo) => void,
): Promise<NonNullable<Libp2pOptions["services"]>> {
  const { dcutr } = await loadDcutr();
  const services: NonNullable<Libp2pOptions["services"]> = {
    identify: identify({ maxInboundStreams: 4, maxOutboundStreams: 4 }),
    identifyPush: identifyPush({ maxInboundStreams: 4, maxOutboundStreams: 4 }),
    ping: ping({ maxInboundStreams: 8, maxOutboundStreams: 8 }),
    dcutr: dcutr(),
  };
  const relayServer = relayServerOf(options);
  if (relayServer !== undefined) {
    const { circuitRelayServer } = await loadCircuitRelay();
    const create = circuitRelayServer(relayLimits(relayServer));
    services["relayServer"] = (components) => boundCircuits(create(components as never));
  }
  if (options.mdns && mayMulticast(options)) {
    const { mdns } = await loadMdns();
    const create = mdns({ serviceTag: MDNS_SERVICE, interval: MDNS_INTERVAL_MS });
    services["mdns"] = (components) => {
      // Kept out of libp2p's own discovery, which would store whatever the local network claims.
      const service = create(components) as unknown as MdnsService;
      service.addEventListener("peer", (event) => onFound(event.detail));
      return { start: () => service.start(), stop: () => service.stop() };
    };
  }
  return services;
}

/** Whom and where libp2p may not reach, even when it does so by itself. */
function gater(options: Libp2pNetworkOptions): NonNullable<Libp2pOptions["connectionGater"]> {
  const { addressPolicy } = options;
  const relayServer = relayServerOf(options);
  return {
    // DCUtR and the relays of circuits take addresses from strangers as well.
    denyDialMultiaddr: (address) => {
      const text = address.toString();
      const peerId = text.slice(text.lastIndexOf("/p2p/") + "/p2p/".length);
      const isHiddenByName = isStrict(addressPolicy ?? {}) && text.startsWith("/dns");
      return isHiddenByName || usableAddresses(peerId, [text], addressPolicy).length === 0;
    },
    denyInboundRelayReservation: (peerId) =>
      relayServer === undefined || relayServer.allow?.(peerId.toString()) === false,
    denyInboundEncryptedConnection: (peerId) => !isPeerId(peerId.toString()),
    denyOutboundEncryptedConnection: (peerId) => !isPeerId(peerId.toString()),
  };
}

function connectionLimits(
  options: Libp2pNetworkOptions,
): NonNullable<Libp2pOptions["connectionManager"]> {
  return {
    maxConnections: options.maxConnections ?? CONNECTIONS_MAX,
    maxIncomingPendingConnections: INBOUND_PENDING_MAX,
    inboundConnectionThreshold: options.inboundConnectionsPerSecondMax ??
      INBOUND_CONNECTIONS_PER_SECOND_MAX,
    inboundUpgradeTimeout: INBOUND_UPGRADE_TIMEOUT_MS,
    dialTimeout: DIAL_TIMEOUT_MS,
    addressDialTimeout: DIAL_ADDRESS_TIMEOUT_MS,
    inboundStreamProtocolNegotiationTimeout: NEGOTIATION_TIMEOUT_MS,
    outboundStreamProtocolNegotiationTimeout: NEGOTIATION_TIMEOUT_MS,
  };
}

function relayServerOf({ relayServer }: Libp2pNetworkOptions): RelayServerOptions | undefined {
  if (relayServer === true) return {};
  return relayServer === false ? undefined : relayServer;
}

/**
 * libp2p takes a call through a relay that it has no reservation on for a reason to make one there,
 * with a new listener each time: any peer could grow our memory and our adverts with its addresses.
 */
function refuseUnknownRelays(transport: CircuitTransport): CircuitTransport {
  const { onStop } = transport;
  assert(typeof onStop === "function", "the circuit transport of libp2p still answers in onStop");
  transport.onStop = async (stream, connection) => {
    if (!transport.reservationStore.hasReservation(connection.remotePeer)) {
      throw new Error("no reservation was made on this relay");
    }
    await onStop(stream, connection);
  };
  return transport;
}

/** Adds the WebSocket transport to a running node, for the first address that needs it. */
export async function addWebSockets(node: Libp2p): Promise<void> {
  const { webSockets } = await loadWebSockets();
  const { components, transportManager } = partsOf(node);
  transportManager.add(webSockets()(components as never));
}

/** What `multicast-dns` discovery looks like from here. */
interface MdnsService {
  addEventListener(type: "peer", listener: (event: { readonly detail: PeerInfo }) => void): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Without the permission the socket would fail where nobody can catch it; the node can do without. */
function mayMulticast({ log }: Libp2pNetworkOptions): boolean {
  const isGranted = ["0.0.0.0:5353", "224.0.0.251:5353"].every((host) =>
    Deno.permissions.querySync({ name: "net", host }).state === "granted"
  );
  if (!isGranted) {
    log?.("warning", "No peers are looked for on the local network: --allow-net does not cover it");
  }
  return isGranted;
}

function relayLimits(options: RelayServerOptions) {
  const bytesMax = options.circuitBytesMax ?? CIRCUIT_BYTES_MAX;
  return {
    maxInboundHopStreams: OUTBOUND_STREAMS_MAX,
    maxOutboundStopStreams: OUTBOUND_STREAMS_MAX,
    reservations: {
      maxReservations: options.reservationsMax ?? RELAY_RESERVATIONS_MAX,
      // Without a limit libp2p calls a circuit as good as a direct connection; with one it is
      // "limited", and all our streams are allowed on it.
      applyDefaultLimit: Number.isFinite(bytesMax),
      ...(Number.isFinite(bytesMax) ? { defaultDataLimit: BigInt(bytesMax) } : {}),
      defaultDurationLimit: options.circuitDurationMs ?? CIRCUIT_DURATION_MS,
    },
  };
}

function errorLog(options: Libp2pNetworkOptions) {
  const { log } = options;
  if (log === undefined) return undefined;
  let isMdnsTold = false;
  return (component: string, format: unknown, args: readonly unknown[]) => {
    const error = args.findLast((arg) => arg instanceof Error);
    log("debug", `${component}: ${String(format)}`, error);
    if (component !== "libp2p:mdns" || isMdnsTold) return;
    isMdnsTold = true;
    log(
      "warning",
      "Peers on the local network may not be found: another program holds mDNS",
      error,
    );
  };
}
