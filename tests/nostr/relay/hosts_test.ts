import assert from "node:assert/strict";
import {
  addressGroup,
  isHostAllowed,
  isLoopbackHost,
  isOwnRelayUrl,
} from "../../../src/nostr/relay/hosts.ts";

const none: ReadonlySet<string> = new Set();

Deno.test("isLoopbackHost knows this machine's names, and not those that only look so", () => {
  for (const own of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) assert.ok(isLoopbackHost(own));
  for (const other of ["127.0.0.1.evil", "localhost.evil", "10.0.0.1", "::2", ""]) {
    assert.ok(!isLoopbackHost(other), other);
  }
});

Deno.test("isHostAllowed lets anybody name a relay that others can reach", () => {
  const claim = { localAddress: "192.0.2.1", publicHosts: none, origin: "https://app.example" };
  assert.ok(isHostAllowed({ ...claim, host: "whatever.example" }));
  assert.ok(!isHostAllowed({ ...claim, host: undefined }));
});

Deno.test("isOwnRelayUrl takes the address connected to and configured ones, and no Host header", () => {
  const own = { publicHosts: new Set(["relay.example"]), localAddress: "192.0.2.1", localPort: 80 };
  for (const url of ["ws://192.0.2.1", "ws://192.0.2.1:80/x", "wss://relay.example/"]) {
    assert.ok(isOwnRelayUrl(url, own), url);
  }
  for (
    const url of [
      "ws://localhost",
      "ws://192.0.2.1:81",
      "ws://192.0.2.2",
      "wss://192.0.2.1",
      "wss://relay.example:444",
      "https://relay.example",
      "nonsense",
      "",
    ]
  ) assert.ok(!isOwnRelayUrl(url, own), url);
});

Deno.test("addressGroup counts IPv6 by what one host owns", () => {
  assert.equal(addressGroup("192.0.2.1"), "192.0.2.1");
  assert.equal(addressGroup("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(addressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(addressGroup("2001:db8:1:2::9"), "2001:db8:1:2::/64");
  assert.equal(addressGroup("2001:0db8::9"), "2001:db8:0:0::/64");
  assert.equal(addressGroup("::1"), "0:0:0:0::/64");
  assert.equal(addressGroup("fe80::1%eth0"), "fe80:0:0:0::/64");
});
