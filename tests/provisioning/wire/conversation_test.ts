/** A whole conversation with a client that knows nothing but Paygress' formats, over a real relay. */
import assert from "node:assert/strict";
import { decrypt as decrypt04, encrypt as encrypt04 } from "nostr-tools/nip04";
import { encrypt as encrypt44, getConversationKey } from "nostr-tools/nip44";
import { createRumor, createSeal, unwrapEvent } from "nostr-tools/nip59";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  MemorySeenIds,
  type NostrEvent,
  nostrPublicKey,
  PrivateInbox,
  type PrivateKind,
  RelayPool,
  RelayServer,
  sendPrivate,
  signEvent,
} from "../../../src/nostr/mod.ts";
import {
  type Answer,
  buildAnswer,
  readAnswer,
  readRequest,
} from "../../../provisioning/wire/mod.ts";
import { ANSWERS, KEYS, paygressAnswer, REQUESTS, SECRETS } from "./fixtures.ts";

const CLIENT = new Uint8Array(32).fill(21);
const CLIENT_KEY = nostrPublicKey(CLIENT);

/** What a provider would answer, with all our additions. */
function answerTo(text: string): Answer {
  const reading = readRequest(text);
  if (!reading.ok) return { type: "error", error: "invalid_request", message: reading.problem };
  const leaseId = `${KEYS.provider}:container-1000:1785400000`;
  const facts = { requestId: "r-1", leaseId, hostKeyFingerprint: "SHA256:abc" };
  switch (reading.request.type) {
    case "spawn":
      return { ...readAnswer(ANSWERS.access)!, ...facts };
    case "topup":
      return { ...readAnswer(ANSWERS.topUp)!, ...facts };
    case "status":
      return { ...readAnswer(ANSWERS.status)!, ...facts };
    default:
      return { type: "error", error: "invalid_request", message: "no such thing" };
  }
}

/** Writes as old clients do; a wrap is dated 47 hours back. */
function oldRequest(kind: PrivateKind, text: string): NostrEvent {
  const nowS = Math.floor(Date.now() / 1000);
  if (kind === "nip04") {
    return signEvent({
      kind: 4,
      created_at: nowS,
      tags: [["p", KEYS.provider], ["alt", "Private Message"]],
      content: encrypt04(CLIENT, KEYS.provider, text),
    }, CLIENT);
  }
  const rumor = createRumor(
    { kind: 14, content: text, created_at: nowS, tags: [["p", KEYS.provider]] },
    CLIENT,
  );
  const onceKey = systemRandom.bytes(32);
  return signEvent({
    kind: 1059,
    created_at: nowS - 47 * 3600,
    tags: [["p", KEYS.provider]],
    content: encrypt44(
      JSON.stringify(createSeal(rumor, CLIENT, KEYS.provider)),
      getConversationKey(onceKey, KEYS.provider),
    ),
  }, onceKey);
}

/** Reads as old clients do. */
function oldReading(event: NostrEvent): string {
  if (event.kind === 4) return decrypt04(CLIENT, event.pubkey, event.content);
  const rumor = unwrapEvent({ ...event, tags: event.tags.map((tag) => [...tag]) }, CLIENT);
  assert.equal(rumor.pubkey, KEYS.provider);
  return rumor.content;
}

const poolOf = (url: string, authSecretKey: Uint8Array) =>
  new RelayPool({ relays: [url], clock: systemClock, random: systemRandom, authSecretKey });

for (const kind of ["nip04", "nip17"] as const) {
  Deno.test(`a client of Paygress gets one answer in ${kind} to each request, and reads it`, async () => {
    await using server = await RelayServer.listen({
      storage: "memory",
      clock: systemClock,
      random: systemRandom,
    });
    await using pool = poolOf(server.url, SECRETS.provider);
    await using _ = PrivateInbox.open({
      pool,
      secretKey: SECRETS.provider,
      clock: systemClock,
      seen: new MemorySeenIds(),
      onMessage: async (message) => {
        await sendPrivate(
          {
            kind: message.kind,
            recipient: message.sender,
            text: buildAnswer(answerTo(message.text)),
          },
          { pool, secretKey: SECRETS.provider, clock: systemClock, random: systemRandom },
        );
      },
    });
    await using oldPool = poolOf(server.url, CLIENT);
    const answers: NostrEvent[] = [];
    let wake = () => {};
    const stop = oldPool.subscribe([{ kinds: [4, 1059], "#p": [CLIENT_KEY] }], {
      onEvent: (event) => {
        answers.push(event);
        wake();
      },
    });
    const conversation = [
      [REQUESTS.spawn, "access"],
      [REQUESTS.topUp, "topUpAnswer"],
      [REQUESTS.status, "statusAnswer"],
      ["hello?", "error"],
      ['{"seedmint":"fly"}', "error"],
    ] as const;
    for (const [text, answer] of conversation) {
      const came = new Promise<void>((resolve) => wake = resolve);
      await oldPool.publish(oldRequest(kind, text));
      await came;
      const [event, ...more] = answers.splice(0);
      assert.deepEqual([event!.kind, more.length], [kind === "nip04" ? 4 : 1059, 0]);
      const read = oldReading(event!);
      assert.equal(paygressAnswer(read), answer);
      if (answer === "access") {
        const { pod_npub: pod, instructions } = JSON.parse(read);
        assert.equal(pod, "container-1000");
        assert.ok(instructions.some((line: string) => line.includes("Password: W9ZG2GIUOWiPkYID")));
      }
    }
    stop();
  });
}
