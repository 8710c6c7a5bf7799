/** libp2p networks on loopback for tests. */
import { systemClock } from "../../src/host/system.ts";
import { noise, tcp, yamux } from "../../swarm/libp2p.ts";
import { Libp2pNetwork } from "../../swarm/net/libp2p_network.ts";
import { STREAM_READ_BUFFER_BYTES, STREAM_WINDOW_BYTES_MAX } from "../../swarm/net/limits.ts";
import type { Libp2pNetworkOptions } from "../../swarm/net/options.ts";

/** TCP, Noise and Yamux as js-libp2p has them, within the limits of ours. */
export const STOCK_STACK: Partial<Libp2pNetworkOptions> = {
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux({
    maxEarlyStreams: 256,
    streamOptions: {
      maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX,
      maxReadBufferLength: STREAM_READ_BUFFER_BYTES,
    },
  })],
};

/** Starts a network whose identity follows from `seed`, on a free port of loopback. */
export function startNetwork(
  seed: number,
  options: Partial<Libp2pNetworkOptions> = {},
): Promise<Libp2pNetwork> {
  return Libp2pNetwork.start({
    secretKey: new Uint8Array(32).fill(seed),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    mdns: false,
    clock: systemClock,
    ...options,
  });
}
