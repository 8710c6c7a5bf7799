/** Announcing and finding through a real relay on loopback. */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { RelayPool } from "../../../src/nostr/relay_pool.ts";
import { RelayServer } from "../../../src/nostr/relay/relay_server.ts";
import { MemoryAdvertState } from "../../../swarm/discovery/advert_state.ts";
import { NostrAnnouncer } from "../../../swarm/discovery/nostr_announcer.ts";
import { NostrDiscovery } from "../../../swarm/discovery/nostr_discovery.ts";
import { digestOf, FakeStore, identity } from "./support.ts";

const ann = await identity(1);

Deno.test("what NostrAnnouncer publishes, NostrDiscovery finds on a real relay, until it is withdrawn", async () => {
  const clock = systemClock;
  const random = systemRandom;
  await using server = await RelayServer.listen({ storage: "memory", clock, random });
  await using annPool = new RelayPool({ relays: [server.url], clock, random });
  await using bobPool = new RelayPool({ relays: [server.url], clock, random });
  const store = new FakeStore();
  const hash = store.put(1, { sha256: digestOf(1), kind: "collection" });
  await using announcer = NostrAnnouncer.start({
    store,
    relays: { public: annPool },
    identity: ann,
    offer: () => ({ addrs: ["/ip4/127.0.0.1/tcp/4001"] }),
    state: new MemoryAdvertState(),
    clock,
    random,
    limits: { debounceMs: 10 },
  });
  await announcer.settled();
  const discovery = () => new NostrDiscovery({ pool: bobPool, clock, random });
  const found = async (query: Parameters<NostrDiscovery["find"]>[0]) => {
    const hints = [];
    for await (const hint of discovery().find(query)) hints.push(hint);
    return hints;
  };
  for (const query of [{ hash }, { sha256: digestOf(1) }]) {
    const [hint] = await found(query);
    assert.equal(hint!.peerId, ann.peerId);
    assert.equal(hint!.bound, true);
    assert.equal(hint!.via, "advert");
    assert.equal(hint!.hash, hash);
    assert.deepEqual(hint!.addrs, ["/ip4/127.0.0.1/tcp/4001"]);
  }
  store.records.delete(hash);
  announcer.withdraw(hash);
  await announcer.settled();
  assert.deepEqual((await found({ hash })).map((hint) => hint.via), ["node-advert"]);
});
