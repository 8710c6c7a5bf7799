/** A member that a test plays: it answers who asks it as the test wants. */
import { CASCADE_PROTOCOL, MESSAGE_BYTES_MAX } from "../../../swarm/cascade/limits.ts";
import {
  type Ask,
  cascadeFrame,
  decodeAsk,
  decodeParentMessage,
  type ParentMessage,
} from "../../../swarm/cascade/messages.ts";
import { Order, partsOf } from "../../../swarm/cascade/order.ts";
import type { ByteStream, Network, PeerAddress } from "../../../swarm/ports.ts";
import { dataFrameHead, FrameReader } from "../../../swarm/protocol/mod.ts";
import { type Layer, layerOf } from "./world.ts";

/** One stream that asked. */
export interface Asked {
  readonly stream: ByteStream;
  readonly ask: Ask;
  say(message: ParentMessage): Promise<void>;
  send(bytes: Uint8Array): Promise<void>;
}

/** Has `network` answer with `play`; the stream ends when it returns. */
export async function playParent(
  network: Network,
  play: (asked: Asked) => Promise<void>,
): Promise<void> {
  await network.handle(CASCADE_PROTOCOL, async (stream) => {
    const reader = new FrameReader<Ask>(stream, {
      messageBytesMax: MESSAGE_BYTES_MAX,
      isDataAllowed: false,
      decode: decodeAsk,
    });
    const ask = await reader.next() as Ask;
    await play({
      stream,
      ask,
      say: async (message) => await stream.write(cascadeFrame(message)),
      send: async (bytes) => await stream.write(dataFrameHead(bytes.length), bytes),
    });
  });
}

/** What `peer` answers to one question of `network`. */
export async function askOnce(
  network: Network,
  peer: PeerAddress,
  ask: Omit<Ask, "t" | "addrs">,
): Promise<ParentMessage | Uint8Array | undefined> {
  const stream = await network.openStream(peer, CASCADE_PROTOCOL);
  try {
    await stream.write(cascadeFrame({ t: "ask", addrs: network.addresses(), ...ask }));
    return await new FrameReader<ParentMessage>(stream, {
      messageBytesMax: MESSAGE_BYTES_MAX,
      isDataAllowed: true,
      decode: decodeParentMessage,
    }).next();
  } finally {
    stream.abort(new Error("enough"));
  }
}

/** A layer for which `asker` asks `asked`, and nobody else, first. */
export function layerAskedOf(
  options: { readonly asker: string; readonly asked: string; readonly size: number },
): Layer {
  for (let seed = 1;; seed++) {
    const layer = layerOf(options.size, seed);
    const order = new Order({
      digest: layer.sha256,
      members: [options.asker, options.asked],
      partCount: partsOf(layer.size).length,
    });
    if (order.above(options.asker, 0).ancestors[0] === options.asked) return layer;
  }
}
