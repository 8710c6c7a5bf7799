import assert from "node:assert/strict";
import { ManualClock } from "../../../support/manual_clock.ts";
import { FakeRegistry, type FakeRegistryOptions } from "./fake_registry.ts";
import { FakeWeb } from "./fake_web.ts";
import { clientOf, credentialsOf, HOST, loginOf, manifestOf, signal } from "./support.ts";

const LOGIN = "robot:s3cret-password";

function world(options: Partial<FakeRegistryOptions> = {}) {
  const web = new FakeWeb();
  const registry = new FakeRegistry({ web, host: HOST, auth: "bearer", ...options });
  for (const repository of ["open/web", "open/other", "private/web"]) {
    registry.addManifest(repository, manifestOf(), "latest");
  }
  return { web, registry };
}

/** What each request to `host` carried. */
function shownTo(web: FakeWeb, host: string) {
  return web.seen.filter(({ url }) => url.host === host)
    .map(({ headers }) => headers.get("authorization"));
}

const BASIC = `Basic ${btoa(LOGIN)}`;
const LATEST = { tag: "latest" };
const ASK = { signal };

Deno.test("RegistryClient gets a token for anybody once, and asks with it from then on", async () => {
  const { web } = world();
  const client = clientOf(web);
  assert.equal((await client.manifest("open/web", LATEST, ASK)).status, "found");
  const token = web.seen.find(({ url }) => url.host === "auth.example")!;
  assert.equal(token.url.searchParams.get("service"), HOST);
  assert.deepEqual(token.url.searchParams.getAll("scope"), ["repository:open/web:pull"]);
  assert.equal(token.headers.get("authorization"), null);
  assert.deepEqual(web.take(), [
    `GET ${HOST}/v2/open/web/manifests/latest`,
    "GET auth.example/token",
    `GET ${HOST}/v2/open/web/manifests/latest`,
  ]);
  await client.manifest("open/web", LATEST, ASK);
  assert.deepEqual(web.take(), [`GET ${HOST}/v2/open/web/manifests/latest`]);
  // Another repository needs another token, and the registry need not be asked in vain again.
  await client.manifest("open/other", LATEST, ASK);
  assert.deepEqual(web.take(), [
    "GET auth.example/token",
    `GET ${HOST}/v2/open/other/manifests/latest`,
  ]);
});

Deno.test("RegistryClient gets one token for many requests at once", async () => {
  const { web, registry } = world();
  const client = clientOf(web);
  await client.manifest("open/other", LATEST, ASK);
  const asked = Array.from({ length: 20 }, () => client.manifest("open/web", LATEST, ASK));
  const gone = new AbortController();
  const abandoned = client.manifest("open/web", LATEST, { signal: gone.signal });
  gone.abort();
  await assert.rejects(abandoned, { code: "aborted" });
  for (const found of await Promise.all(asked)) assert.equal(found.status, "found");
  assert.equal(registry.tokenCount, 2);
});

Deno.test("RegistryClient shows its login to the token server only", async () => {
  const { web } = world({ storageHost: "cdn.example" });
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  assert.ok(client.hasCredential("private/web"));
  assert.equal((await client.manifest("private/web", LATEST, ASK)).status, "found");
  assert.ok(web.told("auth.example", btoa(LOGIN)));
  assert.ok(!web.told(HOST, btoa(LOGIN)));
  assert.equal(
    web.seen.find(({ url }) => url.host === "auth.example")!.url.search.includes("s3cret"),
    false,
  );
  const stranger = clientOf(web);
  assert.equal(stranger.hasCredential("private/web"), false);
  assert.equal((await stranger.manifest("private/web", LATEST, ASK)).status, "denied");
});

