import assert from "node:assert/strict";
import fc from "fast-check";
import { multiaddr } from "@multiformats/multiaddr";
import {
  dialOrder,
  hostScope,
  parseDialAddress,
  pinHost,
  usableAddresses,
} from "../../../swarm/net/addresses.ts";
import { DIAL_ADDRESSES_MAX } from "../../../swarm/net/limits.ts";
import { peerIdOfPublicKey } from "../../../swarm/net/peer_id.ts";

const [alice, bob] = [1, 2].map((byte) => peerIdOfPublicKey(new Uint8Array(32).fill(byte))) as [
  string,
  string,
];

Deno.test("hostScope tells where a host is, and refuses those that nobody can be dialled at", () => {
  const cases: readonly [string, string, string | undefined][] = [
    ["ip4", "8.8.8.8", "public"],
    ["ip4", "127.1.2.3", "loopback"],
    ["ip4", "10.0.0.1", "private"],
    ["ip4", "172.15.0.1", "public"],
    ["ip4", "172.16.0.1", "private"],
    ["ip4", "172.31.255.1", "private"],
    ["ip4", "172.32.0.1", "public"],
    ["ip4", "192.168.1.1", "private"],
    ["ip4", "169.254.169.254", "private"],
    ["ip4", "100.64.0.1", "private"],
    ["ip4", "0.0.0.0", undefined],
    ["ip4", "224.0.0.251", undefined],
    ["ip4", "255.255.255.255", undefined],
    ["ip4", "1.2.3", undefined],
    ["ip4", "01.2.3.4", undefined],
    ["ip4", "1.2.3.256", undefined],
    ["ip6", "::1", "loopback"],
    ["ip6", "::", undefined],
    ["ip6", "ff02::fb", undefined],
    ["ip6", "fe80::1", "private"],
    ["ip6", "fd00::1", "private"],
    ["ip6", "2001:4860:4860::8888", "public"],
    ["ip6", "::ffff:127.0.0.1", "loopback"],
    ["ip6", "::ffff:10.0.0.1", "private"],
    ["ip6", "::ffff:224.0.0.1", undefined],
    ["ip6", "1:2:3:4:5:6:7", undefined],
    ["ip6", "1::2::3", undefined],
    ["dns4", "example.org", "public"],
    ["dns4", "localhost", "loopback"],
    ["dns", "printer", "private"],
    ["dns", "nas.local", "private"],
    ["dns", "a b", undefined],
    ["dnsaddr", "bootstrap.example.org", undefined],
    ["unix", "/tmp/x", undefined],
  ];
  for (const [kind, host, expected] of cases) {
    assert.equal(hostScope(kind, host), expected, `${kind} ${host}`);
  }
});

Deno.test("parseDialAddress takes TCP, WebSocket and circuit addresses of the wanted peer only", () => {
  const cases: readonly [string, string | undefined][] = [
    ["/ip4/1.2.3.4/tcp/4001", "/ip4/1.2.3.4/tcp/4001"],
    [`/ip4/1.2.3.4/tcp/4001/p2p/${alice}`, "/ip4/1.2.3.4/tcp/4001"],
    [`/ip4/1.2.3.4/tcp/4001/p2p/${bob}`, undefined],
    ["/ip4/1.2.3.4/tcp/0", undefined],
    ["/ip4/1.2.3.4/tcp/65536", undefined],
    ["/ip4/1.2.3.4/udp/4001/quic-v1", undefined],
    ["/ip4/1.2.3.4/tcp/443/ws", "/ip4/1.2.3.4/tcp/443/ws"],
    [`/dns4/example.org/tcp/443/tls/ws/p2p/${alice}`, "/dns4/example.org/tcp/443/tls/ws"],
    ["/ip4/1.2.3.4/tcp/443/ws/x", undefined],
    [
      `/ip4/1.2.3.4/tcp/1/p2p/${bob}/p2p-circuit/p2p/${alice}`,
      `/ip4/1.2.3.4/tcp/1/p2p/${bob}/p2p-circuit`,
    ],
    [`/ip4/1.2.3.4/tcp/1/p2p/${bob}/p2p-circuit`, `/ip4/1.2.3.4/tcp/1/p2p/${bob}/p2p-circuit`],
    [`/ip4/1.2.3.4/tcp/1/p2p/${alice}/p2p-circuit/p2p/${alice}`, undefined],
    [`/ip4/1.2.3.4/tcp/1/p2p/${bob}/p2p-circuit/p2p/${bob}`, undefined],
    [`/ip4/1.2.3.4/tcp/1/p2p-circuit/p2p/${alice}`, undefined],
    [`/p2p/${alice}`, undefined],
    ["", undefined],
    ["/", undefined],
    ["ip4/1.2.3.4/tcp/1", undefined],
    [`/ip4/1.2.3.4/tcp/1${"/ws".repeat(200)}`, undefined],
  ];
  for (const [text, expected] of cases) {
    assert.equal(parseDialAddress(text, alice)?.text, expected, text);
    if (expected !== undefined) multiaddr(expected);
  }
});

