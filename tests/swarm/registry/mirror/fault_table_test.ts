/**
 * The faults of research that were measured with podman, containerd and docker, each through the HTTP
 * front of the mirror. What the clients then do decides what is right: to podman a blob that is missing
 * or cut after its manifest was given is fatal; wrong bytes are fatal to podman and containerd.
 */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { RegistryServer } from "../../../../swarm/registry/http/mod.ts";
import type { Digest } from "../../../../swarm/registry/names.ts";
import { testBytes } from "../../fetch/fakes.ts";
import { digestBytes, imageOf, sha256Of, type TestImage, until, type World, world } from "./kit.ts";

const MIB = 1024 * 1024;
const BIG = testBytes(3 * MIB + 3, 11);
const IMAGE = imageOf(BIG, testBytes(70_000, 12));
const LAYER = IMAGE.layers[0]!;

/** A mirror behind its listener. */
interface Front extends AsyncDisposable {
  readonly at: World;
  readonly url: string;
}

async function front(...args: Parameters<typeof world>): Promise<Front> {
  const at = world(...args);
  at.hub.put("library/nginx", IMAGE, "latest");
  const server = await RegistryServer.start({
    port: 0,
    clock: systemClock,
    random: systemRandom,
    store: at.store,
    reader: at.mirror,
    naming: "mirror",
    mirrorOptions: { defaultRegistry: "docker.io", isMirrored: () => true },
  });
  return {
    at,
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await at[Symbol.asyncDispose]();
    },
  };
}

/** How a client asks, and what it does about a blob that is cut. */
interface Client {
  readonly name: string;
  readonly pings: boolean;
  readonly headsFirst: boolean;
  readonly query: string;
  readonly resumes: boolean;
}

const PODMAN: Client = {
  name: "podman",
  pings: true,
  headsFirst: false,
  query: "",
  resumes: false,
};
const CONTAINERD: Client = {
  name: "containerd",
  pings: false,
  headsFirst: true,
  query: "?ns=docker.io",
  resumes: true,
};
const DOCKER: Client = {
  name: "docker",
  pings: true,
  headsFirst: true,
  query: "",
  resumes: true,
};
const CLIENTS = [PODMAN, CONTAINERD, DOCKER];

/** What a pull came to: whole, or the client goes on to the registry itself, or fails for good. */
type Outcome = "whole" | "falls back" | "fatal";

/** Pulls as `client` does, and checks each byte. */
async function pull(url: string, client: Client, image: TestImage = IMAGE): Promise<Outcome> {
  const base = `${url}/v2/library/nginx`;
  if (client.pings) {
    const ping = await fetch(`${url}/v2/`);
    await ping.body?.cancel();
    assert.equal(ping.status, 200);
  }
  let reference = "latest";
  if (client.headsFirst) {
    const head = await fetch(`${base}/manifests/latest${client.query}`, { method: "HEAD" });
    if (head.status !== 200) return "falls back";
    reference = head.headers.get("docker-content-digest")!;
    assert.equal(Number(head.headers.get("content-length")), image.manifest.length);
  }
  const answer = await fetch(`${base}/manifests/${reference}${client.query}`);
  if (answer.status !== 200) {
    await checkRefusal(answer);
    return "falls back";
  }
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), image.manifest);
  for (const [digest, bytes] of image.blobs) {
    const outcome = await pullBlob(`${base}/blobs/${digest}${client.query}`, client, bytes);
    if (outcome !== "whole") return outcome;
  }
  return "whole";
}

async function pullBlob(url: string, client: Client, wanted: Uint8Array): Promise<Outcome> {
  const found = new Uint8Array(wanted.length);
  let at = 0;
  for (let attempt = 0; attempt < 3; attempt++) {
    const range: Record<string, string> = at === 0 ? {} : { range: `bytes=${at}-` };
    const answer = await fetch(url, { headers: range });
    if (answer.status >= 400) {
      await checkRefusal(answer);
      return client === PODMAN ? "fatal" : "falls back";
    }
    assert.equal(answer.headers.get("content-encoding"), null);
    assert.equal(Number(answer.headers.get("content-length")), wanted.length - at);
    if (at > 0) {
      assert.equal(answer.status, 206);
      const expected = `bytes ${at}-${wanted.length - 1}/${wanted.length}`;
      assert.equal(answer.headers.get("content-range"), expected);
    }
    try {
      for await (const piece of answer.body!) {
        found.set(piece, at);
        at += piece.length;
      }
    } catch {
      // Cut: whatever came before is right all the same.
      assert.deepEqual(found.subarray(0, at), wanted.subarray(0, at));
      if (!client.resumes) return "fatal";
      continue;
    }
    assert.deepEqual(found, wanted, "a wrong byte is fatal to podman and containerd");
    return "whole";
  }
  return "fatal";
}

/** A refusal is a 404 that says so as the specification wants it. */
async function checkRefusal(answer: Response): Promise<void> {
  assert.equal(answer.status, 404);
  const body = await answer.json() as { readonly errors: readonly { readonly code: string }[] };
  assert.match(body.errors[0]!.code, /UNKNOWN$/);
}

