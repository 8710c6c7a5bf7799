/**
 * The one door to the libp2p family of packages: what `swarm/net` uses of it, values and types, and
 * nothing else of Seedmint imports those packages. Loading this file loads libp2p (about 100 ms);
 * what a node may do without is behind the `load…` functions.
 */
import type { Libp2p } from "libp2p";
import type { Connection, Transport } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";

export { createLibp2p } from "libp2p";
export { tcp } from "@libp2p/tcp";
export { noise } from "@libp2p/noise";
export { yamux } from "@libp2p/yamux";
export { identify, identifyPush } from "@libp2p/identify";
export { ping } from "@libp2p/ping";
export { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
export { peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id";
export { multiaddr } from "@multiformats/multiaddr";
export { Uint8ArrayList } from "uint8arraylist";

export {
  AbortError,
  MuxerClosedError,
  serviceCapabilities,
  StreamResetError,
  StreamStateError,
  TimeoutError,
  TooManyOutboundProtocolStreamsError,
  transportSymbol,
  TypedEventEmitter,
  UnexpectedPeerError,
} from "@libp2p/interface";
export {
  AbstractMessageStream,
  AbstractMultiaddrConnection,
  AbstractStream,
  AbstractStreamMuxer,
  getNetConfig,
  getThinWaistAddresses,
  ipPortToMultiaddr,
} from "@libp2p/utils";
export {
  generateKeyPair,
  privateKeyToProtobuf,
  publicKeyFromProtobuf,
  publicKeyFromRaw,
  publicKeyToProtobuf,
} from "@libp2p/crypto/keys";

export type { Libp2p, Libp2pOptions } from "libp2p";
export type {
  AbortOptions,
  ComponentLogger,
  Connection,
  ConnectionEncrypter,
  CreateListenerOptions,
  CreateStreamOptions,
  DialTransportOptions,
  IdentifyResult,
  Listener,
  ListenerEvents,
  Logger,
  MessageStream,
  MessageStreamEvents,
  Metrics,
  MultiaddrConnection,
  PeerId,
  PeerInfo,
  PrivateKey,
  PublicKey,
  SecureConnectionOptions,
  SecuredConnection,
  Stream,
  StreamCloseEvent,
  StreamMessageEvent,
  StreamMuxer,
  StreamMuxerFactory,
  Transport,
  Upgrader,
} from "@libp2p/interface";
export type {
  AbstractMultiaddrConnectionInit,
  AbstractStreamInit,
  MessageStreamInit,
  SendResult,
} from "@libp2p/utils";
export type { Multiaddr } from "@multiformats/multiaddr";

/** Circuit relay v2, client and server. */
export const loadCircuitRelay = () => import("@libp2p/circuit-relay-v2");
/** Direct connection upgrade through relay. */
export const loadDcutr = () => import("@libp2p/dcutr");
/** Discovery on the local network. */
export const loadMdns = () => import("@libp2p/mdns");
/** The WebSocket transport. */
export const loadWebSockets = () => import("@libp2p/websockets");

/**
 * The parts inside a node that `swarm/net` needs and the public interface hides: dialling one
 * address past the sequential dial queue, listening later than at the start, and marking addresses
 * as reachable.
 */
export interface Libp2pParts {
  /** All of them together, as factories of transports and services take them. */
  readonly components: unknown;
  readonly transportManager: {
    dial(address: Multiaddr, options: { readonly signal: AbortSignal }): Promise<Connection>;
    listen(addresses: Multiaddr[]): Promise<void>;
    add(transport: Transport): void;
    getAddrs(): Multiaddr[];
  };
  readonly addressManager: {
    confirmObservedAddr(address: Multiaddr, options: { readonly type: "transport" }): void;
  };
}

/** Opens a node to {@link Libp2pParts}; the field exists on the class, not on its interface. */
export function partsOf(node: Libp2p): Libp2pParts {
  const { components } = node as unknown as {
    readonly components: Omit<Libp2pParts, "components">;
  };
  return {
    components,
    transportManager: components.transportManager,
    addressManager: components.addressManager,
  };
}
