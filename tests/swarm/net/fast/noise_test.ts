import assert from "node:assert/strict";
import type { ComponentLogger, MessageStream, PrivateKey } from "@libp2p/interface";
import { generateKeyPair, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { noise } from "@libp2p/noise";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddrConnectionPair } from "@libp2p/utils";
import fc from "fast-check";
import { CipherState } from "../../../../swarm/net/fast/cipher_state.ts";
import { HandshakeFrames } from "../../../../swarm/net/fast/handshake_frames.ts";
import { NOISE_NONCE_MAX } from "../../../../swarm/net/fast/limits.ts";
import { fastNoise } from "../../../../swarm/net/fast/noise.ts";
import {
  x25519Pair,
  x25519PairOf,
  XXHandshake,
} from "../../../../swarm/net/fast/noise_handshake.ts";
import {
  decodePayload,
  encodePayload,
  staticKeyStatement,
} from "../../../../swarm/net/fast/noise_payload.ts";
import { lendMemory, returnMemory } from "../../../../swarm/net/fast/plaintext_memory.ts";
import { NOISE_XX_VECTOR as vector } from "./noise_vector.ts";
import { silentLogger, until } from "./support.ts";

const hex = (text: string) => Uint8Array.fromHex(text);
const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test("XXHandshake makes the messages of the published vector", () => {
  const initiator = new XXHandshake({
    staticKey: x25519PairOf(hex(vector.init_static)),
    ephemeral: x25519PairOf(hex(vector.init_ephemeral)),
    prologue: hex(vector.init_prologue),
  });
  const responder = new XXHandshake({
    staticKey: x25519PairOf(hex(vector.resp_static)),
    ephemeral: x25519PairOf(hex(vector.resp_ephemeral)),
    prologue: hex(vector.resp_prologue),
  });
  const [a, b, c, ...rest] = vector.messages.map(({ payload, ciphertext }) => ({
    payload: hex(payload),
    message: hex(ciphertext),
  }));
  const writtenA = initiator.writeA(a!.payload);
  assert.deepEqual(writtenA, a!.message);
  assert.deepEqual(responder.readA(writtenA), a!.payload);
  assert.deepEqual(responder.writeB(b!.payload), b!.message);
  assert.deepEqual(Uint8Array.from(initiator.readB(b!.message)), b!.payload);
  assert.deepEqual(initiator.writeC(c!.payload), c!.message);
  assert.deepEqual(Uint8Array.from(responder.readC(c!.message)), c!.payload);

  const keys = initiator.split();
  rest.forEach(({ payload, message }, index) => {
    const cipher = index % 2 === 0 ? keys.fromResponder : keys.fromInitiator;
    const sealed = new Uint8Array(payload.length + 16);
    cipher.seal(payload, sealed);
    assert.deepEqual(sealed, message);
  });
  const otherKeys = responder.split();
  rest.forEach(({ payload, message }, index) => {
    const cipher = index % 2 === 0 ? otherKeys.fromResponder : otherKeys.fromInitiator;
    assert.deepEqual(Uint8Array.from(cipher.open(message)), payload);
  });
});

Deno.test("XXHandshake refuses a key of low order", () => {
  const lowOrder = [
    new Uint8Array(32),
    Uint8Array.of(1, ...new Uint8Array(31)),
    hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
  ];
  for (const key of lowOrder) {
    const responder = new XXHandshake({ staticKey: x25519Pair() });
    assert.throws(() => {
      responder.readA(key);
      responder.writeB(new Uint8Array(1));
    });
  }
});

Deno.test("CipherState.open() refuses a message with any bit changed", () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (plaintext, place) => {
    const sealed = new Uint8Array(plaintext.length + 16);
    new CipherState(key).seal(plaintext, sealed);
    assert.deepEqual(Uint8Array.from(new CipherState(key).open(sealed)), plaintext);
    const bit = place % (sealed.length * 8);
    sealed[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => new CipherState(key).open(sealed));
  }));
});

Deno.test("CipherState counts its nonce past 32 bits and never past the last", () => {
  const key = new Uint8Array(32).fill(3);
  const at = (count: number) => {
    const sealed = new Uint8Array(17);
    new CipherState(key, count).seal(Uint8Array.of(1), sealed);
    return sealed.toHex();
  };
  assert.notEqual(at(0), at(2 ** 32));
  assert.notEqual(at(2 ** 32), at(2 ** 33));
  const last = new CipherState(key, NOISE_NONCE_MAX - 1);
  last.seal(Uint8Array.of(1), new Uint8Array(17));
  assert.throws(() => last.seal(Uint8Array.of(1), new Uint8Array(17)), /nonces/);
  assert.throws(() => last.open(new Uint8Array(17)), /nonces/);
});