Deno.test("RegistryClient trades a refresh token by POST, and a password where GET is unknown", async () => {
  const { web } = world();
  const credentials = await credentialsOf({
    auths: { [HOST]: { identitytoken: "refresh-s3cret" } },
  });
  const client = clientOf(web, { credentials });
  assert.equal((await client.manifest("private/web", LATEST, ASK)).status, "found");
  const posted = web.seen.filter(({ method }) => method === "POST");
  assert.deepEqual(posted.map(({ url }) => url.href), ["https://auth.example/token"]);

  const old = world();
  old.registry.tokenFault = (request) =>
    request.method === "GET" ? new Response(null, { status: 405 }) : undefined;
  const other = clientOf(old.web, { credentials: await loginOf(LOGIN) });
  assert.equal((await other.manifest("private/web", LATEST, ASK)).status, "found");
});

Deno.test("RegistryClient shows a registry's own token as it is, and to nobody else", async () => {
  const web = new FakeWeb();
  web.host(HOST, (request) =>
    new Response(null, {
      status: request.headers.get("authorization") === "Bearer t0ken" ? 404 : 401,
      headers: { "www-authenticate": 'Bearer realm="https://auth.example/token"' },
    }));
  const auths = { [HOST]: { registrytoken: "t0ken" } };
  const client = clientOf(web, { credentials: await credentialsOf({ auths }) });
  assert.equal((await client.manifest("a/b", LATEST, ASK)).status, "missing");
  const wrong = { [HOST]: { registrytoken: "other" } };
  const refused = clientOf(web, { credentials: await credentialsOf({ auths: wrong }) });
  assert.equal((await refused.manifest("a/b", LATEST, ASK)).status, "denied");
  assert.ok(web.seen.every(({ url }) => url.host === HOST));
});

Deno.test("RegistryClient uses Basic where a registry wants it, from the second request on at once", async () => {
  const { web } = world({ auth: "basic" });
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  assert.equal((await client.manifest("open/web", LATEST, ASK)).status, "found");
  await client.manifest("open/web", LATEST, ASK);
  assert.deepEqual(shownTo(web, HOST), [null, null, BASIC, BASIC]);
  assert.equal((await clientOf(web).manifest("open/web", LATEST, ASK)).status, "denied");
  const wrong = clientOf(web, { credentials: await loginOf("robot:wrong") });
  web.take();
  assert.equal((await wrong.manifest("open/web", LATEST, ASK)).status, "denied");
  assert.equal(shownTo(web, HOST).filter((shown) => shown !== null).length, 1);
});

Deno.test("RegistryClient gets a new token before the old one ends, and when one is refused", async () => {
  const clock = new ManualClock();
  const { web, registry } = world({ expiresInS: 300 });
  const client = clientOf(web, { clock });
  const ask = () => client.manifest("open/web", LATEST, ASK);
  await ask();
  await clock.advance(289_000);
  await ask();
  assert.equal(registry.tokenCount, 1);
  await clock.advance(2_000);
  await ask();
  assert.equal(registry.tokenCount, 2);
  registry.revokeTokens();
  assert.equal((await ask()).status, "found");
  assert.equal(registry.tokenCount, 3);
});

Deno.test("RegistryClient keeps a token for a minute when its server does not say how long", async () => {
  const clock = new ManualClock();
  const { web, registry } = world();
  const client = clientOf(web, { clock });
  await client.manifest("open/web", LATEST, ASK);
  await clock.advance(49_000);
  await client.manifest("open/web", LATEST, ASK);
  assert.equal(registry.tokenCount, 1);
  await clock.advance(2_000);
  await client.manifest("open/web", LATEST, ASK);
  assert.equal(registry.tokenCount, 2);
});

Deno.test("RegistryClient does not try a refused login again for half a minute", async () => {
  const clock = new ManualClock();
  const { web } = world();
  const client = clientOf(web, { clock, credentials: await loginOf("robot:wrong", clock) });
  for (let count = 0; count < 3; count++) {
    assert.equal((await client.manifest("private/web", LATEST, ASK)).status, "denied");
  }
  const wrong = () => shownTo(web, "auth.example").filter((shown) => shown !== null);
  assert.equal(wrong().length, 1);
  await clock.advance(31_000);
  await client.manifest("private/web", LATEST, ASK);
  assert.equal(wrong().length, 2);

  // A token that is good for nothing is remembered as well.
  const stranger = clientOf(web, { clock });
  await stranger.manifest("private/web", LATEST, ASK);
  web.take();
  assert.equal((await stranger.manifest("private/web", LATEST, ASK)).status, "denied");
  assert.deepEqual(web.take(), []);
});

