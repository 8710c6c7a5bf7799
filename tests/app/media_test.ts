/** Whom a film is fetched from that is watched on this machine. */
import assert from "node:assert/strict";
import type { Hash } from "../../src/core/hash.ts";
import { systemClock } from "../../src/host/system.ts";
import { mediaFetch } from "../../src/app/lifecycle/media.ts";
import type { FreeRequest } from "../../src/app/lifecycle/transfers.ts";
import type { ProviderHint } from "../../swarm/ports.ts";
import { ManualClock } from "../support/manual_clock.ts";

const FILM = "ab".repeat(32) as Hash;
const PART = "cd".repeat(32) as Hash;
const PEER: ProviderHint = { peerId: "peer", addrs: [], via: "advert", bound: false };

function scene(hints: readonly ProviderHint[], clock = systemClock as ManualClock) {
  const asked: Hash[] = [];
  const fetched: FreeRequest[] = [];
  const fetch = mediaFetch({
    clock,
    discovery: {
      async *find(query) {
        asked.push((query as { hash: Hash }).hash);
        yield* hints;
        if (hints.length === 0) throw new Error("no relay answers");
      },
    },
    transfers: { fetchFree: (request) => Promise.resolve(void fetched.push(request)) },
  });
  const play = (collection?: Hash) =>
    fetch({
      hash: PART,
      size: collection === undefined ? 0 : 10,
      ...(collection === undefined ? {} : { collection }),
      attributes: { visibility: "public" },
      position: () => 5,
      signal: new AbortController().signal,
    });
  return { asked, fetched, play };
}

Deno.test("mediaFetch() asks once a minute who has a collection, and fetches its parts from them", async () => {
  const clock = new ManualClock();
  const { asked, fetched, play } = scene([PEER], clock);
  await play(FILM);
  await play(FILM);
  assert.deepEqual(asked, [FILM]);
  assert.deepEqual(fetched.map(({ hash, size, hints }) => ({ hash, size, hints })), [
    { hash: PART, size: 10, hints: [PEER] },
    { hash: PART, size: 10, hints: [PEER] },
  ]);
  assert.equal(fetched[0]!.position?.(), 5);
  await clock.advance(60_001);
  await play(FILM);
  assert.deepEqual(asked, [FILM, FILM]);
});

Deno.test("mediaFetch() fetches on when nobody is found, and looks again for the next part", async () => {
  const { asked, fetched, play } = scene([]);
  await play(FILM);
  await play(FILM);
  assert.deepEqual(asked, [FILM, FILM]);
  assert.deepEqual(fetched.map(({ hints }) => hints), [[], []]);
});

Deno.test("mediaFetch() looks for a collection by its own hash alone", async () => {
  const { asked, fetched, play } = scene([PEER]);
  await play();
  assert.deepEqual(asked, []);
  assert.equal(fetched[0]!.size, undefined);
});