Deno.test("decodePayload() reads what encodePayload() wrote, and throws only SyntaxError", () => {
  const payload = fc.record({
    identityKey: fc.uint8Array({ maxLength: 100 }),
    signature: fc.uint8Array({ maxLength: 100 }),
    muxers: fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }),
  });
  fc.assert(fc.property(payload, (value) => {
    assert.deepEqual(decodePayload(encodePayload(value)), { ...value });
  }));
  fc.assert(fc.property(payload, fc.nat(), fc.nat(255), (value, place, byte) => {
    const bytes = encodePayload(value);
    bytes[place % bytes.length] = byte;
    try {
      decodePayload(bytes);
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      decodePayload(bytes);
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});

Deno.test("decodePayload() skips unknown fields and refuses a known one that comes twice", () => {
  const payload = { identityKey: Uint8Array.of(1), signature: Uint8Array.of(2), muxers: ["/a"] };
  const bytes = encodePayload(payload);
  const unknown = hex("1a0101" + "2807" + "390102030405060708" + "4d01020304");
  assert.deepEqual(decodePayload(Uint8Array.of(...unknown, ...bytes)), payload);
  assert.throws(() => decodePayload(Uint8Array.of(...bytes, ...hex("0a0109"))), SyntaxError);
  assert.throws(() => decodePayload(hex("0a0101")), SyntaxError);
});

// ---- The encrypter, against the stock one and against liars ----

interface Party {
  readonly privateKey: PrivateKey;
  readonly components: Parameters<ReturnType<typeof fastNoise>>[0] & {
    readonly peerId: ReturnType<typeof peerIdFromPrivateKey>;
    readonly logger: ComponentLogger;
  };
}

async function party(): Promise<Party> {
  const privateKey = await generateKeyPair("Ed25519");
  const upgrader = { getStreamMuxers: () => new Map() } as never;
  const peerId = peerIdFromPrivateKey(privateKey);
  return { privateKey, components: { privateKey, upgrader, peerId, logger: silentLogger } };
}

function bytesOf(stream: MessageStream): () => Uint8Array {
  const parts: number[] = [];
  stream.addEventListener("message", (event) => parts.push(...event.data.subarray()));
  return () => Uint8Array.from(parts);
}

for (const [dialing, listening] of [["fast", "stock"], ["stock", "fast"], ["fast", "fast"]]) {
  Deno.test(`${dialing} noise and ${listening} noise agree on who is who`, options, async () => {
    const [a, b] = [await party(), await party()];
    const [outbound, inbound] = multiaddrConnectionPair();
    const encrypterOf = (kind: string, components: Party["components"]) =>
      kind === "fast" ? fastNoise()(components) : noise()(components);
    const [dialed, listened] = await Promise.all([
      encrypterOf(dialing!, a.components).secureOutbound(outbound, {
        remotePeer: b.components.peerId,
      }),
      encrypterOf(listening!, b.components).secureInbound(inbound),
    ]);
    assert.equal(dialed.remotePeer.toString(), b.components.peerId.toString());
    assert.equal(listened.remotePeer.toString(), a.components.peerId.toString());
    const [atListener, atDialer] = [bytesOf(listened.connection), bytesOf(dialed.connection)];
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    dialed.connection.send(large);
    dialed.connection.send(Uint8Array.of(1, 2, 3));
    listened.connection.send(Uint8Array.of(9));
    await until(() => atListener().length === large.length + 3, "all bytes");
    assert.deepEqual(atListener(), Uint8Array.of(...large, 1, 2, 3));
    await until(() => atDialer().length === 1, "the answer");
  });
}

Deno.test("secureOutbound() refuses a peer that is not the one it dialled", options, async () => {
  const [a, b, other] = [await party(), await party(), await party()];
  const [outbound, inbound] = multiaddrConnectionPair();
  const listening = fastNoise()(b.components).secureInbound(inbound).catch((error) => error);
  await assert.rejects(
    fastNoise()(a.components).secureOutbound(outbound, { remotePeer: other.components.peerId }),
    { name: "UnexpectedPeerError" },
  );
  outbound.abort(new Error("refused"));
  assert.ok(await listening instanceof Error);
});

Deno.test("both roles refuse a Noise key that the identity did not sign", options, async () => {
  const [honest, victim] = [await party(), await party()];
  const forged = encodePayload({
    identityKey: publicKeyToProtobuf(victim.privateKey.publicKey),
    // A true signature of the victim, but over another static key.
    signature: await victim.privateKey.sign(staticKeyStatement(x25519Pair().publicKey)),
    muxers: [],
  });
  {
    const [outbound, inbound] = multiaddrConnectionPair();
    const listening = fastNoise()(honest.components).secureInbound(inbound);
    const refused = assert.rejects(listening, { name: "UnexpectedPeerError" });
    const frames = new HandshakeFrames(outbound, undefined);
    const liar = new XXHandshake({ staticKey: x25519Pair() });
    frames.write(liar.writeA());
    liar.readB(await frames.read());
    frames.write(liar.writeC(forged));
    await refused;
  }
  {
    const [outbound, inbound] = multiaddrConnectionPair();
    const dialing = fastNoise()(honest.components).secureOutbound(outbound, {
      remotePeer: victim.components.peerId,
    });
    const refused = assert.rejects(dialing, { name: "UnexpectedPeerError" });
    const frames = new HandshakeFrames(inbound, undefined);
    const liar = new XXHandshake({ staticKey: x25519Pair() });
    liar.readA(await frames.read());
    frames.write(liar.writeB(forged));
    await refused;
  }
});

Deno.test("a handshake of garbage is refused, whatever the bytes", options, async () => {
  const { components } = await party();
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.boolean(),
      async (garbage, isFramed) => {
        const [outbound, inbound] = multiaddrConnectionPair();
        const listening = fastNoise()(components).secureInbound(inbound);
        const refused = assert.rejects(listening);
        if (isFramed) outbound.send(Uint8Array.of(0, garbage.length, ...garbage));
        outbound.send(garbage);
        outbound.send(new Uint8Array(70_000).fill(0xff));
        outbound.abort(new Error("enough"));
        await refused;
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("a handshake ends when its signal aborts", options, async () => {
  const { components } = await party();
  const [, inbound] = multiaddrConnectionPair();
  const controller = new AbortController();
  const listening = fastNoise()(components).secureInbound(inbound, { signal: controller.signal });
  controller.abort(new Error("no time"));
  await assert.rejects(listening, /no time/);
});

Deno.test("a changed, short or replayed message aborts the connection", options, async () => {
  const harms: Record<string, (message: Uint8Array) => Uint8Array[]> = {
    "one bit changed": (message) => {
      const changed = message.slice();
      changed[5]! ^= 1;
      return [changed];
    },
    "shorter than a tag": () => [Uint8Array.of(0, 15, ...new Uint8Array(15))],
    "sent twice": (message) => [message, message],
  };
  for (const [what, harm] of Object.entries(harms)) {
    const [a, b] = [await party(), await party()];
    const [outbound, toFilter] = multiaddrConnectionPair();
    const [fromFilter, inbound] = multiaddrConnectionPair();
    let isHarming = false;
    toFilter.addEventListener("message", (event) => {
      const bytes = event.data.subarray();
      for (const message of isHarming ? harm(bytes) : [bytes]) fromFilter.send(message);
    });
    fromFilter.addEventListener("message", (event) => toFilter.send(event.data.subarray()));
    const [dialed, listened] = await Promise.all([
      fastNoise()(a.components).secureOutbound(outbound),
      fastNoise()(b.components).secureInbound(inbound),
    ]);
    const received = bytesOf(listened.connection);
    isHarming = true;
    dialed.connection.send(Uint8Array.of(1, 2, 3));
    await until(() => listened.connection.status === "aborted", `${what} was noticed`);
    assert.ok(received().length === 0 || what === "sent twice");
    assert.ok(received().length <= 3);
    assert.notEqual(inbound.status, "open");
  }
});

Deno.test("returnMemory() frees a message with its last byte, and never on a double return", () => {
  const message = new Uint8Array(32 * 1024);
  lendMemory(message);
  returnMemory(message.buffer, 1000);
  assert.equal(message.length, 32 * 1024);
  returnMemory(message.buffer, 31 * 1024 + 24);
  assert.equal(message.length, 0, "freed");

  const twice = new Uint8Array(32 * 1024);
  lendMemory(twice);
  returnMemory(twice.buffer, 20 * 1024);
  returnMemory(twice.buffer, 20 * 1024);
  assert.equal(twice.length, 32 * 1024, "left to the collector");

  const shared = new Uint8Array(64 * 1024).subarray(0, 32 * 1024);
  lendMemory(shared);
  returnMemory(shared.buffer, 32 * 1024);
  assert.equal(shared.length, 32 * 1024, "others may use the rest");
});
