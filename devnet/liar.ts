/**
 * A seeder that lies: it advertises a file like any other seeder, grants every request, and changes
 * bytes of every chunk group that it sends. Prints `{"event":"ready","peerId","hash"}`.
 *
 * Usage: deno run -A devnet/liar.ts RELAY_URL FILE DIRECTORY
 */
import { deriveKey, newSeedWords } from "../src/core/keys.ts";
import { systemClock as clock, systemRandom as random } from "../src/host/mod.ts";
import { RelayPool } from "../src/nostr/mod.ts";
import { MemoryAdvertState, NostrAnnouncer } from "../swarm/discovery/mod.ts";
import { Libp2pNetwork } from "../swarm/net/libp2p_network.ts";
import { Provider } from "../swarm/provider/mod.ts";
import type { BlobReader, BlobStore } from "../swarm/store/blob_store.ts";
import { FileBlobStore } from "../swarm/store/mod.ts";

/** Far less than a chunk group apart, so that none gets through unchanged. */
const LIE_EVERY_BYTES = 1000;

/** A reader whose content is wrong in every chunk group. */
function lyingReader(reader: BlobReader): BlobReader {
  return new Proxy(reader, {
    get(target, property) {
      if (property === "encode") {
        return async function* (...args: Parameters<BlobReader["encode"]>) {
          for await (const piece of target.encode(...args)) {
            for (let at = piece.length - 1; at >= 0; at -= LIE_EVERY_BYTES) piece[at]! ^= 1;
            yield piece;
          }
        };
      }
      const value = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A store that is honest to its owner and hands lying readers to the provider. */
function lyingStore(store: BlobStore): BlobStore {
  return new Proxy(store, {
    get(target, property) {
      if (property === "openReader") {
        return async (...args: Parameters<BlobStore["openReader"]>) =>
          lyingReader(await target.openReader(...args));
      }
      const value = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const [relay, file, directory] = Deno.args;
if (relay === undefined || file === undefined || directory === undefined) {
  console.error("Usage: deno run -A devnet/liar.ts RELAY_URL FILE DIRECTORY");
  Deno.exit(2);
}
const words = newSeedWords();
const secretKey = deriveKey(words, "seedmint/libp2p/ed25519/v1");
const store = await FileBlobStore.open({ directory, quotaBytes: 2 ** 40, clock });
const { hash } = await store.importFile(file, { mode: "in-place", tag: "lie" });
const network = await Libp2pNetwork.start({
  secretKey,
  listen: ["/ip4/127.0.0.1/tcp/0"],
  clock,
  mdns: false,
});
await Provider.start({ network, store: lyingStore(store), clock, random });
const announcer = NostrAnnouncer.start({
  store,
  relays: { public: new RelayPool({ relays: [relay], clock, random }) },
  identity: {
    peerId: network.peerId,
    libp2pSecretKey: secretKey,
    nostrSecretKey: deriveKey(words, "seedmint/nostr/secp256k1/v1"),
  },
  offer: () => ({ addrs: network.addresses() }),
  state: new MemoryAdvertState(),
  clock,
  random,
});
await announcer.settled();
console.log(JSON.stringify({ event: "ready", peerId: network.peerId, hash }));
Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
