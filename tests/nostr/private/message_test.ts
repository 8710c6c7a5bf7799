import assert from "node:assert/strict";
import fc from "fast-check";
import { decrypt as decrypt04, encrypt as encrypt04 } from "nostr-tools/nip04";
import { encrypt as encrypt44, getConversationKey } from "nostr-tools/nip44";
import { createRumor, createSeal, createWrap, unwrapEvent } from "nostr-tools/nip59";
import { wrapEvent } from "nostr-tools/nip17";
import { SeedmintError } from "../../../src/core/errors.ts";
import { systemRandom } from "../../../src/host/system.ts";
import {
  buildInboxRelays,
  buildPrivate,
  ConversationKeys,
  type NostrEvent,
  openPrivate,
  PRIVATE_LIMITS,
  privateSizeOf,
  readInboxRelays,
  signEvent,
  verifyEvent,
} from "../../../src/nostr/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { KEYS, messageToProvider, SECRETS } from "./support.ts";

const clock = new ManualClock();
const nowS = Math.floor(clock.nowMs() / 1000);
const provider = { secretKey: SECRETS.provider };

/** A plain copy, as it comes from a relay. */
const copy = (event: unknown) => JSON.parse(JSON.stringify(event)) as NostrEvent;

for (const kind of ["nip04", "nip17"] as const) {
  Deno.test(`a message of ${kind} opens for its recipient as it was written`, async () => {
    const text = '{"pod_id":"1000"} 🚀';
    const { id, event } = await messageToProvider(text, { kind, clock });
    assert.ok(verifyEvent(copy(event)));
    assert.deepEqual(await openPrivate(copy(event), provider), {
      id,
      kind,
      sender: KEYS.lessee,
      recipient: KEYS.provider,
      text,
      sentAtS: nowS,
    });
    assert.equal(await openPrivate(copy(event), { secretKey: SECRETS.other }), undefined);
  });
}

Deno.test("a gift wrap shows neither sender nor time, and is signed by a key used once", async () => {
  const wraps = await Promise.all(
    Array.from({ length: 8 }, () => messageToProvider("hi", { clock })),
  );
  assert.equal(new Set(wraps.map(({ event }) => event.pubkey)).size, 8);
  for (const { event } of wraps) {
    assert.notEqual(event.pubkey, KEYS.lessee);
    assert.deepEqual(event.tags, [["p", KEYS.provider]]);
    assert.ok(event.created_at <= nowS && event.created_at > nowS - 2 * 24 * 3600);
  }
  assert.ok(new Set(wraps.map(({ event }) => event.created_at)).size > 1);
  assert.equal(new Set(wraps.map(({ id }) => id)).size, 1, "one message in eight wraps");
});

Deno.test("an old message has the envelope that old clients look for", async () => {
  const { event } = await messageToProvider("hello", { kind: "nip04", clock });
  assert.equal(event.kind, 4);
  assert.equal(event.pubkey, KEYS.lessee);
  assert.deepEqual(event.tags, [["p", KEYS.provider], ["alt", "Private Message"]]);
  assert.match(event.content, /^[A-Za-z0-9+/]+=*\?iv=[A-Za-z0-9+/]{22}==$/);
  assert.equal(decrypt04(SECRETS.provider, KEYS.lessee, event.content), "hello");
});

Deno.test("another implementation opens our wrap, and we open its", async () => {
  const { id, event } = await messageToProvider("ours", { clock });
  const rumor = unwrapEvent(
    { ...copy(event), tags: event.tags.map((tag) => [...tag]) },
    SECRETS.provider,
  );
  assert.deepEqual(
    [rumor.content, rumor.pubkey, rumor.kind, rumor.id],
    ["ours", KEYS.lessee, 14, id],
  );
  const theirs = wrapEvent(SECRETS.lessee, { publicKey: KEYS.provider }, "theirs");
  const message = await openPrivate(copy(theirs), provider);
  assert.deepEqual([message?.text, message?.sender], ["theirs", KEYS.lessee]);
});

