import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type EventTemplate,
  type NostrEvent,
  npub,
  signEvent,
  verifyEvent,
} from "../../../src/nostr/nostr.ts";
import {
  buildHeartbeat,
  buildOffer,
  buildPromotion,
  buildRevocation,
  KIND_HEARTBEAT,
  KIND_LEGACY_OFFER,
  KIND_LIVE_HEARTBEAT,
  KIND_OFFER,
  KIND_PROMOTION,
  KIND_REVOCATION,
  type OfferBody,
  readHeartbeat,
  readLegacyOffer,
  readOffer,
  readPromotion,
  readRevocation,
} from "../../../provisioning/wire/mod.ts";
import { AT_S, CONTENTS, KEYS, paygressReads, SECRETS } from "./fixtures.ts";

const NOW = { nowS: AT_S + 400 };

/** The seven members without an id and a signature: readers are given what was checked already. */
function event(kind: number, tags: string[][], content: string, pubkey = KEYS.provider) {
  return {
    id: "0".repeat(64),
    sig: "0".repeat(128),
    pubkey,
    kind,
    tags,
    content,
    created_at: AT_S + 20,
  };
}

const offer = (content: string = CONTENTS.offer, pubkey = KEYS.provider) =>
  event(
    KIND_OFFER,
    [["t", "paygress"], ["t", "compute"], ["d", `paygress:offer:v1:${pubkey}`], ["v", "1"]],
    content,
    pubkey,
  );
const heartbeat = (content: string = CONTENTS.heartbeat, pubkey = KEYS.provider) =>
  event(
    KIND_HEARTBEAT,
    [
      ["t", "paygress-heartbeat"],
      ["p", pubkey],
      ["d", `paygress:heartbeat:v1:${pubkey}:29756667`],
      ["v", "1"],
    ],
    content,
    pubkey,
  );
const liveHeartbeat = (content: string = CONTENTS.heartbeat, pubkey = KEYS.provider) =>
  event(
    KIND_LIVE_HEARTBEAT,
    [["t", "paygress-heartbeat"], ["p", pubkey], ["v", "1"]],
    content,
    pubkey,
  );
const revocation = (content: string = CONTENTS.revocation, pubkey = KEYS.provider) =>
  event(
    KIND_REVOCATION,
    [
      ["t", "paygress"],
      ["t", "paygress-revocation"],
      ["d", `paygress:revocation:v1:${pubkey}:wl-1`],
      ["v", "1"],
      ["workload", "wl-1"],
      ["p", KEYS.standby],
      ["p", KEYS.otherStandby],
    ],
    content,
    pubkey,
  );
const promotion = (content: string = CONTENTS.promotion, pubkey = KEYS.standby) =>
  event(
    KIND_PROMOTION,
    [
      ["t", "paygress"],
      ["t", "paygress-promoted"],
      ["d", "paygress:promoted:v1:wl-1"],
      ["v", "1"],
      ["workload", "wl-1"],
    ],
    content,
    pubkey,
  );
const legacyOffer = (content: string = CONTENTS.legacyOffer) =>
  event(KIND_LEGACY_OFFER, [["t", "paygress"], ["t", "offer"]], content);

const ALL = [
  { name: "readOffer()", make: offer, content: CONTENTS.offer, read: readOffer },
  { name: "readHeartbeat()", make: heartbeat, content: CONTENTS.heartbeat, read: readHeartbeat },
  {
    name: "readHeartbeat() of a live one",
    make: liveHeartbeat,
    content: CONTENTS.heartbeat,
    read: readHeartbeat,
  },
  {
    name: "readRevocation()",
    make: revocation,
    content: CONTENTS.revocation,
    read: readRevocation,
  },
  { name: "readPromotion()", make: promotion, content: CONTENTS.promotion, read: readPromotion },
  {
    name: "readLegacyOffer()",
    make: legacyOffer,
    content: CONTENTS.legacyOffer,
    read: readLegacyOffer,
  },
] as const;

/** Paygress' own event and the one that is built of its reading say the same, tags and order included. */
function assertSame(built: EventTemplate, original: Omit<NostrEvent, "id" | "sig">): void {
  assert.equal(built.kind, original.kind);
  assert.deepEqual(built.tags, original.tags);
  // 100.0 and 100 are one number in JSON.
  assert.equal(built.content, original.content.replace("100.0", "100"));
}

Deno.test("an offer of Paygress reads, and writes as it came", () => {
  const read = readOffer(offer(), NOW)!;
  assert.equal(read.provider, KEYS.provider);
  assert.equal(read.name, "SwiftGoldenOwl");
  assert.deepEqual(read.specs, [{
    id: "basic",
    name: "Basic",
    description: "1 vCPU, 1GB RAM",
    cpuMillicores: 1000,
    memoryMb: 1024,
    rateMsatPerS: 50,
  }]);
  assertSame(buildOffer(read, { createdAtS: AT_S }), offer());
});