Deno.test("parseDialAddress never throws, and all it lets through libp2p can read", () => {
  const part = fc.constantFrom(
    "ip4",
    "ip6",
    "dns4",
    "tcp",
    "udp",
    "ws",
    "wss",
    "tls",
    "p2p",
    "p2p-circuit",
    "1.2.3.4",
    "::1",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
    "1::",
    "a.b",
    "80",
    "65535",
    "99999",
    "",
    alice,
    bob,
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 12 }), (parts) => {
      const address = parseDialAddress(`/${parts.join("/")}`, alice);
      if (address !== undefined) multiaddr(`${address.text}/p2p/${alice}`);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("usableAddresses sorts, caps and obeys the policy", () => {
  const circuit = `/ip4/9.9.9.9/tcp/1/p2p/${bob}/p2p-circuit`;
  const addrs = [circuit, "/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1"];
  const texts = (policy = {}) => usableAddresses(alice, addrs, policy).map(({ text }) => text);
  assert.deepEqual(texts(), addrs.toReversed());
  assert.deepEqual(texts({ private: false, loopback: false }), [addrs[1], circuit]);
  assert.deepEqual(texts({ relayed: false, loopback: false }), [addrs[2], addrs[1]]);
  const many = Array.from({ length: 100 }, (_, index) => `/ip4/8.8.8.8/tcp/${index + 1}`);
  assert.equal(usableAddresses(alice, many).length, DIAL_ADDRESSES_MAX);
  assert.equal(usableAddresses(alice, Array(20).fill(addrs[1])).length, 1);
});

Deno.test("pinHost dials what a name resolved to, and nothing that the policy forbids", async () => {
  const strict = { private: false, loopback: false };
  const pin = (text: string, policy: object, ...found: string[]) =>
    pinHost(parseDialAddress(text, alice)!, policy, () => Promise.resolve(found));
  const name = "/dns4/example.org/tcp/80";
  assert.equal(await pin(name, {}), name);
  assert.equal(await pin(name, strict, "10.0.0.1", "8.8.8.8"), "/ip4/8.8.8.8/tcp/80");
  assert.equal(
    await pin("/dns/example.org/tcp/80/ws", strict, "2001:db8::1"),
    "/ip6/2001:db8::1/tcp/80/ws",
  );
  assert.equal(await pin("/ip4/1.2.3.4/tcp/80", strict), "/ip4/1.2.3.4/tcp/80");
  await assert.rejects(pin(name, strict, "127.0.0.1", "::1"), /no address/);
  await assert.rejects(pin(name, strict, "2001:db8::1"), /no address/);
  await assert.rejects(pin(name, { loopback: false }, "127.0.0.1"), /no address/);
  await assert.rejects(pin("/dns4/example.org/tcp/443/tls/ws", strict, "8.8.8.8"), /TLS/);
});

Deno.test("dialOrder keeps places for what the peer itself told, however many hints there are", () => {
  const numbered = (host: string, count: number) =>
    Array.from(
      { length: count },
      (_, index) => parseDialAddress(`/ip4/${host}/tcp/${index + 1}`, alice)!,
    );
  const known = numbered("8.8.8.8", 6);
  const hints = numbered("127.0.0.1", 8);
  assert.deepEqual(dialOrder(known, hints), [...known.slice(0, 4), ...hints.slice(0, 4)]);
  assert.deepEqual(dialOrder(known, []), known);
  assert.deepEqual(dialOrder([], hints), hints);
  assert.deepEqual(dialOrder(known, [known[0]!]).length, 6);
});