/** A wrap of another implementation around a seal that was made as `tamper` says. */
function wrapped(
  rumor: Record<string, unknown>,
  options: { readonly sealedBy?: Uint8Array; readonly sealKind?: number } = {},
): NostrEvent {
  const sealedBy = options.sealedBy ?? SECRETS.lessee;
  const seal = signEvent({
    kind: options.sealKind ?? 13,
    created_at: nowS,
    tags: [],
    content: encrypt44(JSON.stringify(rumor), getConversationKey(sealedBy, KEYS.provider)),
  }, sealedBy);
  return copy(createWrap({ ...seal, tags: [] }, KEYS.provider));
}

const honest = createRumor(
  { kind: 14, content: "hi", created_at: nowS, tags: [["p", KEYS.provider]] },
  SECRETS.lessee,
);

Deno.test("openPrivate() takes a rumor without its id or recipient, and computes the id", async () => {
  const { id, ...nameless } = honest;
  assert.equal((await openPrivate(wrapped(nameless), provider))?.id, id);
  const bare = createRumor({ kind: 14, content: "hi", created_at: nowS }, SECRETS.lessee);
  assert.equal((await openPrivate(wrapped({ ...bare }), provider))?.recipient, KEYS.provider);
});

Deno.test("openPrivate() takes no words that another than the sealer is said to have written", async () => {
  assert.ok(await openPrivate(wrapped(honest), provider));
  assert.equal(
    await openPrivate(wrapped(honest, { sealedBy: SECRETS.other }), provider),
    undefined,
  );
  const forged = { ...honest, pubkey: KEYS.other };
  assert.equal(await openPrivate(wrapped(forged), provider), undefined);
});

Deno.test("openPrivate() takes no seal whose signature or kind is wrong, and no other rumor", async () => {
  const seal = createSeal(honest, SECRETS.lessee, KEYS.provider);
  const broken = { ...seal, sig: seal.sig.replace(/^../, (hex) => hex === "00" ? "01" : "00") };
  const results = await Promise.all([
    openPrivate(copy(createWrap(broken, KEYS.provider)), provider),
    openPrivate(wrapped(honest, { sealKind: 14 }), provider),
    openPrivate(wrapped({ ...honest, id: "0".repeat(64) }), provider),
    openPrivate(wrapped({ ...honest, kind: 1, id: undefined }), provider),
    openPrivate(wrapped({ ...honest, content: 5 }), provider),
    openPrivate(wrapped({ ...honest, tags: "x" }), provider),
    openPrivate(wrapped({}), provider),
  ]);
  assert.deepEqual(results, Array(7).fill(undefined));
});

Deno.test("openPrivate() never throws, whatever a stranger encrypts to us", async () => {
  const toProvider = (text: string) =>
    signEvent({
      kind: 1059,
      created_at: nowS,
      tags: [["p", KEYS.provider]],
      content: encrypt44(text, getConversationKey(SECRETS.other, KEYS.provider)),
    }, SECRETS.other);
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string({ minLength: 1 })), async (text) => {
      assert.equal(await openPrivate(toProvider(text), provider), undefined);
    }),
    { numRuns: 20 },
  );
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.constantFrom(4, 1059), async (content, kind) => {
      const event = { ...toProvider("x"), kind, content };
      assert.equal(await openPrivate(event, provider), undefined);
    }),
    { numRuns: 100 },
  );
  const noPoint = { ...toProvider("x"), pubkey: "f".repeat(64) };
  assert.equal(await openPrivate(noPoint, provider), undefined);
  const long = { ...toProvider("x"), content: "A".repeat(PRIVATE_LIMITS.contentCharsMax + 1) };
  assert.equal(await openPrivate(long, provider), undefined);
});

