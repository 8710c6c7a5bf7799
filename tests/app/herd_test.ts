import assert from "node:assert/strict";
import { hashFromBytes } from "../../src/core/hash.ts";
import { fleetHerd } from "../../src/app/lifecycle/herd.ts";

const members = ["12D3KooWa", "12D3KooWb", "12D3KooWc", "12D3KooWd"];
const hashes = Array.from({ length: 400 }, (_, index) => {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, index);
  return hashFromBytes(bytes);
});

Deno.test("fleetHerd() puts all members into one order, a fair one over many blobs", () => {
  const firsts = new Map<string, number>();
  for (const hash of hashes) {
    const ahead = members.map((self) => {
      const herd = fleetHerd({ self, members })!;
      return members.filter((peer) => herd.comesBeforeUs(peer, hash)).length;
    });
    assert.deepEqual([...ahead].sort(), [0, 1, 2, 3]);
    const first = members[ahead.indexOf(0)]!;
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  for (const member of members) {
    assert.ok(firsts.get(member)! > 60, `${member} ${firsts.get(member)}`);
  }
});

Deno.test("fleetHerd() knows who belongs, and is none without a fleet", () => {
  const herd = fleetHerd({ self: "x", members })!;
  assert.equal(herd.isMember(members[0]!), true);
  assert.equal(herd.isMember("x"), false);
  assert.equal(fleetHerd({ self: "x", members: [] }), undefined);
});