Deno.test("heartbeats of Paygress read, and both forms write as they came", () => {
  const read = readHeartbeat(heartbeat(), NOW)!;
  assert.equal(read.isLive, false);
  assert.equal(readHeartbeat(liveHeartbeat(), NOW)!.isLive, true);
  assert.equal(read.cpuMillicores, 3000);
  assertSame(buildHeartbeat(read).stored, heartbeat());
  assertSame(buildHeartbeat(read).live, liveHeartbeat());
});

Deno.test("a revocation and a promotion of Paygress read, and write as they came", () => {
  const revoked = readRevocation(revocation(), NOW)!;
  assert.deepEqual(revoked.standbys, [KEYS.standby, KEYS.otherStandby]);
  assertSame(buildRevocation(revoked, { createdAtS: AT_S }), revocation());
  const promoted = readPromotion(promotion(), NOW)!;
  assert.equal(promoted.primary, KEYS.standby);
  assertSame(buildPromotion(promoted, { createdAtS: AT_S }), promotion());
});

Deno.test("the earliest offer reads when both its tags are there", () => {
  const read = readLegacyOffer(legacyOffer(), NOW)!;
  assert.equal(read.provider, KEYS.provider);
  assert.equal(read.minDurationS, 60);
  assert.equal(read.specs[0]!.rateMsatPerS, 100);
  for (const tags of [[["t", "paygress"]], [["t", "offer"]], []]) {
    assert.equal(readLegacyOffer({ ...legacyOffer(), tags }, NOW), undefined);
  }
});

for (const { name, make, content, read } of ALL) {
  const members = JSON.parse(content) as Record<string, unknown>;
  const readMembers = (changed: Record<string, unknown>) =>
    read(make(JSON.stringify(changed)), NOW);

  Deno.test(`${name} ignores what it does not know`, () => {
    const known = readMembers(members);
    assert.ok(known);
    assert.deepEqual(readMembers({ ...members, later: { a: [1] }, x: null }), known);
  });

  Deno.test(`${name} takes no content with a member of another type`, () => {
    for (const member of Object.keys(members)) {
      for (const wrong of [true, -1, 1.5, 2 ** 53, "\0".repeat(5000), [[]], { a: 1 }]) {
        if (member === "uptime_percent" && typeof wrong === "number") continue;
        if (member === "isolation_level" && typeof wrong === "string") continue;
        assert.equal(
          readMembers({ ...members, [member]: wrong }),
          undefined,
          `${member}: ${JSON.stringify(wrong)}`,
        );
      }
    }
  });

  Deno.test(`${name} takes no content without a member that is needed`, () => {
    const spare = new Set([
      "version",
      "isolation_level",
      "location",
      "api_endpoint",
      "capabilities",
    ]);
    for (const member of Object.keys(members)) {
      const { [member]: _, ...rest } = members;
      assert.equal(readMembers(rest) === undefined, !spare.has(member), member);
    }
  });

  Deno.test(`${name} takes nothing that is dated ahead, of another kind or too long`, () => {
    const good = make(content);
    assert.ok(read(good, NOW));
    assert.equal(read({ ...good, created_at: NOW.nowS + 901 }, NOW), undefined);
    assert.equal(read({ ...good, kind: 1 }, NOW), undefined);
    const long = JSON.stringify({ ...members, x: "x".repeat(40_000) });
    assert.equal(read(make(long), NOW), undefined);
  });

  Deno.test(`${name} never throws and never takes rubbish`, () => {
    fc.assert(fc.property(fc.json({ maxDepth: 4 }), (text) => {
      assert.equal(read(make(text), NOW), undefined);
    }));
    for (const text of ["", "{", "null", "[]", "1", '"x"', "{}", "[".repeat(20_000)]) {
      assert.equal(read(make(text), NOW), undefined);
    }
  });
}

Deno.test("an event whose body names another than its signer is no event of either", () => {
  const forged = [
    readOffer(offer(CONTENTS.offer, KEYS.stranger), NOW),
    readHeartbeat(heartbeat(CONTENTS.heartbeat, KEYS.stranger), NOW),
    readHeartbeat(liveHeartbeat(CONTENTS.heartbeat, KEYS.stranger), NOW),
    readRevocation(revocation(CONTENTS.revocation, KEYS.stranger), NOW),
    readPromotion(promotion(CONTENTS.promotion, KEYS.stranger), NOW),
  ];
  assert.deepEqual(forged, [undefined, undefined, undefined, undefined, undefined]);
});

