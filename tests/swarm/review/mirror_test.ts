/** What a key that may upload must not be able to do by `PUT /mirror`. */
import { deepEqual, equal } from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { nostrPublicKey } from "../../../src/nostr/nostr.ts";
import { UPLOADS_MAX } from "../../../swarm/gateway/limits.ts";
import type { ServerFetch } from "../../../swarm/gateway/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { ALICE, ask, authorization, sha256Of, startWorld } from "../gateway/support.ts";
import { content } from "../provider/support.ts";

const BYTES = content(5000);
const SHA256 = await sha256Of(BYTES);

/** A gateway whose mirror does as the application's: what is here already is not fetched. */
async function withMirror(fetched: (request: ServerFetch) => Promise<boolean>) {
  const store = new MemoryBlobStore({ clock: systemClock });
  const world = await startWorld({
    store,
    uploads: {
      keys: [nostrPublicKey(ALICE)],
      mirror: async (request) =>
        store.findBySha256(request.sha256) !== undefined || await fetched(request),
    },
  });
  const mirror = (sha256: string) =>
    ask(world, "/mirror", {
      method: "PUT",
      body: JSON.stringify({ url: `https://other.example/${sha256}` }),
      headers: { authorization: authorization({ verb: "upload", x: [sha256] }) },
    });
  return { world, store, mirror };
}

Deno.test("PUT /mirror says of what is hidden here what it says of what no server has", async () => {
  const { world, store, mirror } = await withMirror(() => Promise.resolve(false));
  await using _ = world;
  const absent = await mirror(SHA256);
  equal(absent.status, 502);
  for (const visibility of ["private", "fleet"] as const) {
    await store.importBytes(BYTES, { visibility });
    const hidden = await mirror(SHA256);
    deepEqual([hidden.status, hidden.text], [absent.status, absent.text], visibility);
    deepEqual(store.findBySha256(SHA256 as never)!.tags, []);
  }
});

Deno.test("PUT /mirror fetches no more at one time than uploads may be", async () => {
  const gate = Promise.withResolvers<boolean>();
  let fetchingCount = 0;
  const { world, mirror } = await withMirror(() => {
    fetchingCount += 1;
    return gate.promise;
  });
  await using _ = world;
  const names = Array.from({ length: UPLOADS_MAX }, (_, index) => `${index}`.padStart(64, "0"));
  const waiting = names.map(mirror);
  while (fetchingCount < UPLOADS_MAX) await systemClock.sleep(2);
  equal((await mirror("f".repeat(64))).status, 503);
  gate.resolve(false);
  deepEqual((await Promise.all(waiting)).map(({ status }) => status), names.map(() => 502));
  equal((await mirror("f".repeat(64))).status, 502, "places are given back");
});
