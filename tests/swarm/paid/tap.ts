/** A network that notes what its owner sends, and can break streams. */
import { decodeVarint } from "../../../src/core/varint.ts";
import type { ByteStream, Network, PeerAddress } from "../../../swarm/ports.ts";
import { decodeMessage, type Message } from "../../../swarm/protocol/mod.ts";

/** One message and the stream it was sent on, counted from 0. */
export interface Sent {
  readonly stream: number;
  readonly message: Message;
}

/** See the head of this file. */
export class Tap {
  readonly network: Network;
  readonly sent: Sent[] = [];
  readonly streams: ByteStream[] = [];
  /** Called with each message before it is sent. */
  onSend: (sent: Sent) => void = () => {};

  constructor(network: Network) {
    this.network = new Proxy(network, {
      get: (target, name) => {
        if (name === "openStream") {
          return (...args: Parameters<Network["openStream"]>) => this.#open(target, ...args);
        }
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** The types of the messages sent, those with a payment marked. */
  get kinds(): readonly string[] {
    return this.sent.map(({ message }) =>
      message.t === "want" && message.payment !== undefined ? "want+payment" : message.t
    );
  }

  async #open(
    network: Network,
    peer: PeerAddress,
    protocol: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ByteStream> {
    const stream = await network.openStream(peer, protocol, options);
    const index = this.streams.push(stream) - 1;
    const write = stream.write.bind(stream);
    stream.write = (...parts) => {
      for (const part of parts) {
        const length = decodeVarint(part)!;
        const message = decodeMessage(part.subarray(length.size));
        const sent = { stream: index, message };
        this.sent.push(sent);
        this.onSend(sent);
      }
      return write(...parts);
    };
    return stream;
  }
}
