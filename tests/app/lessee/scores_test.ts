/** What the node's own leases say of providers, where the market is listed. */
import assert from "node:assert/strict";
import { loadConfig, noInputs } from "../../../src/app/config/load.ts";
import { openIdentity } from "../../../src/app/identity.ts";
import { openRenting } from "../../../src/app/lifecycle/lessee/mod.ts";
import { systemClock } from "../../../src/host/system.ts";
import { nostrPublicKey, signEvent } from "../../../src/nostr/mod.ts";
import { buildOffer } from "../../../provisioning/wire/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { lease, ReceiptStore } from "../../../trust/mod.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { MemoryRelay } from "../../support/provisioning/post_world.ts";
import { countingRandom } from "../../trust/support.ts";
import { GIVEN, HAD } from "../../trust/lease/support.ts";

const NOW_S = Math.floor(systemClock.nowMs() / 1000);
const WORK = { signal: new AbortController().signal, emit: () => {} };
const [ROBBER, STRANGER, FRIEND] = [31, 32, 33].map((seed) => new Uint8Array(32).fill(seed)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

/** A relay with offers, as much of a pool as renting uses. */
class OfferRelay extends MemoryRelay {
  status = () => [{ url: "wss://relay.example", state: "open" }];

  async offer(secretKey: Uint8Array, rateMsatPerS: number): Promise<void> {
    const template = buildOffer({
      provider: nostrPublicKey(secretKey),
      name: `at ${rateMsatPerS}`,
      capabilities: ["oci"],
      specs: [{ ...BASIC, rateMsatPerS }],
      mints: ["https://mint.example"],
      uptimePercent: 100,
      jobsCompletedCount: 5,
      isolation: "shared-kernel",
    }, { createdAtS: NOW_S });
    await this.publish(signEvent(template, secretKey));
  }
}

Deno.test("the market by score has first who kept its word to us, and last who robbed us", async () => {
  const data = await Deno.makeTempDir({ prefix: "scores-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(data, { recursive: true }));
  const receipts = stack.use(ReceiptStore.open(":memory:"));
  const relay = new OfferRelay();
  await relay.offer(ROBBER, 50);
  await relay.offer(STRANGER, 60);
  await relay.offer(FRIEND, 70);
  const { values: config } = await loadConfig({ ...noInputs, flags: { data } });
  const identity = await openIdentity({ directory: data, words: config.seed });
  const host = openRenting(
    {
      ...{ config, identity, problems: [], stack, role: "client" },
      store: stack.use(new MemoryBlobStore({ clock: systemClock })),
      pools: { public: relay },
      money: { receipts: { store: () => Promise.resolve(receipts) }, wallet: {} },
    } as unknown as Parameters<typeof openRenting>[0],
  );
  const desk = await host.open();
  const listed = async (sort: "price" | "score") => {
    const { offers } = await desk["market.list"]({ sort, withOffline: true }, WORK);
    return offers.map(({ tiers, score }) => [tiers[0]!.rateMsatPerS, score]);
  };
  assert.deepEqual(await listed("score"), [[50, null], [60, null], [70, null]]);

  const consumer = nostrPublicKey(identity.nostrSecret);
  const signer = (secretKey: Uint8Array) => ({ secretKey, publishes: false });
  const random = countingRandom();
  const common = { clock: systemClock, random };
  const lessee = new lease.LesseeLeases({
    ...{ ...common, store: receipts, signer: signer(identity.nostrSecret) },
  });
  using theirs = ReceiptStore.open(":memory:");
  const friend = new lease.ProviderLeases({ ...common, store: theirs, signer: signer(FRIEND) });
  const provider = nostrPublicKey(FRIEND);
  const id = `${provider}:container-3:${NOW_S}`;
  const agreed = await lessee.conclude({ ...HAD, provider, lease: id }, (paper) => {
    const { signed, image, salt } = friend.offer({ ...GIVEN, lease: id, consumer });
    if (paper !== undefined) friend.keep(id, paper);
    const opening = { digest: image!, salt: salt! };
    return Promise.resolve({ status: "paper", paper: { signed, opening } });
  });
  assert.equal(agreed.state, "agreed", String(agreed.reason));
  const { lease: _, readyS: __, ...unanswered } = HAD;
  await lessee.conclude(
    { ...unanswered, provider: nostrPublicKey(ROBBER), refundedSat: 0, ending: "unanswered" },
    () => Promise.reject(new Error("nobody is asked")),
  );
  assert.deepEqual(await listed("score"), [[70, 500], [60, null], [50, -500]]);
  assert.deepEqual(await listed("price"), [[50, -500], [60, null], [70, 500]]);
});
