/** The pure parts: who stands where, whom to ask, who gets a seat, when to leave. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sha256 } from "../../../src/core/hash.ts";
import {
  ASK_ARITY,
  ASKS_MAX,
  BYTELESS_MS,
  PART_BYTES_MIN,
  PARTS_MAX,
  ROSTER_MS,
  ROSTER_PEERS_MAX,
  SEATS,
  SILENCE_MS,
  URGENT_SEATS,
} from "../../../swarm/cascade/limits.ts";
import { Order, partsOf } from "../../../swarm/cascade/order.ts";
import { Patience } from "../../../swarm/cascade/patience.ts";
import { Roster } from "../../../swarm/cascade/roster.ts";
import { Search } from "../../../swarm/cascade/search.ts";
import { type Seated, Seats } from "../../../swarm/cascade/seats.ts";

const digest = "ab".repeat(32) as Sha256;
const idsOf = (count: number) => Array.from({ length: count }, (_, index) => `peer${index}`);
const peersOf = (...ids: string[]) => ids.map((peerId) => ({ peerId, addrs: [] }));

Deno.test("partsOf() cuts any size into touching parts that are not too small", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (size) => {
    const parts = partsOf(size);
    assert.ok(parts.length >= 1 && parts.length <= PARTS_MAX);
    assert.equal(parts[0]!.start, 0);
    assert.equal(parts.at(-1)!.end, size);
    for (const [index, part] of parts.entries()) {
      assert.equal(part.index, index);
      if (index > 0) assert.equal(part.start, parts[index - 1]!.end);
      if (parts.length > 1) assert.ok(part.end - part.start >= PART_BYTES_MIN - 1);
    }
  }));
});

Deno.test("Order leads every member to the same first one, in few steps, and spreads the homes", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 1, max: PARTS_MAX }),
    (count, partCount) => {
      const members = idsOf(count);
      const order = new Order({ digest, members, partCount });
      // How a node lists the members does not matter.
      const same = new Order({ digest, members: members.toReversed(), partCount });
      const homes = new Map<number, number>();
      for (const id of members) homes.set(order.homeOf(id), (homes.get(order.homeOf(id)) ?? 0) + 1);
      assert.ok(
        Math.max(...homes.values()) - (count < partCount ? 0 : Math.min(...homes.values())) <= 1,
      );
      for (let part = 0; part < partCount; part++) {
        const firsts = new Set<string>();
        const asked = new Map<string, number>();
        for (const id of members) {
          const { ancestors, backups } = order.above(id, part);
          assert.deepEqual(same.above(id, part), { ancestors, backups });
          assert.ok(!ancestors.includes(id) && !backups.includes(id));
          assert.ok(ancestors.length <= Math.ceil(Math.log(count + 1) / Math.log(ASK_ARITY)) + 1);
          firsts.add(ancestors.at(-1) ?? id);
          const [near] = ancestors;
          if (near !== undefined) asked.set(near, (asked.get(near) ?? 0) + 1);
        }
        assert.equal(firsts.size, 1);
        for (const times of asked.values()) assert.ok(times <= ASK_ARITY);
      }
    },
  ));
});

Deno.test("Search asks whom others name first, then those above, and nobody twice", () => {
  const search = new Search({
    hints: peersOf("h1"),
    ancestors: peersOf("a1", "a2"),
    backups: peersOf("b1"),
    avoid: new Set(["self", "bad"]),
  });
  const next = () => {
    const candidate = search.next();
    return candidate && [candidate.peer.peerId, candidate.isNear, candidate.isUrgent];
  };
  assert.deepEqual(next(), ["h1", false, false]);
  search.answered(peersOf("x", "bad", "self", "h1"), true);
  assert.deepEqual(next(), ["x", false, false]);
  assert.deepEqual(next(), ["a1", true, false]);
  search.answered([], false);
  assert.deepEqual(next(), ["a2", false, false]);
  // The last one above did not answer: who stands in for it is asked.
  assert.deepEqual(next(), ["b1", false, false]);
  search.answered([], true);
  // Those that are full are asked once more for any seat, and then it is our turn.
  assert.deepEqual(next(), ["h1", false, true]);
  search.answered(peersOf("y"), true);
  assert.deepEqual(next(), ["y", false, true]);
  assert.deepEqual(next(), ["b1", false, true]);
  assert.equal(next(), undefined);
});

Deno.test("Search asks no stand-in when the first of all answered, and ends whatever is named", () => {
  const search = new Search({
    hints: [],
    ancestors: peersOf("top"),
    backups: peersOf("b1"),
    avoid: new Set(),
  });
  assert.equal(search.next()!.peer.peerId, "top");
  search.answered([], false);
  assert.equal(search.next(), undefined);
  const endless = new Search({ hints: peersOf("0"), ancestors: [], backups: [], avoid: new Set() });
  let count = 0;
  for (let found = endless.next(); found !== undefined; found = endless.next()) {
    endless.answered(peersOf(`${++count}`), true);
  }
  assert.ok(count <= ASKS_MAX);
});

Deno.test("Seats never holds more than its limit, and gives nobody's seat away without a better right", () => {
  const request = fc.record({
    isHome: fc.boolean(),
    isNear: fc.boolean(),
    isUrgent: fc.boolean(),
    leaves: fc.boolean(),
  });
  fc.assert(fc.property(
    fc.boolean(),
    fc.constantFrom(1, 4),
    fc.array(request, { maxLength: 60 }),
    (isHome, partCount, requests) => {
      const seats = new Seats<Seated>({ isHome, partCount });
      for (const [index, { isUrgent, leaves, ...newcomer }] of requests.entries()) {
        const seated = { peerId: `${index}`, ...newcomer };
        const before = [...seats.children];
        const seating = seats.seatingOf({
          newcomer: seated,
          isTop: false,
          childCount: before.length,
          isUrgent,
        });
        if (seating.kind === "instead") {
          assert.ok(!seating.child.isNear);
          assert.ok(newcomer.isNear || (newcomer.isHome && !seating.child.isHome));
          seats.remove(seating.child);
        }
        if (seating.kind !== "full") seats.add(seated);
        else assert.ok(seating.children.every((child) => before.includes(child)));
        assert.ok(seats.children.length <= SEATS + URGENT_SEATS);
        if (leaves && seats.children.length > 0) seats.remove(seats.children[0]!);
      }
    },
  ));
});

Deno.test("Roster remembers a bounded number of members for a while, the latest first", () => {
  const roster = new Roster();
  assert.deepEqual(roster.met(digest, peersOf("a")[0]!, 0), []);
  assert.deepEqual(roster.met(digest, peersOf("b")[0]!, 10), peersOf("a"));
  assert.deepEqual(roster.met(digest, peersOf("a")[0]!, 20), peersOf("b"));
  assert.deepEqual(roster.peersOf(digest, 30), peersOf("a", "b"));
  for (let index = 0; index < 100; index++) roster.met(digest, peersOf(`${index}`)[0]!, 40);
  assert.ok(roster.peersOf(digest, 50).length <= ROSTER_PEERS_MAX);
  assert.equal(roster.peersOf(digest, 50)[0]!.peerId, "99");
  assert.deepEqual(roster.peersOf(digest, 40 + ROSTER_MS), []);
});

Deno.test("Patience leaves who is silent, then who only ticks, and blames nobody for its own sleep", () => {
  const look = (patience: Patience, toMs: number, stepCount = 0, onLook?: (ms: number) => void) => {
    for (let ms = 200; ms <= toMs; ms += 200) {
      onLook?.(ms);
      const reason = patience.reasonToLeave(ms, stepCount);
      if (reason !== undefined) return ms;
    }
    return undefined;
  };
  assert.equal(look(new Patience(0), 5000), SILENCE_MS);
  const ticking = new Patience(0);
  assert.equal(look(ticking, 9000, 0, (ms) => ticking.heard(ms)), BYTELESS_MS);
  const far = new Patience(0);
  assert.ok(look(far, 9000, 3, (ms) => far.heard(ms))! > BYTELESS_MS + 2000);
  const fed = new Patience(0);
  assert.equal(look(fed, 20_000, 0, (ms) => fed.gained(ms)), undefined);
  assert.equal(fed.isStarving(20_000), false);
  assert.equal(fed.isStarving(25_000), true);
  const asleep = new Patience(0);
  assert.equal(asleep.reasonToLeave(60_000, 0), undefined);
});
