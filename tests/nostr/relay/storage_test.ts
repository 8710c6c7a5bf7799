/** What every storage of the relay must do; runs against both. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Filter } from "../../../src/nostr/filter.ts";
import { PRIVATE_KINDS } from "../../../src/nostr/kinds.ts";
import type { NostrEvent } from "../../../src/nostr/nostr.ts";
import { MemoryStorage } from "../../../src/nostr/relay/memory_storage.ts";
import { SqliteStorage } from "../../../src/nostr/relay/sqlite_storage.ts";
import type { EventStorage, StorageLimits } from "../../../src/nostr/relay/storage.ts";

const LIMITS: StorageLimits = { eventsMax: 1000, eventsPerAuthorMax: 100 };
const ANN = "a".repeat(64);
const BOB = "b".repeat(64);
const CID = "c".repeat(64);

let serial = 0;

/** An event with a made-up id and signature: a storage never looks at them. */
function event(fields: Partial<NostrEvent> = {}): NostrEvent {
  serial++;
  return {
    id: serial.toString(16).padStart(64, "0"),
    pubkey: ANN,
    created_at: 100,
    kind: 1,
    tags: [],
    content: `event ${serial}`,
    sig: "0".repeat(128),
    ...fields,
  };
}

function find(
  storage: EventStorage,
  filter: Filter,
  { nowS = 1000, limit = 100, keys = [] as string[], privateKinds = PRIVATE_KINDS } = {},
): NostrEvent[] {
  return storage.find(filter, { nowS, limit, viewer: { keys, privateKinds } })
    .map((handle) => JSON.parse(storage.read(handle)!));
}

const makers: readonly (readonly [string, (limits?: StorageLimits) => EventStorage])[] = [
  ["MemoryStorage", (limits = LIMITS) => new MemoryStorage(limits)],
  ["SqliteStorage", (limits = LIMITS) => SqliteStorage.open(":memory:", limits)],
];