Deno.test("openPrivate() takes no old message that is addressed to another", async () => {
  const event = signEvent({
    kind: 4,
    created_at: nowS,
    tags: [["p", KEYS.other]],
    content: encrypt04(SECRETS.lessee, KEYS.provider, "hi"),
  }, SECRETS.lessee);
  assert.equal(await openPrivate(event, provider), undefined);
});

Deno.test("the longest text that may be sent stays below what relays take", async () => {
  for (const kind of ["nip04", "nip17"] as const) {
    for (const letter of ["x", "\n", "ä", "🚀"]) {
      const unit = privateSizeOf(letter) - 2;
      const text = letter.repeat(Math.floor((PRIVATE_LIMITS.sentBytesMax - 2) / unit));
      const { event } = await messageToProvider(text, { kind, clock });
      assert.ok(JSON.stringify(["EVENT", event]).length <= 65_536, `${kind} ${letter}`);
      assert.equal((await openPrivate(copy(event), provider))?.text, text);
      await assert.rejects(
        messageToProvider(text + letter.repeat(4), { kind, clock }),
        (error) => error instanceof SeedmintError && error.code === "invalid",
      );
    }
  }
});

Deno.test("buildPrivate() refuses an empty text and a key that is none", async () => {
  const isInvalid = (error: unknown) => error instanceof SeedmintError && error.code === "invalid";
  const sender = { secretKey: SECRETS.lessee, clock, random: systemRandom };
  for (const kind of ["nip04", "nip17"] as const) {
    await assert.rejects(
      buildPrivate({ kind, recipient: KEYS.provider, text: "" }, sender),
      isInvalid,
    );
    for (const recipient of ["f".repeat(64), "npub1x", ""]) {
      await assert.rejects(buildPrivate({ kind, recipient, text: "hi" }, sender), isInvalid);
    }
  }
});

Deno.test("buildPrivate() takes all its chance from the source that it is given", async () => {
  const build = (seed: number) =>
    buildPrivate({ kind: "nip17", recipient: KEYS.provider, text: "hi" }, {
      secretKey: SECRETS.lessee,
      clock,
      random: seededRandom(seed),
    });
  const [one, same, another] = await Promise.all([build(1), build(1), build(2)]);
  // Signatures have a chance of their own, which no source can fix.
  const facts = ({ event }: typeof one) => [event.pubkey, event.created_at];
  assert.deepEqual(facts(one), facts(same));
  assert.notDeepEqual(facts(one), facts(another));
});

Deno.test("ConversationKeys forget the one used longest ago", () => {
  const keys = new ConversationKeys({ countMax: 2 });
  const first = keys.of(SECRETS.provider, KEYS.lessee);
  keys.of(SECRETS.provider, KEYS.other);
  assert.equal(keys.of(SECRETS.provider, KEYS.lessee), first);
  keys.of(SECRETS.provider, KEYS.provider);
  assert.equal(keys.of(SECRETS.provider, KEYS.lessee), first);
  keys.of(SECRETS.provider, KEYS.other);
  keys.of(SECRETS.provider, KEYS.provider);
  assert.notEqual(keys.of(SECRETS.provider, KEYS.lessee), first);
});

Deno.test("the relays of an inbox read as they are written, the unreadable left out", () => {
  const relays = ["wss://one.example/", "ws://127.0.0.1:7777/"];
  const read = (tags: readonly (readonly string[])[], kind = 10050) =>
    readInboxRelays(
      signEvent({ ...buildInboxRelays([], { createdAtS: nowS }), kind, tags }, SECRETS.provider),
    );
  const { tags } = buildInboxRelays(relays, { createdAtS: nowS });
  assert.deepEqual(read(tags)?.map((url) => new URL(url).href), relays);
  const odd = [["relay"], ["r", "wss://x.example"], ["relay", "http://x.example"], ["relay", ""]];
  assert.equal(read([...odd, ...tags])?.length, 2);
  assert.equal(
    read(Array.from({ length: 50 }, (_, index) => ["relay", `wss://${index}.a`]))?.length,
    5,
  );
  assert.equal(read(tags, 10002), undefined);
});