async function pulls(
  expected: Outcome,
  options: {
    readonly before?: (at: World) => unknown;
    readonly world?: Parameters<typeof world>[0];
    readonly ms?: number;
    readonly after?: (at: World) => unknown;
  },
): Promise<void> {
  for (const client of CLIENTS) {
    await using run = await front(options.world);
    await options.before?.(run.at);
    const startMs = performance.now();
    assert.equal(await pull(run.url, client), expected, client.name);
    const ms = performance.now() - startMs;
    assert.ok(ms < (options.ms ?? 10_000), `${client.name}: ${Math.round(ms)} ms`);
    await options.after?.(run.at);
  }
}

Deno.test("Without a fault each client pulls the whole image, and the registry sends each blob once", async () => {
  await pulls("whole", {
    after: ({ hub }) => {
      for (const [digest, bytes] of IMAGE.blobs) {
        assert.equal(hub.sentBytes.get(digest), bytes.length);
      }
    },
  });
});

Deno.test("Node down: its port refuses at once, and the client goes on", async () => {
  const run = await front();
  await run[Symbol.asyncDispose]();
  const startMs = performance.now();
  await assert.rejects(fetch(`${run.url}/v2/`));
  assert.ok(performance.now() - startMs < 1000);
});

Deno.test("404: what nobody has is a 404 quickly, for manifests and blobs", async () => {
  await pulls("falls back", {
    before: ({ hub }) => hub.untag("library/nginx", "latest"),
    ms: 4000,
  });
  await using run = await front();
  const nothing = digestBytes(testBytes(10, 99));
  const answer = await fetch(`${run.url}/v2/library/nginx/blobs/${nothing}`);
  await checkRefusal(answer);
});

Deno.test("500: a registry that fails is a 404 of ours, never a 5xx, so that every client goes on", async () => {
  await pulls("falls back", { before: ({ hub }) => void (hub.weather.isDown = true), ms: 4000 });
});

Deno.test("429: a registry that limits us is a 404 of ours, never a 429 that stops the client", async () => {
  await pulls("falls back", { before: ({ hub }) => void (hub.weather.limits = true), ms: 4000 });
});

Deno.test("401: a registry that refuses us is a 404 of ours, so that the client uses its own login", async () => {
  await pulls("falls back", { before: ({ hub }) => void (hub.weather.denies = true), ms: 4000 });
});

Deno.test("Blob missing: the manifest is not given either, since after it a missing blob is fatal", async () => {
  await pulls("falls back", { before: ({ hub }) => hub.remove("library/nginx", LAYER), ms: 4000 });
});

Deno.test("Blob missing at the registry and held by a peer: the client gets all", async () => {
  await pulls("whole", {
    before: async ({ hub, swarm }) => {
      hub.remove("library/nginx", LAYER);
      await swarm.add("peer", [BIG]);
    },
  });
});

Deno.test("Cut in the middle by a peer: another source goes on in the same answer", async () => {
  await pulls("whole", {
    before: ({ swarm }) =>
      swarm.add("cutting", [BIG], {
        isTrusted: true,
        throughput: 20 * MIB,
        resetsAfterBytes: 2 * MIB,
      }),
  });
});

Deno.test("Cut in the middle by the registry: no byte left before all came, so it is a 404 and no torn answer", async () => {
  await using run = await front();
  const { hub } = run.at;
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/latest`)).arrayBuffer();
  hub.weather.cutsAfter = MIB;
  await checkRefusal(await fetch(`${base}/blobs/${LAYER}`));
  hub.weather.cutsAfter = Infinity;
  assert.equal(await pullBlob(`${base}/blobs/${LAYER}`, PODMAN, BIG), "whole");
});

Deno.test("Cut in the middle by everybody: the answer is cut, and one that resumes gets 206 and the rest", async () => {
  await using run = await front();
  const { hub, swarm } = run.at;
  await swarm.add("dying", [BIG], {
    isTrusted: true,
    throughput: 10 * MIB,
    hangsAfterBytes: 2 * MIB,
  });
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/latest`)).arrayBuffer();
  hub.weather.isDown = true;
  const mending = until(() => run.at.events.some(({ type }) => type === "trouble"), "it failed")
    .then(() => void (hub.weather.isDown = false));
  assert.equal(await pullBlob(`${base}/blobs/${LAYER}`, CONTAINERD, BIG), "whole");
  await mending;
});

Deno.test("Wrong bytes of a peer: not one of them reaches a client, trusted or not", async () => {
  for (const isTrusted of [true, false]) {
    await pulls("whole", {
      before: ({ swarm }) =>
        swarm.add("wrong", [BIG], { isTrusted, throughput: 30 * MIB, liesAfterBytes: MIB }),
    });
  }
});

