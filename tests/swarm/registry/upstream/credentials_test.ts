import assert from "node:assert/strict";
import { systemClock } from "../../../../src/host/system.ts";
import { parseAuthFile, placesOf } from "../../../../swarm/registry/upstream/auth_file.ts";
import {
  credentialFiles,
  Credentials,
  runHelper,
} from "../../../../swarm/registry/upstream/mod.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { authFile, credentialsOf, signal } from "./support.ts";

const SECRET = "s3cret";

function entry(username: string) {
  return { auth: btoa(`${username}:${SECRET}`) };
}

async function userOf(credentials: Credentials, registry: string, repository = "a/b") {
  const found = await credentials.of(registry, repository);
  return found?.kind === "password" ? found.username : found?.kind;
}

Deno.test("credentialFiles() asks the operator's files, else $REGISTRY_AUTH_FILE, else podman's and docker's", () => {
  const env = { HOME: "/home/u", XDG_RUNTIME_DIR: "/run/u", REGISTRY_AUTH_FILE: "/etc/auth.json" };
  assert.deepEqual(credentialFiles(["/etc/a"], env), ["/etc/a"]);
  assert.deepEqual(credentialFiles([], env), ["/etc/auth.json"]);
  assert.deepEqual(credentialFiles([], { HOME: "/home/u", XDG_RUNTIME_DIR: "/run/u" }), [
    "/run/u/containers/auth.json",
    "/home/u/.config/containers/auth.json",
    "/home/u/.docker/config.json",
  ]);
  assert.deepEqual(credentialFiles([], { DOCKER_CONFIG: "/d", XDG_CONFIG_HOME: "/x" }), [
    "/x/containers/auth.json",
    "/d/config.json",
  ]);
  assert.deepEqual(credentialFiles([], {}), []);
});

Deno.test("parseAuthFile() reads the keys of docker and of podman as one registry each", () => {
  const { entries } = parseAuthFile(JSON.stringify({
    auths: {
      "https://index.docker.io/v1/": entry("hub"),
      "https://ghcr.io": entry("ghcr"),
      "quay.io": entry("quay"),
      "quay.io/acme": entry("acme"),
      "http://127.0.0.1:5000/v2/": entry("local"),
      "registry.example/v2": entry("example"),
      "not a host": entry("nobody"),
      "empty.example": {},
      "broken.example": { auth: "***" },
      "half.example": { auth: btoa("user-only") },
    },
  }));
  assert.deepEqual(
    [...entries].map(([place, credential]) => [
      place,
      credential.kind === "password" && credential.username,
    ]),
    [
      ["docker.io", "hub"],
      ["ghcr.io", "ghcr"],
      ["quay.io", "quay"],
      ["quay.io/acme", "acme"],
      ["127.0.0.1:5000", "local"],
      ["registry.example", "example"],
    ],
  );
});

Deno.test("parseAuthFile() prefers tokens to passwords, and takes both spellings of a pair", () => {
  const { entries } = parseAuthFile(JSON.stringify({
    auths: {
      "a.example": { ...entry("u"), identitytoken: "refresh" },
      "b.example": { registrytoken: "bearer" },
      "c.example": { username: "u", password: "p:q" },
      "d.example": { auth: btoa("u:p:q\0\0") },
    },
  }));
  assert.deepEqual([...entries.values()], [
    { kind: "identity", token: "refresh" },
    { kind: "bearer", token: "bearer" },
    { kind: "password", username: "u", password: "p:q" },
    { kind: "password", username: "u", password: "p:q" },
  ]);
});

Deno.test("placesOf() begins with the whole repository and ends with the registry", () => {
  assert.deepEqual(placesOf("quay.io", "acme/team/web"), [
    "quay.io/acme/team/web",
    "quay.io/acme/team",
    "quay.io/acme",
    "quay.io",
  ]);
});

Deno.test("Credentials gives the most specific login of the first file that has one", async () => {
  const first = await authFile({
    auths: { "quay.io": entry("one"), "quay.io/acme": entry("acme") },
  });
  const second = await authFile({ auths: { "quay.io/a": entry("two"), "ghcr.io": entry("two") } });
  const files = ["/nowhere/auth.json", first, second];
  const credentials = await Credentials.open({ files, clock: systemClock });
  assert.equal(await userOf(credentials, "quay.io", "acme/web"), "acme");
  assert.equal(await userOf(credentials, "quay.io", "acme2/web"), "one");
  assert.equal(await userOf(credentials, "quay.io", "a/b"), "one");
  assert.equal(await userOf(credentials, "ghcr.io"), "two");
  assert.equal(await userOf(credentials, "docker.io"), undefined);
  assert.deepEqual(
    ["quay.io", "docker.io"].map((registry) => credentials.has(registry, "a/b")),
    [true, false],
  );
  assert.deepEqual(credentials.problems(), []);
});