Deno.test("keys in bodies and addresses may be npub, and are read as hex", () => {
  const asNpub = (text: string) =>
    Object.values(KEYS).reduce((done, key) => done.replaceAll(key, npub(key)), text);
  const withNpub = (one: NostrEvent) => ({
    ...one,
    content: asNpub(one.content),
    tags: one.tags.map(([name, value]) => [name!, name === "d" ? asNpub(value!) : value!]),
  });
  assert.equal(readOffer(withNpub(offer()), NOW)?.provider, KEYS.provider);
  assert.equal(readHeartbeat(withNpub(heartbeat()), NOW)?.provider, KEYS.provider);
  const revoked = readRevocation(withNpub(revocation()), NOW);
  assert.deepEqual(revoked?.standbys, [KEYS.standby, KEYS.otherStandby]);
  assert.equal(readPromotion(withNpub(promotion()), NOW)?.primary, KEYS.standby);
});

Deno.test("an event under another address than its own is not read", () => {
  const moved = (one: NostrEvent, d: string) => ({
    ...one,
    tags: one.tags.map((tag) => tag[0] === "d" ? ["d", d] : tag),
  });
  const other = KEYS.stranger;
  assert.equal(readOffer(moved(offer(), `paygress:offer:v1:${other}`), NOW), undefined);
  const bucket = `paygress:heartbeat:v1:${KEYS.provider}:29756668`;
  assert.equal(readHeartbeat(moved(heartbeat(), bucket), NOW), undefined);
  const workload = `paygress:revocation:v1:${KEYS.provider}:wl-2`;
  assert.equal(readRevocation(moved(revocation(), workload), NOW), undefined);
  assert.equal(readPromotion(moved(promotion(), "paygress:promoted:v1:wl-2"), NOW), undefined);
});

Deno.test("a revocation or promotion tagged with another workload is not read", () => {
  const tagged = (one: NostrEvent) => ({
    ...one,
    tags: one.tags.map((tag) => tag[0] === "workload" ? ["workload", "wl-2"] : tag),
  });
  assert.equal(readRevocation(tagged(revocation()), NOW), undefined);
  assert.equal(readPromotion(tagged(promotion()), NOW), undefined);
});

Deno.test("readPromotion() takes only one of the standbys, where they are known", () => {
  assert.ok(readPromotion(promotion(), { ...NOW, standbys: [KEYS.standby] }));
  assert.equal(readPromotion(promotion(), { ...NOW, standbys: [KEYS.otherStandby] }), undefined);
  assert.equal(readPromotion(promotion(), { ...NOW, standbys: [] }), undefined);
});

Deno.test("readHeartbeat() takes none that is about another time than it was signed at", () => {
  const later = JSON.stringify({ ...JSON.parse(CONTENTS.heartbeat), timestamp: AT_S + 5000 });
  assert.equal(readHeartbeat(liveHeartbeat(later), { nowS: AT_S + 10_000 }), undefined);
});

Deno.test("readOffer() knows an unknown isolation for what it is", () => {
  const { isolation_level: _, ...rest } = JSON.parse(CONTENTS.offer);
  const isolationOf = (members: unknown) =>
    readOffer(offer(JSON.stringify(members)), NOW)?.isolation;
  assert.equal(isolationOf({ ...rest, isolation_level: "moon-base" }), "unknown");
  assert.equal(isolationOf({ ...rest, isolation_level: "dedicated-host" }), "dedicated-host");
  assert.equal(isolationOf(rest), "shared-kernel");
});

Deno.test("readOffer() reads a missing version as 1, and leaves out what costs nothing", () => {
  const { version: _, ...rest } = JSON.parse(CONTENTS.offer);
  const free = { ...rest.specs[0], id: "free", rate_msats_per_sec: 0 };
  const read = readOffer(offer(JSON.stringify({ ...rest, specs: [free, ...rest.specs] })), NOW)!;
  assert.equal(read.version, 1);
  assert.deepEqual(read.specs.map((spec) => spec.id), ["basic"]);
});

Deno.test("readOffer() believes an offer until it has run out", () => {
  const good = offer();
  const until = (atS: number) => ({ ...good, tags: [...good.tags, ["expiration", String(atS)]] });
  assert.equal(readOffer(until(NOW.nowS + 1), NOW)?.expiresS, NOW.nowS + 1);
  assert.equal(readOffer(until(NOW.nowS), NOW), undefined);
});

const name = fc.string({ minLength: 1, maxLength: 20 });
const count = fc.nat();
const spec = fc.record({
  id: name,
  name,
  description: name,
  cpuMillicores: count,
  memoryMb: count,
  rateMsatPerS: fc.integer({ min: 1, max: 10 ** 9 }),
});
const slots = fc.uniqueArray(fc.tuple(name, count), { selector: ([id]) => id, maxLength: 4 });
const optionalTerms = { noNullPrototype: true, requiredKeys: [] as [] };