for (const [name, make] of makers) {
  Deno.test(`${name} finds events by each condition, newest first`, () => {
    using storage = make();
    const first = event({ created_at: 1, tags: [["t", "x"], ["long", "y"]] });
    const second = event({ created_at: 2, pubkey: BOB, tags: [["t", "x"], ["d", "z"]] });
    const third = event({ created_at: 2, kind: 7, tags: [["t", "w"]] });
    for (const one of [first, second, third]) assert.equal(storage.save(one), "stored");
    assert.equal(storage.count, 3);
    assert.deepEqual(find(storage, {}), [second, third, first], "ties go to the lowest id");
    assert.deepEqual(find(storage, {}, { limit: 2 }), [second, third]);
    assert.deepEqual(find(storage, { ids: [first.id, third.id] }), [third, first]);
    assert.deepEqual(find(storage, { authors: [BOB] }), [second]);
    assert.deepEqual(find(storage, { kinds: [7] }), [third]);
    assert.deepEqual(find(storage, { since: 2 }), [second, third]);
    assert.deepEqual(find(storage, { until: 1 }), [first]);
    assert.deepEqual(find(storage, { "#t": ["x"] }), [second, first]);
    assert.deepEqual(find(storage, { "#t": ["x", "w"] }), [second, third, first]);
    assert.deepEqual(find(storage, { "#t": ["x"], "#d": ["z"] }), [second]);
    assert.deepEqual(find(storage, { "#t": ["x"], authors: [ANN] }), [first]);
    for (const none of [{ kinds: [] }, { "#t": [] }, { ids: [] }, { "#t": ["x"], "#d": [] }]) {
      assert.deepEqual(find(storage, none), [], JSON.stringify(none));
    }
  });

  Deno.test(`${name} keeps an event once`, () => {
    using storage = make();
    const one = event();
    assert.equal(storage.has(one.id), false);
    assert.equal(storage.save(one), "stored");
    assert.equal(storage.save(one), "duplicate");
    assert.equal(storage.has(one.id), true);
    assert.equal(storage.count, 1);
  });

  Deno.test(`${name} keeps the newest of an address, and of one second the lowest id`, () => {
    using storage = make();
    const low = event({ kind: 30081, created_at: 5, tags: [["d", "x"]] });
    const high = event({ kind: 30081, created_at: 5, tags: [["d", "x"]] });
    const newer = event({ kind: 30081, created_at: 6, tags: [["d", "x"]] });
    const elsewhere = event({ kind: 30081, created_at: 1, tags: [["d", "y"]] });
    const others = event({ kind: 30081, created_at: 1, pubkey: BOB, tags: [["d", "x"]] });
    assert.equal(storage.save(high), "stored");
    assert.equal(storage.save(low), "stored");
    assert.equal(storage.save(high), "superseded");
    assert.equal(storage.save(newer), "stored");
    assert.equal(storage.save(low), "superseded");
    assert.equal(storage.save(elsewhere), "stored");
    assert.equal(storage.save(others), "stored");
    assert.deepEqual(find(storage, { "#d": ["x"] }), [newer, others]);
    assert.equal(storage.count, 3);
  });

  Deno.test(`${name} replaces by kind alone where the kind has no d tag`, () => {
    using storage = make();
    const older = event({ kind: 13081, tags: [["d", "x"]] });
    const newer = event({ kind: 13081, created_at: 200, tags: [["d", "y"]] });
    storage.save(older);
    storage.save(newer);
    assert.deepEqual(find(storage, {}), [newer]);
    const profile = event({ kind: 0, created_at: 300 });
    storage.save(event({ kind: 0 }));
    storage.save(profile);
    assert.deepEqual(find(storage, { kinds: [0] }), [profile]);
  });

  Deno.test(`${name} carries out its author's deletion request, and remembers it`, () => {
    using storage = make();
    const mine = event();
    const theirs = event({ pubkey: BOB });
    storage.save(mine);
    storage.save(theirs);
    const request = event({ kind: 5, tags: [["e", mine.id], ["e", theirs.id]] });
    assert.equal(storage.save(request), "stored");
    assert.deepEqual(find(storage, {}), [theirs, request]);
    assert.equal(storage.save(mine), "deleted");
    const again = event({ kind: 5, tags: [["e", request.id]] });
    storage.save(again);
    assert.equal(storage.has(request.id), true, "a request cannot be deleted");
  });

  Deno.test(`${name} deletes an address up to the date of the request`, () => {
    using storage = make();
    const advert = (created_at: number, pubkey = ANN) =>
      event({ kind: 30081, created_at, pubkey, tags: [["d", "x"]] });
    const request = (pubkey: string) =>
      event({ kind: 5, created_at: 50, pubkey, tags: [["a", `30081:${ANN}:x`]] });
    const old = advert(50);
    storage.save(old);
    storage.save(request(BOB));
    assert.equal(storage.has(old.id), true, "only the author may ask");
    storage.save(request(ANN));
    assert.equal(storage.has(old.id), false);
    assert.equal(storage.save(advert(50)), "deleted");
    assert.equal(storage.save(advert(49)), "deleted");
    assert.equal(storage.save(advert(51)), "stored");
    assert.equal(storage.save(advert(10, BOB)), "stored");
  });

  Deno.test(`${name} does not find what has expired, and removes it when told`, () => {
    using storage = make();
    storage.save(event({ tags: [["expiration", "1000"]] }));
    const lasting = event({ tags: [["expiration", "1001"]] });
    storage.save(lasting);
    assert.deepEqual(find(storage, {}, { nowS: 1000 }), [lasting]);
    assert.equal(storage.removeExpired(1000), 1);
    assert.equal(storage.removeExpired(1000), 0);
    assert.equal(storage.count, 1);
  });

  Deno.test(`${name} shows private kinds to their author and addressees only`, () => {
    using storage = make();
    const wrap = event({ kind: 1059, pubkey: CID, tags: [["p", BOB]] });
    const letter = event({ kind: 4, tags: [["p", BOB], ["p", CID]] });
    const open = event({ tags: [["p", BOB]] });
    for (const one of [wrap, letter, open]) storage.save(one);
    assert.deepEqual(find(storage, {}), [open]);
    assert.deepEqual(find(storage, { kinds: [4, 1059] }), []);
    assert.deepEqual(
      find(storage, { "#p": [BOB] }, { limit: 1 }),
      [open],
      "limit counts what is shown",
    );
    assert.deepEqual(find(storage, {}, { keys: [BOB] }), [wrap, letter, open]);
    assert.deepEqual(find(storage, {}, { keys: [ANN] }), [letter, open]);
    assert.deepEqual(find(storage, {}, { keys: [ANN, CID] }), [wrap, letter, open]);
    assert.deepEqual(find(storage, {}, { privateKinds: new Set() }), [wrap, letter, open]);
  });

  Deno.test(`${name} makes room by forgetting what came longest ago`, () => {
    using storage = make({ eventsMax: 3, eventsPerAuthorMax: 100 });
    const events = Array.from({ length: 5 }, (_, index) => event({ created_at: 100 - index }));
    for (const one of events) assert.equal(storage.save(one), "stored");
    assert.deepEqual(find(storage, {}), events.slice(2));
    assert.equal(storage.count, 3);
  });

  Deno.test(`${name} takes no more of one author than the limit, but lets him replace`, () => {
    using storage = make({ eventsMax: 100, eventsPerAuthorMax: 2 });
    storage.save(event({ kind: 30081, tags: [["d", "x"]] }));
    storage.save(event());
    assert.equal(storage.save(event()), "full");
    assert.equal(
      storage.save(event({ kind: 30081, created_at: 200, tags: [["d", "x"]] })),
      "stored",
    );
    assert.equal(storage.save(event({ pubkey: BOB })), "stored");
    storage.removeExpired(1000);
    assert.equal(storage.count, 3);
  });

  Deno.test(`${name} reads nothing for an event that is gone`, () => {
    using storage = make();
    storage.save(event({ tags: [["expiration", "2000"]] }));
    const [handle] = storage.find({}, {
      nowS: 1,
      limit: 1,
      viewer: { keys: [], privateKinds: PRIVATE_KINDS },
    });
    storage.removeExpired(3000);
    assert.equal(storage.read(handle!), undefined);
  });
}

