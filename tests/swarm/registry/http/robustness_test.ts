import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { RegistryServer } from "../../../../swarm/registry/http/mod.ts";
import { routeOf } from "../../../../swarm/registry/http/route.ts";
import { Refusal } from "../../../../swarm/http/refusal.ts";
import { connectFrom, exchangeRaw, readAnswer } from "../../gateway/support.ts";
import {
  ask,
  codesOf,
  manifestOf,
  requestBytes,
  startMirror,
  startPush,
  until,
} from "./support.ts";

/** Parts that mean something, and some that mean nothing. */
const PART = fc.oneof(
  fc.constantFrom("v2", "blobs", "uploads", "manifests", "tags", "list", "referrers", "_catalog"),
  fc.constantFrom("images", "docker.io", "127.0.0.1:5000", "..", ".", "", "%2e%2e", "%00", "a"),
  fc.constantFrom(`sha256:${"ab".repeat(32)}`, "sha256:x", "ab".repeat(32), "latest", "A", "-"),
  fc.webFragments(),
);

Deno.test("routeOf() gives a route or refuses, whatever the path", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"),
      fc.array(PART, { maxLength: 8 }),
      fc.boolean(),
      (method, parts, isWritable) => {
        try {
          routeOf(method, `/${parts.join("/")}`, { isWritable });
        } catch (error) {
          assert.ok(error instanceof Refusal && [404, 405].includes(error.status));
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a push registry answers any request with what registries say, and goes on", async () => {
  await using world = await startPush();
  const query = fc.constantFrom(
    "",
    "?digest=sha256:x",
    "?mount=x&from=y",
    "?n=x",
    "?ns=%00",
    "?tag=-",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"),
      fc.array(PART, { maxLength: 6 }),
      query,
      fc.option(fc.string({ maxLength: 40 })),
      async (method, parts, search, body) => {
        const path = `/v2/${parts.join("/")}${search}`.replaceAll(/[^!-~]/g, "");
        const answer = await ask(world, path, { method, ...(body === null ? {} : { body }) });
        const isRight = [200, 201, 202, 204, 400, 404, 405, 416].includes(answer.status);
        assert.ok(isRight, `${method} ${path}: ${answer.status} ${answer.text}`);
        if (answer.status >= 400 && method !== "HEAD") assert.equal(codesOf(answer).length, 1);
      },
    ),
    { numRuns: 150 },
  );
  assert.equal((await ask(world, "/v2/")).status, 200);
});

Deno.test("RegistryServer refuses heads that are malformed or too long in the words of registries", async () => {
  await using world = await startMirror();
  const { port } = world.server;
  const table: [head: string, status: number][] = [
    ["NONSENSE\r\n\r\n", 400],
    ["GET /v2/ HTTP/1.1\r\n\r\n", 400],
    ["GET /v2/ HTTP/2.0\r\nhost: a\r\n\r\n", 505],
    ["GET /v2/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400],
    [`GET /${"a".repeat(5000)} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`, 414],
    [`GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${"a".repeat(40_000)}\r\n\r\n`, 431],
    ["GET /v2/ HTTP/1.0\r\n\r\n", 421],
  ];
  for (const [head, status] of table) {
    const answer = readAnswer(await exchangeRaw(port, new TextEncoder().encode(head)));
    assert.equal(answer.status, status, head.slice(0, 40));
    assert.equal(codesOf(answer).length, 1);
    assert.equal(answer.headers.get("connection"), "close");
  }
});

Deno.test("RegistryServer lets in so many connections and no more, and others when they leave", async () => {
  await using world = await startMirror({ limits: { connectionsMax: 3 } });
  const { port } = world.server;
  const sockets = await Promise.all([1, 2, 3].map(() => connectFrom(port, "127.0.0.1")));
  for (const socket of sockets) socket.on("error", () => {});
  // A connection counts once it was accepted: an answer shows that it was.
  const greeting = requestBytes(port, "/v2/", { headers: { connection: "keep-alive" } });
  for (const socket of sockets) socket.write(greeting);
  await until("three were answered", () => world.events.length === 3);
  assert.equal((await exchangeRaw(port, greeting).catch(() => new Uint8Array())).length, 0);
  sockets[0]!.destroy();
  let status = 0;
  while (status === 0) {
    const bytes = await exchangeRaw(port, requestBytes(port, "/v2/")).catch(() => new Uint8Array());
    status = readAnswer(bytes).status;
    await systemClock.sleep(5);
  }
  assert.equal(status, 200);
  for (const socket of sockets) socket.destroy();
});

Deno.test("RegistryServer ends when it is told to, in the middle of answers", async () => {
  const world = await startMirror();
  const manifest = await manifestOf("{}");
  world.reader.manifests.set("1", manifest);
  const digest = `sha256:${"ab".repeat(32)}`;
  let isAborted = false;
  world.reader.blobs.set(digest, {
    size: 10,
    // deno-lint-ignore require-yield -- it never comes to that
    read: async function* (_range, signal) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      isAborted = true;
      throw signal.reason;
    },
  });
  const answering = ask(world, `/v2/a/blobs/${digest}`).catch(() => undefined);
  await until("the blob is asked for", () => world.reader.openCount === 1);
  await world[Symbol.asyncDispose]();
  await answering;
  assert.ok(isAborted);
  assert.equal(world.reader.openCount, 0);
});

Deno.test("RegistryServer is no mirror that is written to, and none without names", async () => {
  await using world = await startMirror();
  const common = {
    port: 0,
    clock: systemClock,
    random: systemRandom,
    store: world.store,
    reader: world.reader,
  };
  await assert.rejects(RegistryServer.start({ ...common, naming: "mirror" }), TypeError);
  const mirrorOptions = { defaultRegistry: "docker.io", isMirrored: () => true };
  const writer = {} as never;
  await assert.rejects(
    RegistryServer.start({ ...common, naming: "mirror", mirrorOptions, writer }),
    TypeError,
  );
  await assert.rejects(
    RegistryServer.start({ ...common, port: world.server.port, naming: "local" }),
    { code: "unavailable" },
  );
});
