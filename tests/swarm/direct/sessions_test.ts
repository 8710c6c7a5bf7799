import { deepEqual, equal, notDeepEqual } from "node:assert/strict";
import { systemRandom } from "../../../src/host/system.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  SESSION_TTL_MS,
  SESSIONS_MAX,
  SESSIONS_PER_PEER_MAX,
} from "../../../swarm/direct/limits.ts";
import { decodeDirectRequest, encodeDirectRequest } from "../../../swarm/direct/request.ts";
import { type DirectSession, DirectSessions } from "../../../swarm/direct/sessions.ts";

const HASH = "11".repeat(32) as Hash;

class Sessions {
  nowMs = 0;
  readonly sessions = new DirectSessions({
    clock: { monotonicMs: () => this.nowMs },
    random: systemRandom,
  });

  grant(peerId: string): DirectSession {
    return this.sessions.grant({ viewer: { peerId, fleet: false }, hash: HASH });
  }

  /** Whether a request of `session` with this counter is taken. */
  take(session: DirectSession, counter: number, hash = HASH): boolean {
    const body = encodeDirectRequest(
      { session: session.id, hash, ranges: RangeSet.ALL, counter },
      session.key,
    );
    const { request, mac } = decodeDirectRequest(body);
    return this.sessions.take(request, mac) !== undefined;
  }
}

Deno.test("DirectSessions.take takes each counter once and only upwards", () => {
  const held = new Sessions();
  const session = held.grant("alice");
  deepEqual([0, 0, 1, 5, 5, 3, 6].map((counter) => held.take(session, counter)), [
    true,
    false,
    true,
    true,
    false,
    false,
    true,
  ]);
});

Deno.test("DirectSessions.take refuses an unknown session, another blob and a wrong key", () => {
  const held = new Sessions();
  const session = held.grant("alice");
  const other = held.grant("alice");
  notDeepEqual(session.id, other.id);
  notDeepEqual(session.key, other.key);
  equal(held.take({ ...session, id: new Uint8Array(16) }, 0), false);
  equal(held.take({ ...session, key: other.key }, 0), false);
  equal(held.take(session, 0, "22".repeat(32) as Hash), false);
  // None of these used the counter up.
  equal(held.take(session, 0), true);
});

Deno.test("DirectSessions lets a session go when it is not used for its lifetime", () => {
  const held = new Sessions();
  const session = held.grant("alice");
  held.nowMs += SESSION_TTL_MS - 1;
  equal(held.take(session, 0), true);
  held.nowMs += SESSION_TTL_MS - 1;
  equal(held.take(session, 1), true);
  held.nowMs += SESSION_TTL_MS;
  equal(held.take(session, 2), false);
  equal(held.sessions.count, 0);
});

Deno.test("DirectSessions holds no more than its limits, for one peer and for all", () => {
  const held = new Sessions();
  const first = held.grant("alice");
  const second = held.grant("alice");
  equal(held.take(first, 0), true);
  for (let count = 2; count <= SESSIONS_PER_PEER_MAX; count++) held.grant("alice");
  equal(held.sessions.count, SESSIONS_PER_PEER_MAX);
  equal(held.take(second, 0), false, "the one that was used longest ago goes");
  equal(held.take(first, 1), true);
  for (let peer = 0; peer < SESSIONS_MAX; peer++) held.grant(`peer-${peer}`);
  equal(held.sessions.count, SESSIONS_MAX);
});