Deno.test("Wrong bytes of the registry: nothing of them is given or kept", async () => {
  await using run = await front();
  const { hub, store } = run.at;
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/latest`)).arrayBuffer();
  hub.weather.corrupts = true;
  await checkRefusal(await fetch(`${base}/blobs/${LAYER}`));
  assert.equal(store.findBySha256(sha256Of(LAYER)), undefined);
});

Deno.test("Wrong content under a false word: the client gets the right one, the author is banned", async () => {
  await pulls("whole", {
    before: async ({ swarm }) => {
      const liar = await swarm.add("liar", [testBytes(BIG.length, 77)]);
      const [said] = liar.says.values();
      liar.says.set(sha256Of(LAYER), { ...said!, sha256: sha256Of(LAYER) });
    },
    after: ({ swarm }) => assert.deepEqual(swarm.banned, ["liar"]),
  });
});

Deno.test("Slow registry: the client waits and gets all; a fast peer spares it the wait", async () => {
  const slow = ({ hub }: World) => void (hub.weather.throughput = 12 * MIB);
  await pulls("whole", { before: slow });
  await pulls("whole", {
    before: async (at) => {
      slow(at);
      await at.swarm.add("fast", IMAGE.blobs.values(), { isTrusted: true });
    },
    after: ({ hub }) => assert.equal(hub.count("GET blob"), 0),
  });
});

Deno.test("Hung registry: a 404 before the client loses patience", async () => {
  await pulls("falls back", {
    world: { limits: { upstreamMs: 400 } },
    before: ({ hub }) => void (hub.weather.hangs = true),
    ms: 8000,
  });
});

Deno.test("Hung peers: the registry joins, and the client gets all in the same answer", async () => {
  for (const isTrusted of [true, false]) {
    await pulls("whole", {
      before: ({ swarm }) => swarm.add("hung", [BIG], { isTrusted, hangsAfterBytes: MIB }),
    });
  }
});

Deno.test("Registry gone after the manifest: peers bring the blobs", async () => {
  await using run = await front();
  const { hub, swarm } = run.at;
  await swarm.add("peer", IMAGE.blobs.values());
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/latest`)).arrayBuffer();
  hub.weather.isDown = true;
  for (const [digest, bytes] of IMAGE.blobs) {
    assert.equal(await pullBlob(`${base}/blobs/${digest}`, PODMAN, bytes), "whole");
  }
});

Deno.test("Registry gone after the manifest, and nobody else: a 404 at once, and the manifest is not given again", async () => {
  await using run = await front();
  const { hub } = run.at;
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/latest`)).arrayBuffer();
  hub.weather.isDown = true;
  const startMs = performance.now();
  await checkRefusal(await fetch(`${base}/blobs/${LAYER}`));
  assert.ok(performance.now() - startMs < 4000);
  await checkRefusal(await fetch(`${base}/manifests/latest`));
});

Deno.test("Registry gone after the manifest with the blobs fetched ahead: the client gets all", async () => {
  await using run = await front({ policy: { prefetches: true } });
  const { hub, store } = run.at;
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/latest`)).arrayBuffer();
  const isHere = (digest: Digest) => store.findBySha256(sha256Of(digest))?.state === "complete";
  await until(() => [...IMAGE.blobs.keys()].every(isHere), "all blobs are here");
  hub.weather.isDown = true;
  for (const client of CLIENTS) assert.equal(await pull(run.url, client), "whole");
});

Deno.test("Disk full: an image that cannot be held is left to the client", async () => {
  await pulls("falls back", { world: { quotaBytes: 2 * MIB } });
});

Deno.test("Many clients at once: one fetch of each blob", async () => {
  await using run = await front({ policy: { prefetches: true } });
  const { hub } = run.at;
  hub.weather.throughput = 20 * MIB;
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, index) => pull(run.url, CLIENTS[index % 3]!)),
  );
  assert.ok(outcomes.every((outcome) => outcome === "whole"), String(outcomes));
  for (const digest of IMAGE.blobs.keys()) assert.equal(hub.count(`GET blob ${digest}`), 1);
  assert.equal(hub.count("manifest latest"), 1);
});

Deno.test("Open-ended ranges that are dropped after a piece end the work for them at once", async () => {
  await using run = await front();
  const { swarm, mirror, store } = run.at;
  const huge = testBytes(32 * MIB, 13);
  const image = imageOf(huge);
  run.at.hub.put("library/nginx", image, "huge");
  await swarm.add("member", [huge], { isTrusted: true, throughput: 16 * MIB });
  const base = `${run.url}/v2/library/nginx`;
  await (await fetch(`${base}/manifests/huge`)).arrayBuffer();
  for (const start of [0, 20 * MIB, 9 * MIB]) {
    const abort = new AbortController();
    const answer = await fetch(`${base}/blobs/${image.layers[0]}`, {
      headers: { range: `bytes=${start}-` },
      signal: abort.signal,
    });
    assert.equal(answer.status, 206);
    const { value } = await answer.body!.getReader().read();
    assert.deepEqual(value, huge.subarray(start, start + value!.length));
    abort.abort();
    await until(() => mirror.fetchingCount === 0, "the work ended");
  }
  const [partial] = [...store.list()].filter(({ size }) => size === huge.length);
  assert.equal(partial?.state, "partial", "the tail was not fetched");
});
