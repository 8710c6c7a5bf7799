import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeCbor } from "../../src/core/cbor.ts";
import { hashFromBytes } from "../../src/core/hash.ts";
import {
  decodeTicket,
  encodeTicket,
  type Ticket,
  TICKET_CHARS_MAX,
  TICKET_PEERS_MAX,
  TICKET_PREFIX,
} from "../../src/app/ticket.ts";
import { peerIdOfPublicKey } from "../../swarm/net/peer_id.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

const tickets: fc.Arbitrary<Ticket> = fc.record({
  hash: bytes32.map(hashFromBytes),
  kind: fc.constantFrom("blob", "collection"),
  size: fc.nat({ max: 2 ** 31 }),
  name: fc.string({ minLength: 1, maxLength: 40 }).map((text) => text.replace(/[\/\p{Cc}]/gu, "_")),
  peers: fc.array(
    fc.record({
      peerId: bytes32.map(peerIdOfPublicKey),
      addrs: fc.subarray(["/ip4/192.0.2.1/tcp/4001", "/dns4/a.example/tcp/443/wss"]),
    }, { noNullPrototype: true }),
    { maxLength: 4 },
  ),
  relays: fc.array(fc.constantFrom("wss://relay.example/", "ws://127.0.0.1:7777/"), {
    maxLength: 8,
  }),
}, { requiredKeys: ["hash", "kind", "peers", "relays"], noNullPrototype: true });

const refused = (text: string) => assert.throws(() => decodeTicket(text), SyntaxError);
const ticketOf = (fields: unknown) =>
  TICKET_PREFIX + encodeCbor(fields).toBase64({ alphabet: "base64url", omitPadding: true });

Deno.test("decodeTicket() reads back what encodeTicket() wrote", () => {
  fc.assert(fc.property(tickets, (ticket) => {
    const text = encodeTicket(ticket);
    assert.match(text, /^seedmint:[\w-]+$/);
    assert.deepEqual(decodeTicket(`  ${text}\n`), ticket);
  }));
});

Deno.test("encodeTicket() leaves out what exceeds a limit", () => {
  const peer = {
    peerId: peerIdOfPublicKey(new Uint8Array(32)),
    addrs: Array.from({ length: 20 }, (_, port) => `/ip4/1.2.3.4/tcp/${port}`),
  };
  const ticket = decodeTicket(encodeTicket({
    hash: hashFromBytes(new Uint8Array(32)),
    kind: "blob",
    peers: Array(40).fill(peer),
    relays: ["wss://" + "a".repeat(600), "wss://ok.example/"],
  }));
  assert.equal(ticket.peers.length, TICKET_PEERS_MAX);
  assert.equal(ticket.peers[0]!.addrs.length, 8);
  assert.deepEqual(ticket.relays, ["wss://ok.example/"]);
});

Deno.test("encodeTicket() names a peer once, not at the end of each address; both are read", () => {
  const peerId = peerIdOfPublicKey(new Uint8Array(32));
  const relay = peerIdOfPublicKey(new Uint8Array(32).fill(1));
  const circuit = `/ip4/192.0.2.9/tcp/1/p2p/${relay}/p2p-circuit`;
  const h = new Uint8Array(32);
  const ticket = { hash: hashFromBytes(h), kind: "blob", relays: [] } as const;
  const addrs = ["/ip4/192.0.2.1/tcp/1", circuit, `/ip4/192.0.2.2/tcp/1/p2p/${relay}`];
  const long = addrs.map((addr) => addr.endsWith(relay) ? addr : `${addr}/p2p/${peerId}`);
  const text = encodeTicket({ ...ticket, peers: [{ peerId, addrs: [...long, `/p2p/${peerId}`] }] });
  assert.deepEqual(decodeTicket(text).peers, [{ peerId, addrs }]);
  assert.equal(text, encodeTicket({ ...ticket, peers: [{ peerId, addrs }] }));
  const old = decodeTicket(ticketOf({ v: 1, h, p: [[peerId, long]] }));
  assert.deepEqual(old.peers, [{ peerId, addrs: long }]);
});

Deno.test("decodeTicket() throws nothing but SyntaxError, whatever it is given", () => {
  fc.assert(fc.property(fc.string(), (text) => refused(text + "!")));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    refused(TICKET_PREFIX + bytes.toBase64({ alphabet: "base64url" }) + "A");
  }));
  fc.assert(fc.property(fc.jsonValue(), (value) => refused(ticketOf(value))));
});

Deno.test("decodeTicket() refuses or reads alike every ticket with one changed character", () => {
  const ticket = {
    hash: hashFromBytes(new Uint8Array(32)),
    kind: "blob",
    peers: [],
    relays: [],
  } as const;
  const text = encodeTicket(ticket);
  fc.assert(
    fc.property(fc.nat({ max: text.length - 1 }), fc.constantFrom(..."AZaz09-_:"), (at, other) => {
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      try {
        const read = decodeTicket(changed);
        assert.equal(read.hash.length, 64);
      } catch (error) {
        assert.ok(error instanceof SyntaxError);
      }
    }),
  );
});

Deno.test("decodeTicket() refuses fields that are wrong, unknown or too many", () => {
  const h = new Uint8Array(32);
  const peerId = peerIdOfPublicKey(h);
  assert.equal(decodeTicket(ticketOf({ v: 1, h })).hash, "0".repeat(64));
  const wrong = [
    { v: 2, h },
    { v: 1 },
    { v: 1, h: new Uint8Array(31) },
    { v: 1, h, s: -1 },
    { v: 1, h, k: 2 },
    { v: 1, h, n: "a/b" },
    { v: 1, h, n: "a\u001b[2J" },
    { v: 1, h, z: 1 },
    { v: 1, h, p: [["not a peer", []]] },
    { v: 1, h, p: [[peerId, ["ip4/1.2.3.4"]]] },
    { v: 1, h, p: Array(17).fill([peerId, []]) },
    { v: 1, h, r: ["http://a.example/"] },
    { v: 1, h, r: ["wss://user:word@a.example/"] },
    { v: 1, h, r: "wss://a.example/" },
  ];
  for (const fields of wrong) refused(ticketOf(fields));
  refused(TICKET_PREFIX + "A".repeat(TICKET_CHARS_MAX));
});
