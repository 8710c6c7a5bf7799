import assert from "node:assert/strict";
import { PostWorld } from "../../support/provisioning/post_world.ts";

Deno.test("an offer that does not change is published again before relays forget it", async () => {
  await using world = new PostWorld();
  await using one = await world.start();
  await using _announcer = world.announce(one);
  const offers = () => world.relay.stored.filter(({ kind }) => kind === 38383);
  await world.pass(1000);
  await world.pass(3_600_000);
  assert.equal(offers().length, 1, "nothing changed within an hour");
  await world.pass(3_600_000 + 300_000);
  const [first, second, ...others] = offers();
  assert.deepEqual(others, []);
  assert.ok(second!.created_at - first!.created_at >= 7200);
  assert.equal(second!.content, first!.content);
  const expiryOf = ({ tags }: typeof first & object) =>
    Number(tags.find(([name]) => name === "expiration")?.[1]);
  assert.ok(expiryOf(second!) > expiryOf(first!));
  assert.ok(expiryOf(first!) > second!.created_at, "relays still had the first one");
});
