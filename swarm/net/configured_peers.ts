/** Peers and relays that the operator named: connected, and reserved on, for as long as the node runs. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type Connection, type Libp2p, multiaddr, partsOf, peerIdFromString } from "../libp2p.ts";
import { type DialAddress, usableAddresses } from "./addresses.ts";
import { keepUp } from "./keep_up.ts";
import type { CircuitTransport } from "./libp2p_node.ts";
import { isPeerId } from "./peer_id.ts";

/** A configured peer. */
export interface Target {
  readonly peerId: string;
  readonly addresses: readonly DialAddress[];
}

/** What keeping peers and relays needs of the network. */
export interface ConfiguredPeersOptions {
  readonly node: Libp2p;
  readonly circuitTransport: CircuitTransport;
  readonly clock: Clock;
  readonly connectionTo: (peerId: string) => Connection | undefined;
  readonly dial: (target: Target, signal: AbortSignal) => Promise<Connection>;
  readonly log: (message: string, error?: unknown) => void;
  readonly signal: AbortSignal;
}

/**
 * Reads a multiaddr of a configured peer.
 *
 * @throws {SeedmintError} `usage`
 */
export function parseTarget(text: string): Target {
  const peerId = text.slice(text.lastIndexOf("/p2p/") + "/p2p/".length);
  const addresses = usableAddresses(peerId, [text]);
  if (!isPeerId(peerId) || addresses.length === 0) {
    throw new SeedmintError(
      "usage",
      `Cannot use ${text} as a peer: a multiaddr like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW… wanted`,
    );
  }
  return { peerId, addresses };
}

/** Stays connected to `target` until the signal of `options` is aborted. */
export function keepPeer(target: Target, options: ConfiguredPeersOptions): void {
  keep(
    `Peer ${target.peerId}`,
    () => options.connectionTo(target.peerId) !== undefined,
    async (signal) => void await options.dial(target, signal),
    options,
  );
}

/** Stays reachable through the relay `target` until the signal of `options` is aborted. */
export function keepReservation(target: Target, options: ConfiguredPeersOptions): void {
  const { node, circuitTransport } = options;
  const relayId = peerIdFromString(target.peerId);
  const circuit = `/p2p/${target.peerId}/p2p-circuit`;
  let isListening = false;
  keep(
    `Relay ${target.peerId}`,
    () => node.getMultiaddrs().some((address) => address.toString().includes(circuit)),
    async (signal) => {
      // A reservation is made over a direct connection only.
      if (options.connectionTo(target.peerId)?.direct !== true) await options.dial(target, signal);
      if (isListening) {
        // The listener of the first time takes the new reservation over.
        await circuitTransport.reservationStore.addRelay(relayId, "configured");
        return;
      }
      const address = multiaddr(`${target.addresses[0]!.text}${circuit}`);
      await partsOf(node).transportManager.listen([address]);
      isListening = true;
    },
    options,
  );
}

function keep(
  name: string,
  isUp: () => boolean,
  bringUp: (signal: AbortSignal) => Promise<void>,
  options: ConfiguredPeersOptions,
): void {
  const { node } = options;
  void keepUp({
    name,
    isUp,
    bringUp,
    clock: options.clock,
    jitter: jitterOf(node.peerId.toString()),
    log: options.log,
    signal: options.signal,
    onChange: (listener) => {
      node.addEventListener("connection:close", listener);
      return () => node.removeEventListener("connection:close", listener);
    },
  });
}

/** From 0 up to 1, the same for one node every time. */
function jitterOf(peerId: string): number {
  let sum = 0;
  for (const digit of peerId) sum = (sum * 31 + digit.charCodeAt(0)) % 1_009;
  return sum / 1_009;
}
