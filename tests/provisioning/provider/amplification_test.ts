/** What strangers can make a provider send: one answer to a message at most, hardly larger than it. */
import assert from "node:assert/strict";
import { nostrPublicKey } from "../../../src/nostr/mod.ts";
import { bareToken } from "../../support/provisioning/memory_till.ts";
import { PostWorld, PROVIDER_SECRET } from "../../support/provisioning/post_world.ts";

const PROVIDER = nostrPublicKey(PROVIDER_SECRET);

function secretOf(index: number): Uint8Array {
  const secret = new Uint8Array(32).fill(9);
  new DataView(secret.buffer).setUint32(0, index + 1);
  return secret;
}

/** Bytes that the provider sent and that it was sent, as relays see them. */
function traffic({ relay }: PostWorld) {
  const bytes = { sent: 0, received: 0, answers: 0 };
  for (const event of relay.given) {
    const isToIt = event.tags.some(([name, key]) => name === "p" && key === PROVIDER);
    const size = JSON.stringify(event).length;
    if (isToIt) bytes.received += size;
    else [bytes.sent, bytes.answers] = [bytes.sent + size, bytes.answers + 1];
  }
  return bytes;
}

const FLOODS: readonly (readonly [string, (index: number) => string])[] = [
  ["what is no request", (index) => `hello ${index}`],
  ["JSON that is cut off", (index) => `{"pod_npub":${index}`],
  ["requests without their members", (index) => JSON.stringify({ cashu_token: String(index) })],
  ["questions about leases of others", (index) => JSON.stringify({ pod_npub: String(index) })],
  [
    "spawns with tokens of a mint that is not taken",
    (index) =>
      JSON.stringify({
        cashu_token: `foreign-${index}`,
        pod_spec_id: "basic",
        pod_image: "ubuntu:22.04",
        ssh_username: "user",
        ssh_password: "W9ZG2GIUOWiPkYID",
      }),
  ],
  [
    "spawns of a tier that is none",
    (index) =>
      JSON.stringify({
        cashu_token: bareToken(`t${index}`, 180),
        pod_spec_id: "none",
        pod_image: "ubuntu:22.04",
        ssh_username: "user",
        ssh_password: "W9ZG2GIUOWiPkYID",
      }),
  ],
];

/** Messages of each flood, each from a key of its own. */
const COUNT = 40;

for (const kind of ["nip04", "nip17"] as const) {
  for (const [what, make] of FLOODS) {
    Deno.test(`a flood of ${what} makes a provider no amplifier, in ${kind}`, async () => {
      await using world = new PostWorld();
      await using _one = await world.start();
      for (let index = 0; index < COUNT; index++) {
        await world.send(make(index), secretOf(index), kind);
      }
      await world.pass(30_000);
      const { received, sent, answers } = traffic(world);
      assert.ok(received > COUNT * 300, `${received}`);
      assert.ok(answers <= COUNT, `${answers} answers`);
      assert.ok(sent <= received * 1.5, `${sent} bytes for ${received}`);
      assert.equal(world.leases.till.redeemCount, 0);
      assert.equal(world.leases.backend.instances.size, 0);
    });
  }
}