const arbitraryEvent = fc.record({
  id: fc.integer({ min: 1, max: 60 }).map((n) => n.toString(16).padStart(64, "0")),
  pubkey: fc.constantFrom(ANN, BOB),
  created_at: fc.integer({ min: 0, max: 4 }),
  kind: fc.constantFrom(0, 1, 4, 5, 10002, 30081),
  tags: fc.array(
    fc.oneof(
      fc.tuple(fc.constantFrom("d", "t"), fc.constantFrom("x", "y")),
      fc.tuple(fc.constant("p"), fc.constantFrom(ANN, BOB)),
      fc.tuple(
        fc.constant("e"),
        fc.integer({ min: 1, max: 60 }).map((n) => n.toString(16).padStart(64, "0")),
      ),
      fc.constantFrom(["a", `30081:${ANN}:x`], ["a", `30081:${BOB}:`], ["a", `0:${ANN}:`], ["a"]),
      fc.tuple(fc.constant("expiration"), fc.constantFrom("900", "2000")),
    ),
    { maxLength: 4 },
  ),
  content: fc.constant(""),
  sig: fc.constant("0".repeat(128)),
});

const filters: readonly Filter[] = [
  {},
  { kinds: [0, 30081] },
  { authors: [ANN], kinds: [1] },
  { "#d": ["x"] },
  { "#t": ["x", "y"], since: 1 },
  { "#p": [ANN], until: 3 },
  { "#d": ["x"], "#t": ["x"] },
  { ids: ["1".padStart(64, "0"), "2".padStart(64, "0")], "#d": ["x"] },
];

Deno.test("both storages say and find the same, whatever comes in whatever order", () => {
  fc.assert(
    fc.property(fc.array(arbitraryEvent, { maxLength: 60 }), (events) => {
      const limits = { eventsMax: 25, eventsPerAuthorMax: 20 };
      using memory = new MemoryStorage(limits);
      using sqlite = SqliteStorage.open(":memory:", limits);
      for (const one of events) assert.equal(sqlite.save(one), memory.save(one));
      for (const filter of filters) {
        for (const keys of [[], [ANN]]) {
          const options = { keys, limit: 5 };
          assert.deepEqual(find(sqlite, filter, options), find(memory, filter, options));
        }
      }
      assert.equal(sqlite.removeExpired(1000), memory.removeExpired(1000));
      assert.equal(sqlite.count, memory.count);
    }),
    { numRuns: 150 },
  );
});

Deno.test("SqliteStorage knows its events after it was opened again", async () => {
  const path = await Deno.makeTempFile({ suffix: ".db" });
  const kept = event({ kind: 30081, tags: [["d", "x"]] });
  {
    using storage = SqliteStorage.open(path, LIMITS);
    storage.save(kept);
  }
  {
    using storage = SqliteStorage.open(path, { eventsMax: 10, eventsPerAuthorMax: 1 });
    assert.equal(storage.count, 1);
    assert.deepEqual(find(storage, {}), [kept]);
    assert.equal(storage.save(event()), "full");
  }
  await Deno.remove(path);
});

Deno.test("SqliteStorage.open says what is wrong with a file that is no database", async () => {
  const path = await Deno.makeTempFile({ suffix: ".db" });
  await Deno.writeTextFile(
    path,
    "not a database at all, but long enough to be read as one".repeat(50),
  );
  assert.throws(() => SqliteStorage.open(path, LIMITS), { code: "storage" });
  assert.throws(() => SqliteStorage.open("/nowhere/at/all.db", LIMITS), { code: "storage" });
  await Deno.remove(path);
});
