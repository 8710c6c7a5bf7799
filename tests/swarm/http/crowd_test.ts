import assert from "node:assert/strict";
import { Crowd } from "../../../swarm/http/mod.ts";

const LIMITS = { connectionsMax: 4, connectionsPerAddressMax: 2 };
const LOCAL = "198.51.100.9";

Deno.test("Crowd lets one network have its share, and another one its own", () => {
  const crowd = new Crowd(LIMITS);
  const leave = crowd.enter("192.0.2.1", LOCAL);
  assert.ok(leave);
  assert.ok(crowd.enter("192.0.2.1", LOCAL));
  assert.equal(crowd.enter("192.0.2.1", LOCAL), undefined);
  assert.ok(crowd.enter("203.0.113.1", LOCAL));
  leave();
  assert.ok(crowd.enter("192.0.2.1", LOCAL));
});

Deno.test("Crowd lets its own machine have all places, and nobody more", () => {
  const crowd = new Crowd(LIMITS);
  const leaves = ["127.0.0.1", "127.0.0.1", "127.0.0.1", LOCAL].map((from) =>
    crowd.enter(from, LOCAL)
  );
  assert.ok(leaves.every((leave) => leave !== undefined));
  assert.equal(crowd.enter("127.0.0.1", LOCAL), undefined);
  assert.equal(crowd.enter("192.0.2.1", LOCAL), undefined);
  leaves[3]!();
  assert.ok(crowd.enter("192.0.2.1", LOCAL));
});
