import assert from "node:assert/strict";
import { reachOfAddress, reachOfHost } from "../../src/core/addresses.ts";

Deno.test("reachOfAddress() tells loopback, private and public addresses apart", () => {
  const reaches = {
    loopback: ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"],
    public: [
      ...["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"],
      // IPv4 in disguise is where its IPv4 address leads.
      ...["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"],
    ],
    private: [
      ...["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "169.254.0.1", "0.0.0.0"],
      ...["192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "255.255.255.255"],
      ...["::", "::ffff:0:0", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"],
      ...["2001:db8::1", "2001::1", "3fff::1", "ff02::1", "fe80::1", "fd00::1", "fc00::1%eth0"],
      ...["999.1.1.1", "", "localhost", "not an address", "1:2:3:4:5:6:7:8:9"],
    ],
  };
  for (const [reach, addresses] of Object.entries(reaches)) {
    for (const address of addresses) assert.equal(reachOfAddress(address), reach, address);
  }
});

Deno.test("reachOfHost() knows addresses and the names of private networks", () => {
  const reaches = {
    loopback: ["localhost", "a.localhost", "127.0.0.1", "[::1]"],
    private: ["router", "nas.local", "db.internal", "10.0.0.7", "[fd00::1]"],
    public: ["8.8.8.8", "[2606:4700::1111]"],
    named: ["mint.example"],
  };
  for (const [reach, hosts] of Object.entries(reaches)) {
    for (const host of hosts) assert.equal(reachOfHost(host), reach, host);
  }
});
