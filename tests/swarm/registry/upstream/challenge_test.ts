import assert from "node:assert/strict";
import fc from "fast-check";
import { parseChallenges } from "../../../../swarm/registry/upstream/challenge.ts";

function read(header: string | null): unknown {
  return parseChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
}

Deno.test("parseChallenges() reads what registries send", () => {
  assert.deepEqual(
    read(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",' +
        'scope="repository:library/nginx:pull,push"',
    ),
    [["bearer", {
      realm: "https://auth.docker.io/token",
      service: "registry.docker.io",
      scope: "repository:library/nginx:pull,push",
    }]],
  );
  assert.deepEqual(read('BASIC Realm = "a \\"b\\" c"'), [["basic", { realm: 'a "b" c' }]]);
  assert.deepEqual(read(null), []);
  assert.deepEqual(read("bearer"), [["bearer", {}]]);
});

Deno.test("parseChallenges() tells several challenges of one header apart", () => {
  assert.deepEqual(read('Negotiate YWJjZA==, NTLM, Basic realm="x, y", , Bearer realm=z'), [
    ["negotiate", {}],
    ["ntlm", {}],
    ["basic", { realm: "x, y" }],
    ["bearer", { realm: "z" }],
  ]);
});

Deno.test("parseChallenges() takes the first of two parameters, and nothing after nonsense", () => {
  assert.deepEqual(read('Bearer realm="a", realm="b"'), [["bearer", { realm: "a" }]]);
  assert.deepEqual(read('Basic realm="a", Bearer realm="b'), [
    ["basic", { realm: "a" }],
    ["bearer", {}],
  ]);
  assert.deepEqual(read(`Bearer realm="${"x".repeat(9000)}"`), []);
  assert.equal(parseChallenges("A, ".repeat(500)).length, 8);
});

Deno.test("parseChallenges() takes any text in time", () => {
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom("Bearer", "Basic", " ", ",", "=", '"', "\\", "realm", "a==")).map(
      (parts) => parts.join(""),
    ),
  );
  fc.assert(fc.property(text, (header) => {
    for (const { scheme, parameters } of parseChallenges(header)) {
      assert.match(scheme, /^[^\s",=]+$/);
      for (const name of parameters.keys()) assert.equal(name, name.toLowerCase());
    }
  }));
});