Deno.test("Credentials looks at its files again, at most every ten seconds", async () => {
  const clock = new ManualClock();
  const file = await authFile({ auths: {} });
  const credentials = await Credentials.open({ files: [file], clock });
  await Deno.writeTextFile(file, JSON.stringify({ auths: { "quay.io": entry("new") } }));
  assert.equal(await userOf(credentials, "quay.io"), undefined);
  await clock.advance(10_000);
  assert.equal(await userOf(credentials, "quay.io"), "new");
  await Deno.remove(file);
  await clock.advance(10_000);
  assert.equal(await userOf(credentials, "quay.io"), undefined);
});

Deno.test("Credentials says which file it cannot use, and nothing of what is in it", async () => {
  const text = `{"auths": {"quay.io": {"auth": "${btoa(`user:${SECRET}`)}"}} oops`;
  const bad = await authFile(text);
  const large = await authFile(" ".repeat(2 ** 20 + 1));
  const credentials = await Credentials.open({ files: [bad, large, "/"], clock: systemClock });
  const problems = credentials.problems();
  assert.equal(problems.length, 3);
  assert.match(problems[0]!, /it is not JSON$/);
  assert.match(problems[1]!, /it has more than 1048576 bytes$/);
  assert.match(problems[2]!, /it is not a file$/);
  assert.ok(!problems.join().includes(btoa(`user:${SECRET}`).slice(0, 8)));
});

Deno.test("Credentials runs the helpers that are allowed, and remembers what they said", async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const file = await authFile({
    credsStore: "desktop",
    credHelpers: { "gcr.io": "gcloud", "quay.io": "evil" },
    auths: { "quay.io": entry("file") },
  });
  const credentials = await Credentials.open({
    files: [file],
    clock,
    helpers: {
      allowed: ["gcloud", "desktop"],
      ask: (name, server) => {
        asked.push(`${name} ${server}`);
        return Promise.resolve(
          name === "gcloud" ? { kind: "identity", token: SECRET } : undefined,
        );
      },
    },
  });
  // A helper that was not asked yet may have a login.
  assert.equal(credentials.has("docker.io", "a/b"), true);
  assert.equal(await userOf(credentials, "gcr.io"), "identity");
  assert.equal(await userOf(credentials, "gcr.io", "c"), "identity");
  assert.equal(await userOf(credentials, "quay.io"), "file");
  assert.equal(await userOf(credentials, "docker.io"), undefined);
  assert.equal(credentials.has("docker.io", "a/b"), false);
  assert.deepEqual(asked, ["gcloud gcr.io", "desktop https://index.docker.io/v1/"]);
  await clock.advance(300_000);
  assert.equal(await userOf(credentials, "gcr.io"), "identity");
  assert.equal(asked.length, 3);
  assert.match(
    credentials.problems().join(),
    /docker-credential-evil, which is not allowed to run/,
  );
});

Deno.test("Credentials runs no helper unless told so", async () => {
  const credentials = await credentialsOf({ credsStore: "desktop", auths: {} });
  assert.equal(credentials.has("quay.io", "a"), false);
  assert.equal(await userOf(credentials, "quay.io"), undefined);
});

Deno.test("runHelper() speaks the protocol of docker's helpers, and shows nothing that they print", async () => {
  const folder = await Deno.makeTempDir();
  const path = Deno.env.get("PATH")!;
  const program = async (name: string, script: string) => {
    const file = `${folder}/docker-credential-${name}`;
    await Deno.writeTextFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  await program("good", `read s; printf '{"Username":"u@%s","Secret":"${SECRET}"}' "$s"`);
  await program("token", `printf '{"Username":"<token>","Secret":"${SECRET}"}'`);
  await program("none", "echo credentials not found in native keychain; exit 1");
  await program("bad", `echo ${SECRET}; exit 1`);
  await program("loud", "yes");
  const ask = runHelper({ clock: systemClock });
  Deno.env.set("PATH", `${folder}:${path}`);
  try {
    assert.deepEqual(await ask("good", "quay.io", { signal }), {
      kind: "password",
      username: "u@quay.io",
      password: SECRET,
    });
    assert.deepEqual(await ask("token", "quay.io", { signal }), {
      kind: "identity",
      token: SECRET,
    });
    assert.equal(await ask("none", "quay.io", { signal }), undefined);
    for (const name of ["bad", "loud", "absent"]) {
      await assert.rejects(ask(name, "quay.io", { signal }), (error: Error & { code: string }) => {
        assert.equal(error.code, "unavailable");
        assert.ok(!error.message.includes(SECRET));
        return true;
      });
    }
  } finally {
    Deno.env.set("PATH", path);
    await Deno.remove(folder, { recursive: true });
  }
});
