import assert from "node:assert/strict";
import fc from "fast-check";
import { ROUTES } from "../../../provisioning/http/mod.ts";
import { HttpWorld } from "./support.ts";

const NAMES = [
  "cashu_token",
  "pod_image",
  "pod_spec_id",
  "pod_npub",
  "pod_id",
  "seedmint",
  "lease",
  "command",
  "env",
  "ports",
  "request_id",
  "only_outcome",
  "duration_s",
  "__proto__",
];

const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc.dictionary(
    fc.constantFrom(...NAMES),
    fc.oneof(fc.jsonValue(), fc.constantFrom("container-1000", "stop", "leases", "exec", "quote")),
  ).map((members) => JSON.stringify(members)),
);

const headers = fc.dictionary(
  fc.constantFrom("authorization", "x-cashu", "idempotency-key", "content-type", "x-forwarded-for"),
  fc.oneof(
    fc.string(),
    fc.string().map((text) => `Nostr ${text}`),
    fc.string().map((text) => `Bearer ${text}`),
    fc.string().map((text) => `Cashu ${text}`),
    fc.constant("application/json"),
  ),
);

Deno.test("HttpDesk answers anything with a status, and gives and takes nothing for it", async () => {
  await using world = new HttpWorld();
  const one = await world.start();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(ROUTES), "/x"),
      fc.constantFrom("GET", "POST", "HEAD", "PUT"),
      body,
      headers,
      async (path, method, raw, headers) => {
        const remote = `2001:db8:${(number >> 16).toString(16)}:${
          (++number & 0xffff).toString(16)
        }::1`;
        const reply = await world.begin(path, { method, raw, headers, remote });
        assert.ok([200, 400, 401, 402, 404, 405, 429].includes(reply.status), `${reply.status}`);
        const isOpen = ROUTES[path]?.method === "GET";
        if (reply.status === 200 && !isOpen) assert.equal(reply.members.seedmint, "quote");
        if (reply.status !== 200) assert.equal(typeof reply.members.error_type, "string");
      },
    ),
    { numRuns: 1_500 },
  );
  assert.equal(one.provider.leases().length, 0);
  assert.equal(world.leases.till.redeemCount, 0);
  assert.deepEqual(world.problems, []);
});
