/** What providers of Paygress do that ours do not, as it was seen with paygress-cli 0.1.9. */
import assert from "node:assert/strict";
import { LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

Deno.test("an old provider that takes the token and fails is asked once, and its words are kept", async () => {
  await using world = new LesseeWorld();
  using old = new ScriptedProvider(world, {
    isOurs: false,
    script: async (request, provider) => {
      if (await provider.take(request).then(() => false, () => true)) {
        return { type: "error", error: "token_already_spent", message: "It is spent" };
      }
      return { type: "error", error: "backend_error", message: "Image not found" };
    },
  });
  const { lessee } = await world.lessee();
  const { signal } = new AbortController();
  const wish = { id: "web", image: "alpine:3.20", durationMs: 3_600_000 } as const;
  await assert.rejects(
    world.during(lessee.spawn({ ...wish, policy: { allowsOld: true } }, { signal })),
    /Image not found.*180 sat are lost to it$/,
  );
  assert.equal(old.messages.length, 1);
});