const body: fc.Arbitrary<OfferBody> = fc.tuple(
  fc.record({
    name,
    capabilities: fc.array(name, { maxLength: 4 }),
    specs: fc.uniqueArray(spec, { selector: (one) => one.id, maxLength: 4 }),
    mints: fc.array(fc.webUrl(), { maxLength: 3 }),
    uptimePercent: fc.double({ min: 0, max: 100, noNaN: true }).map((value) => value + 0),
    jobsCompletedCount: count,
    isolation: fc.constantFrom("shared-kernel", "dedicated-host", "attested-research-tier"),
  }),
  fc.record({ location: name, apiEndpoint: fc.webUrl() }, optionalTerms),
  fc.option(
    fc.tuple(
      slots,
      fc.boolean(),
      fc.record({
        locktimeMin: count,
        minDurationS: count,
        maxDurationS: count,
        backend: name,
        arch: name,
        portCountMax: count,
        peerId: name,
      }, optionalTerms),
    ),
    { nil: undefined },
  ),
).map(([known, more, terms]) =>
  ({
    provider: KEYS.provider,
    ...known,
    ...more,
    ...(terms === undefined ? {} : {
      terms: {
        paymentKey: `02${KEYS.provider}`,
        specs: new Map(
          terms[0].map(([id, slotCount]) => [id, { diskMb: slotCount, slotCount }]),
        ),
        verbs: ["quote", "stop"],
        isDraining: terms[1],
        ...terms[2],
      },
    }),
  }) as OfferBody
);

Deno.test("an offer of ours reads as it was meant, and Paygress' parser takes it", () => {
  fc.assert(
    fc.property(body, (meant) => {
      const built = buildOffer(meant, { createdAtS: AT_S, expiresS: AT_S + 9999 });
      assert.ok(paygressReads("offer", built.content));
      const signed = verifyEvent(JSON.parse(JSON.stringify(signEvent(built, SECRETS.provider))));
      const read = readOffer(signed!, NOW)!;
      const { eventId, createdAtS, version, expiresS, ...said } = read;
      assert.deepEqual(said, structuredClone(meant));
      assert.deepEqual(
        [eventId, createdAtS, version, expiresS],
        [signed!.id, AT_S, 1, AT_S + 9999],
      );
    }),
    { numRuns: 50 },
  );
});

Deno.test("a heartbeat of ours reads as it was meant, and Paygress' parser takes it", () => {
  const beat = fc.record({
    provider: fc.constant(KEYS.provider),
    timestampS: fc.integer({ min: AT_S - 500, max: AT_S + 400 }),
    activeCount: count,
    cpuMillicores: count,
    memoryMb: count,
    diskGb: count,
    terms: fc.record({
      slots: slots.map((entries) => new Map(entries)),
      isDraining: fc.boolean(),
      diskMb: count,
      sshProbeMs: count,
    }),
  });
  fc.assert(fc.property(beat, (meant) => {
    const { stored, live } = buildHeartbeat(meant);
    assert.equal(stored.content, live.content);
    assert.ok(paygressReads("heartbeat", stored.content));
    for (const template of [stored, live]) {
      const read = readHeartbeat({
        ...event(template.kind, template.tags as string[][], template.content),
        created_at: template.created_at,
      }, NOW)!;
      const { eventId: _, createdAtS, version, isLive, ...said } = read;
      assert.deepEqual(said, structuredClone(meant));
      assert.deepEqual([createdAtS, version, isLive], [meant.timestampS, 1, template === live]);
    }
  }));
});

Deno.test("additions that cannot be read leave the offer and the heartbeat as they are", () => {
  for (const swarm of [1, [], {}, { v: 2 }, { v: 1, p2pk: "x" }, { v: 1, slots: { a: -1 } }]) {
    const withSwarm = (content: string) => JSON.stringify({ ...JSON.parse(content), swarm });
    assert.equal(readOffer(offer(withSwarm(CONTENTS.offer)), NOW)!.terms, undefined);
    if (JSON.stringify(swarm) === '{"v":1,"p2pk":"x"}') continue;
    const beat = readHeartbeat(heartbeat(withSwarm(CONTENTS.heartbeat)), NOW)!;
    assert.equal(beat.terms, undefined);
  }
});

Deno.test("buildOffer() refuses what others could not read or use", () => {
  const read = readOffer(offer(), NOW)!;
  const spec = read.specs[0]!;
  const build = (changed: Partial<OfferBody>) => () =>
    buildOffer({ ...read, ...changed }, { createdAtS: AT_S });
  assert.throws(build({ specs: [{ ...spec, rateMsatPerS: 0 }] }), RangeError);
  assert.throws(build({ specs: [spec, spec] }), RangeError);
  assert.throws(build({ isolation: "unknown" }), RangeError);
});
