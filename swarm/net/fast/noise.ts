/**
 * A libp2p connection encrypter for Noise: the same bytes on the wire as `@libp2p/noise`, with a
 * data phase that copies and allocates less.
 *
 * What it proves: whoever holds the connection's keys also holds the identity key of `remotePeer`,
 * and that is the peer which the dialler asked for, if it asked for one.
 */
import {
  type ConnectionEncrypter,
  type MessageStream,
  type PeerId,
  peerIdFromPublicKey,
  type PrivateKey,
  publicKeyFromProtobuf,
  publicKeyToProtobuf,
  type SecureConnectionOptions,
  type SecuredConnection,
  serviceCapabilities,
  type StreamMuxerFactory,
  UnexpectedPeerError,
  type Upgrader,
} from "../../libp2p.ts";
import { HandshakeFrames } from "./handshake_frames.ts";
import { type X25519Pair, x25519Pair, XXHandshake } from "./noise_handshake.ts";
import {
  decodePayload,
  encodePayload,
  type NoisePayload,
  staticKeyStatement,
} from "./noise_payload.ts";
import { NoiseStream } from "./noise_stream.ts";

/** What libp2p gives to an encrypter. */
export interface FastNoiseComponents {
  readonly privateKey: PrivateKey;
  readonly upgrader: Upgrader;
}

/** Makes the encrypter, for the `connectionEncrypters` of `createLibp2p`. */
export function fastNoise(): (components: FastNoiseComponents) => ConnectionEncrypter {
  return (components) => new FastNoise(components);
}

class FastNoise implements ConnectionEncrypter {
  readonly protocol = "/noise";
  readonly [Symbol.toStringTag] = "seedmint/fast-noise";
  readonly [serviceCapabilities]: string[] = ["@libp2p/connection-encryption"];
  readonly #components: FastNoiseComponents;
  readonly #staticKey: X25519Pair = x25519Pair();
  #signature: Promise<Uint8Array> | undefined;

  constructor(components: FastNoiseComponents) {
    this.#components = components;
  }

  async secureOutbound(
    stream: MessageStream,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    const ownMuxers = this.#muxers(options);
    const payload = await this.#payload([...ownMuxers.keys()]);
    const frames = new HandshakeFrames(stream, options?.signal);
    try {
      const handshake = new XXHandshake({ staticKey: this.#staticKey });
      frames.write(handshake.writeA());
      const remote = decodePayload(handshake.readB(await frames.read()));
      const remotePeer = await provenPeer(remote, handshake.remoteStatic, options?.remotePeer);
      const streamMuxer = commonMuxer([...ownMuxers.keys()], remote.muxers, ownMuxers);
      frames.write(handshake.writeC(payload));
      const keys = handshake.split();
      return {
        connection: new NoiseStream({
          inner: stream,
          sending: keys.fromInitiator,
          receiving: keys.fromResponder,
          leftover: frames.release(),
        }),
        remotePeer,
        ...(streamMuxer !== undefined ? { streamMuxer } : {}),
      };
    } finally {
      frames.release();
    }
  }

  async secureInbound(
    stream: MessageStream,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    const ownMuxers = this.#muxers(options);
    const payload = await this.#payload([...ownMuxers.keys()]);
    const frames = new HandshakeFrames(stream, options?.signal);
    try {
      const handshake = new XXHandshake({ staticKey: this.#staticKey });
      handshake.readA(await frames.read());
      frames.write(handshake.writeB(payload));
      const remote = decodePayload(handshake.readC(await frames.read()));
      const remotePeer = await provenPeer(remote, handshake.remoteStatic, options?.remotePeer);
      const streamMuxer = commonMuxer(remote.muxers, [...ownMuxers.keys()], ownMuxers);
      const keys = handshake.split();
      return {
        connection: new NoiseStream({
          inner: stream,
          sending: keys.fromResponder,
          receiving: keys.fromInitiator,
          leftover: frames.release(),
        }),
        remotePeer,
        ...(streamMuxer !== undefined ? { streamMuxer } : {}),
      };
    } finally {
      frames.release();
    }
  }

  #muxers(options: SecureConnectionOptions | undefined): ReadonlyMap<string, StreamMuxerFactory> {
    if (options?.skipStreamMuxerNegotiation === true) return new Map();
    return this.#components.upgrader.getStreamMuxers();
  }

  async #payload(muxers: readonly string[]): Promise<Uint8Array> {
    const { privateKey } = this.#components;
    // The static key lives as long as this object, so one signature serves all handshakes.
    this.#signature ??= Promise.resolve(
      privateKey.sign(staticKeyStatement(this.#staticKey.publicKey)),
    );
    return encodePayload({
      identityKey: publicKeyToProtobuf(privateKey.publicKey),
      signature: await this.#signature,
      muxers,
    });
  }
}

/**
 * The peer that owns the static key of a handshake.
 *
 * @throws {UnexpectedPeerError} If the proof is wrong or it is not the peer that was expected.
 */
async function provenPeer(
  payload: NoisePayload,
  staticKey: Uint8Array,
  expected: PeerId | undefined,
): Promise<PeerId> {
  const publicKey = publicKeyFromProtobuf(payload.identityKey);
  const peer = peerIdFromPublicKey(publicKey);
  if (expected !== undefined && !peer.equals(expected)) {
    throw new UnexpectedPeerError(`Wanted peer ${expected}, found ${peer}`);
  }
  if (!await publicKey.verify(staticKeyStatement(staticKey), payload.signature)) {
    throw new UnexpectedPeerError(`The Noise key is not signed by ${peer}`);
  }
  return peer;
}

/** The first muxer of the initiator that the responder has, too: libp2p connections, inlined muxers. */
function commonMuxer(
  initiator: readonly string[],
  responder: readonly string[],
  own: ReadonlyMap<string, StreamMuxerFactory>,
): StreamMuxerFactory | undefined {
  const name = initiator.find((candidate) => responder.includes(candidate));
  return name === undefined ? undefined : own.get(name);
}
