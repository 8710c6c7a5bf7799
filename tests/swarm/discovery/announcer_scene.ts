/** What the tests of the announcer share. */
import type { Hash } from "../../../src/core/hash.ts";
import { type NostrEvent, tagValue } from "../../../src/nostr/nostr.ts";
import { MemoryAdvertState } from "../../../swarm/discovery/advert_state.ts";
import {
  NostrAnnouncer,
  type NostrAnnouncerOptions,
} from "../../../swarm/discovery/nostr_announcer.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { FakePool, FakeStore, identity } from "./support.ts";

/** The announcer's keys. */
export const ann = await identity(1);

/** An announcer with everything around it in memory. */
export function setUp(
  options: Partial<Omit<NostrAnnouncerOptions, "relays">> & { fleet?: boolean } = {},
) {
  const clock = new ManualClock();
  const store = new FakeStore();
  const pool = new FakePool();
  const fleetPool = new FakePool();
  const state = options.state ?? new MemoryAdvertState();
  const errors: Error[] = [];
  const start = () =>
    NostrAnnouncer.start({
      store,
      relays: { public: pool, ...(options.fleet === false ? {} : { fleet: fleetPool }) },
      identity: ann,
      offer: () => ({ addrs: ["/ip4/192.0.2.1/tcp/1"] }),
      clock,
      random: seededRandom(1),
      onError: (error) => errors.push(error),
      ...options,
      state,
    });
  return { clock, store, pool, fleetPool, state, errors, start };
}

/** Blobs that events advertise. */
export const hashesIn = (events: readonly NostrEvent[]) =>
  events.filter((event) => event.kind === 30081 && event.content !== "")
    .map((event) => tagValue(event, "d") as Hash);

/** The time as events tell it. */
export const nowS = (clock: ManualClock) => Math.floor(clock.nowMs() / 1000);