Deno.test("RegistryClient asks for no more rights than it needs, whatever a challenge says", async () => {
  const scopes: string[][] = [];
  const run = async (scope: string) => {
    const web = new FakeWeb();
    let isFirst = true;
    web.host("auth.example", (request) => {
      scopes.push(new URL(request.url).searchParams.getAll("scope"));
      return Response.json({ token: "t" });
    });
    web.host(HOST, () => {
      const status = isFirst ? 401 : 404;
      isFirst = false;
      const challenge = `Bearer realm="https://auth.example/t?scope=all",scope="${scope}"`;
      return new Response(null, { status, headers: { "www-authenticate": challenge } });
    });
    assert.equal((await clientOf(web).manifest("a/b", LATEST, ASK)).status, "missing");
  };
  await run("repository:team/a/b:pull,push,delete");
  await run("registry:catalog:*");
  await run("repository:a/b:push");
  await run("repository:x:pull repository:y:pull");
  await run(Array.from({ length: 9 }, () => "repository:x:pull").join(" "));
  assert.deepEqual(scopes, [
    ["repository:team/a/b:pull"],
    ["repository:a/b:pull"],
    ["repository:a/b:pull"],
    ["repository:x:pull", "repository:y:pull"],
    ["repository:a/b:pull"],
  ]);
});

Deno.test("RegistryClient sends its login to no token server without TLS, on a private network, or elsewhere", async () => {
  const realms = [
    "http://auth.example/token",
    "https://127.0.0.1/token",
    "https://10.1.2.3/token",
    "https://[::1]/token",
    "https://169.254.169.254/latest/meta-data",
    "https://inner.example/token",
    "https://user:pw@auth.example/token",
    "ftp://auth.example/token",
    "https://auth.example:99999/",
  ];
  for (const realm of realms) {
    const web = new FakeWeb();
    web.host(HOST, () =>
      new Response(null, {
        status: 401,
        headers: { "www-authenticate": `Bearer realm="${realm}"` },
      }));
    web.host("inner.example", () => new Response(), ["8.8.8.8", "192.168.1.1"]);
    web.host("auth.example", () => Response.json({ token: "t" }));
    const client = clientOf(web, { credentials: await loginOf(LOGIN) });
    await assert.rejects(client.manifest("a/b", LATEST, ASK), (error: Error & { code: string }) => {
      assert.match(error.code, /^(denied|protocol)$/, realm);
      return true;
    });
    assert.ok(web.seen.every(({ url }) => url.host === HOST), realm);
  }
});

Deno.test("RegistryClient hears no challenge of a host that it was redirected to", async () => {
  const web = new FakeWeb();
  web.host(HOST, () => Response.redirect("https://evil.example/manifest", 307));
  web.host("evil.example", () =>
    new Response(null, {
      status: 401,
      headers: { "www-authenticate": 'Basic realm="x", Bearer realm="https://evil.example/token"' },
    }));
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  assert.equal((await client.manifest("a/b", LATEST, ASK)).status, "denied");
  await client.manifest("a/b", LATEST, ASK);
  assert.ok(web.seen.every(({ headers }) => !headers.has("authorization")));
  assert.ok(web.seen.every(({ url }) => url.pathname !== "/token"));
});

Deno.test("RegistryClient follows a token server's redirect without its login, and none of a POST", async () => {
  const { web, registry } = world();
  registry.tokenFault = () => Response.redirect("https://evil.example/token", 307);
  web.host("evil.example", () => Response.json({ token: "evil" }));
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  assert.equal((await client.manifest("private/web", LATEST, ASK)).status, "denied");
  assert.ok(!web.told("evil.example", btoa(LOGIN)));
  const identity = await credentialsOf({ auths: { [HOST]: { identitytoken: "refresh-s3cret" } } });
  web.take();
  await assert.rejects(
    clientOf(web, { credentials: identity }).manifest("private/web", LATEST, ASK),
    { code: "protocol", message: /it redirects a POST$/ },
  );
  assert.ok(!web.take().includes("POST evil.example/token"));
});

