/** A cascade over real connections: TCP, Noise and Yamux on loopback, stores on disk. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { Cascade } from "../../../swarm/cascade/mod.ts";
import { Fleet, issueCertificate } from "../../../swarm/fleet.ts";
import { FileBlobStore } from "../../../swarm/store/mod.ts";
import { ed25519PublicKey } from "../../../src/core/ed25519.ts";
import { startNetwork } from "../../support/libp2p.ts";
import { Line, shapedOrigin } from "../../support/shaped_network.ts";
import { layerOf } from "./world.ts";

const MB = 1_000_000;

Deno.test({
  name: "four nodes with certificates of one fleet take a layer from upstream once, over libp2p",
  // libp2p's lock package keeps a channel open.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const directory = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const fleetSecret = new Uint8Array(32).fill(9);
    const key = await ed25519PublicKey(fleetSecret);
    const line = new Line(20 * MB, systemClock);
    const layer = layerOf(24 * MB);
    const networks = await Promise.all([1, 2, 3, 4].map((seed) => startNetwork(seed)));
    const cascades = await Promise.all(networks.map(async (network) => {
      stack.use(network);
      const certificate = await issueCertificate({
        fleetSecret,
        peerId: network.peerId,
        expiresMs: systemClock.nowMs() + 60_000,
      });
      const own = join(directory, network.peerId);
      const store = stack.use(
        await FileBlobStore.open({ directory: join(own, "store"), clock: systemClock }),
      );
      return stack.use(
        await Cascade.start({
          network,
          store,
          fleet: new Fleet({ key, clock: systemClock }),
          certificate,
          members: () => networks.map((one) => ({ peerId: one.peerId, addrs: one.addresses() })),
          directory: join(own, "cascade"),
          clock: systemClock,
          random: systemRandom,
        }),
      );
    }));
    const { signal } = new AbortController();
    const origin = shapedOrigin({ bytes: layer.bytes, line });
    const { sha256, size, hash } = layer;
    const records = await Promise.all(
      cascades.map((cascade) => cascade.bring({ sha256, size, origin, signal })),
    );
    for (const record of records) assert.equal(record.hash, hash);
    assert.equal(line.bytes, size);
  },
});