Deno.test("RegistryClient takes no token that is none, is endless, or breaks a header", async () => {
  const endless = () =>
    new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }),
    );
  const answers = [
    () => Response.json({}),
    () => Response.json({ token: "a\r\nx-evil: 1" }),
    () => Response.json({ token: "a".repeat(20_000) }),
    () => Response.json({ token: 7 }),
    () => new Response("<html>"),
    () => new Response("null"),
    endless,
  ];
  for (const answer of answers) {
    const { web, registry } = world();
    registry.tokenFault = answer;
    await assert.rejects(clientOf(web).manifest("open/web", LATEST, ASK), { code: "protocol" });
  }
});

Deno.test("RegistryClient leaves a token server alone that wants to be", async () => {
  const clock = new ManualClock();
  const { web, registry } = world();
  registry.tokenFault = () => new Response(null, { status: 429, headers: { "retry-after": "30" } });
  const client = clientOf(web, { clock });
  assert.deepEqual(await client.manifest("open/web", LATEST, ASK), {
    status: "limited",
    retryMs: 30_000,
  });
  await clock.advance(10_000);
  web.take();
  assert.deepEqual(await client.manifest("open/web", LATEST, ASK), {
    status: "limited",
    retryMs: 20_000,
  });
  assert.deepEqual(web.take(), []);
  registry.tokenFault = () => undefined;
  await clock.advance(20_000);
  assert.equal((await client.manifest("open/web", LATEST, ASK)).status, "found");
});

Deno.test("RegistryClient finds out that a repository needs no login, once an hour, and takes it for private until then", async () => {
  const clock = new ManualClock();
  const { web } = world();
  const client = clientOf(web, { clock, credentials: await loginOf(LOGIN, clock) });
  const probes = () => web.seen.splice(0).filter(({ method }) => method === "HEAD").length;
  assert.equal(client.hasCredential("open/web"), true);
  await client.manifest("open/web", LATEST, ASK);
  assert.equal(client.hasCredential("open/web"), false);
  await client.manifest("private/web", LATEST, ASK);
  assert.equal(client.hasCredential("private/web"), true);
  assert.ok(probes() > 0);
  await client.manifest("open/web", LATEST, ASK);
  await client.manifest("private/web", LATEST, ASK);
  assert.equal(probes(), 0);
  await clock.advance(3_600_000);
  assert.equal(client.hasCredential("open/web"), true);
  await client.manifest("open/web", LATEST, ASK);
  assert.equal(client.hasCredential("open/web"), false);
});

Deno.test("RegistryClient waits four seconds at most to find out whether a login is needed, and is not limited by it", async () => {
  const clock = new ManualClock();
  const { web, registry } = world();
  const client = clientOf(web, { clock, credentials: await loginOf(LOGIN, clock) });
  registry.fault = (request) =>
    request.method === "HEAD" ? new Promise<undefined>(() => {}) : undefined;
  const asked = client.manifest("open/web", LATEST, ASK);
  await clock.advance(4_000);
  assert.equal((await asked).status, "found");
  assert.equal(client.hasCredential("open/web"), true);
  registry.fault = (request) =>
    request.method === "HEAD" ? new Response(null, { status: 429 }) : undefined;
  await clock.advance(60_000);
  assert.equal((await client.manifest("open/web", LATEST, ASK)).status, "found");
  assert.equal((await client.manifest("open/web", LATEST, ASK)).status, "found");
  assert.equal(client.hasCredential("open/web"), true);
  assert.deepEqual(client.limits().limitedMs, {});
  registry.fault = () => undefined;
  await clock.advance(60_000);
  await client.manifest("open/web", LATEST, ASK);
  assert.equal(client.hasCredential("open/web"), false);
});
