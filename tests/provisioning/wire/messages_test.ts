import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sha256 } from "../../../src/core/hash.ts";
import { npub } from "../../../src/nostr/nostr.ts";
import {
  accessInstructions,
  type Answer,
  buildAnswer,
  buildRequest,
  errorTypeOf,
  isLeaseGone,
  leavesTokenAlone,
  readAnswer,
  readRequest,
  type Request,
} from "../../../provisioning/wire/mod.ts";
import { ANSWERS, KEYS, paygressAnswer, paygressRequest, REQUESTS } from "./fixtures.ts";

function requestOf(text: string): Request {
  const reading = readRequest(text);
  assert.ok(reading.ok, reading.ok ? "" : reading.problem);
  return reading.request;
}

for (const [name, text] of Object.entries(REQUESTS)) {
  Deno.test(`the request ${name} of Paygress reads, and writes as it came`, () => {
    assert.equal(buildRequest(requestOf(text)), text);
  });
}

for (const [name, text] of Object.entries(ANSWERS)) {
  Deno.test(`the answer ${name} of Paygress reads, and Paygress takes what is written`, () => {
    const answer = readAnswer(text)!;
    const written = buildAnswer(answer);
    const { ports: _, ...known } = JSON.parse(written);
    assert.equal(JSON.stringify(known), text);
    assert.ok(paygressAnswer(written));
    assert.deepEqual(readAnswer(written), answer);
  });
}

Deno.test("readRequest() tells requests apart by their members, a spawn first", () => {
  const spawn = JSON.parse(REQUESTS.spawn);
  const all = { ...spawn, pod_npub: "container-1", pod_id: "1", seedmint: "stop", lease: "1" };
  const typeOf = (members: unknown) => requestOf(JSON.stringify(members)).type;
  assert.equal(typeOf(all), "spawn");
  const { pod_image: _, ...noSpawn } = all;
  assert.equal(typeOf(noSpawn), "topup");
  const { cashu_token: __, ...noTopUp } = noSpawn;
  assert.equal(typeOf(noTopUp), "status");
  const { pod_id: ___, ...own } = noTopUp;
  assert.equal(typeOf(own), "stop");
});

Deno.test("readRequest() tries the next kind when a member of the first is wrong", () => {
  const wrong = { ...JSON.parse(REQUESTS.spawn), pod_spec_id: 5, pod_id: "7" };
  assert.deepEqual(requestOf(JSON.stringify(wrong)), { type: "status", lease: "container-7" });
});

Deno.test("leases are called container-N, whether a request says that or N", () => {
  for (const name of ["1000", "container-1000"]) {
    const status = requestOf(JSON.stringify({ pod_id: name }));
    const topUp = requestOf(JSON.stringify({ pod_npub: name, cashu_token: "t" }));
    assert.deepEqual(status, { type: "status", lease: "container-1000" });
    assert.deepEqual(topUp, { type: "topup", lease: "container-1000", token: "t" });
    assert.equal(buildRequest(status), '{"pod_id":"1000"}');
  }
  for (const odd of ["npub1xyz", "container-", "01", "-1", "4294967296", "../x", ""]) {
    assert.deepEqual(requestOf(JSON.stringify({ pod_id: odd })), { type: "status", lease: odd });
  }
});

Deno.test("readRequest() gives keys of a set of standbys as hex", () => {
  const text = REQUESTS.warmStandby.replaceAll(KEYS.standby, npub(KEYS.standby))
    .replaceAll(KEYS.provider, npub(KEYS.provider));
  assert.deepEqual(requestOf(text), requestOf(REQUESTS.warmStandby));
});

Deno.test("readRequest() takes null for what may be missing", () => {
  const nulls = { pod_spec_id: null, template_slug: null, replication: null, env: null };
  const text = JSON.stringify({ ...JSON.parse(REQUESTS.spawn), ...nulls });
  const { specId: _, ...rest } = requestOf(REQUESTS.spawn) as { specId?: string };
  assert.deepEqual(requestOf(text), rest);
});

Deno.test("readRequest() refuses with a sentence that repeats nothing of what came", () => {
  const secret = "cashuBsecret";
  const wrong = [
    "",
    "hello",
    "[]",
    "{}",
    "null",
    '{"x":1}',
    `{"cashu_token":"${secret}"}`,
    `{"pod_npub":1,"cashu_token":"${secret}"}`,
    `{"cashu_token":"${secret}","pod_image":"i","ssh_username":"u"}`,
    `{"cashu_token":"${secret}","pod_image":"i","ssh_username":"u","ssh_password":5}`,
    `{"seedmint":"${secret}"}`,
    '{"seedmint":"__proto__"}',
    '{"seedmint":"stop"}',
    `{"pod_id":"${"1".repeat(70_000)}"}`,
  ];
  for (const text of wrong) {
    const reading = readRequest(text);
    assert.equal(reading.ok, false, text.slice(0, 80));
    if (reading.ok) continue;
    assert.ok(reading.problem.length > 20 && !reading.problem.includes(secret));
  }
  const named = readRequest('{"seedmint":"fly","request_id":"r-1"}');
  assert.equal(named.ok ? undefined : named.requestId, "r-1");
});

Deno.test("readRequest() takes no addition that is out of bounds", () => {
  const spawn = JSON.parse(REQUESTS.spawn);
  const wrong: Record<string, readonly unknown[]> = {
    request_id: ["", "a b", "x".repeat(65), 5, "ä"],
    refund_pubkey: ["", KEYS.provider, `02${"G".repeat(64)}`, 1],
    progress: ["yes", 1],
    ssh_public_key: ["", " ", "ssh-ed25519 AAAA\0", "x".repeat(9000), {}],
    image_digest: ["", "sha256:abc", "sha512:00", 1],
    env: [[], { "A=B": "x" }, { "": "x" }, { A: 1 }, { A: "x\0" }, { A: "x".repeat(5000) }],
    ports: [{}, [0], [{ container_port: 0 }], [{ container_port: 70_000 }], [{
      container_port: 1,
      protocol: "sctp",
    }], Array(17).fill({ container_port: 1 })],
    volume_encryption: [{}, { version: 1 }, "key"],
    replication: [{}, { mode: "cold" }, { mode: "warm-standby" }, {
      mode: "warm-standby",
      standby_providers: Array(17).fill("x"),
    }],
  };
  for (const [member, values] of Object.entries(wrong)) {
    for (const value of values) {
      const reading = readRequest(JSON.stringify({ ...spawn, [member]: value }));
      assert.equal(reading.ok, false, `${member}: ${JSON.stringify(value)}`);
    }
  }
});

Deno.test("a variable named __proto__ is a variable and nothing more", () => {
  const text = `{"env":{"__proto__":"x","constructor":"y"},${REQUESTS.spawn.slice(1)}`;
  const { env } = requestOf(text) as { env: Record<string, string> };
  assert.deepEqual(Object.entries(env), [["__proto__", "x"], ["constructor", "y"]]);
  assert.equal(Object.getPrototypeOf(env), Object.prototype);
});

Deno.test("readRequest() and readAnswer() never throw", () => {
  const known = [
    ...Object.values(REQUESTS).flatMap((text) => Object.keys(JSON.parse(text))),
    ...Object.values(ANSWERS).flatMap((text) => Object.keys(JSON.parse(text))),
    "seedmint",
    "lease",
    "command",
    "env",
    "ports",
    "receipt",
    "leases",
    "__proto__",
  ];
  const verbs = ["quote", "stop", "restart", "logs", "exec", "leases", "receipt", "progress"];
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom("1", "container-1", ...verbs),
  );
  const members = fc.dictionary(fc.constantFrom(...known), value);
  fc.assert(
    fc.property(members, (one) => {
      const text = JSON.stringify(one);
      readRequest(text);
      readAnswer(text);
    }),
    { numRuns: 2000 },
  );
  for (const text of ["", "{", "[".repeat(60_000), '{"a":'.repeat(9000), "\uD800", "1e999"]) {
    assert.equal(readRequest(text).ok, false);
    assert.equal(readAnswer(text), undefined);
  }
});

const word = fc.string({ minLength: 1, maxLength: 20 });
const lease = fc.nat({ max: 2 ** 32 - 1 }).map((number) => `container-${number}`);
const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => hex as Sha256);
const id = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/);
const key = fc.stringMatching(/^0[23][0-9a-f]{64}$/);
const leaseId = fc.tuple(lease, fc.integer({ min: 1, max: 2 ** 32 }))
  .map(([name, second]) => `${KEYS.provider}:${name}:${second}`);
const optional = { requiredKeys: [] as [] };
const port = fc.integer({ min: 1, max: 65535 });
const protocol = fc.constantFrom("tcp" as const, "udp" as const);
const options = { requestId: id, wantsProgress: fc.boolean() };
const payment = { ...options, refundKey: key };

function arbitrary<T>(
  type: string,
  needed: Record<string, fc.Arbitrary<unknown>>,
  spare: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<T> {
  return fc.tuple(fc.record(needed), fc.record(spare, optional))
    .map(([known, more]) => structuredClone({ type, ...known, ...more }) as T);
}

const requests: readonly fc.Arbitrary<Request>[] = [
  arbitrary("spawn", {
    token: word,
    image: word,
    sshUsername: word,
    sshPassword: fc.stringMatching(/^[A-Za-z0-9]{12,64}$/),
  }, {
    ...payment,
    specId: word,
    template: word,
    workloadId: word,
    primary: fc.constant(KEYS.provider),
    replication: fc.constantFrom({ mode: "none" }, { mode: "checkpointed" }, {
      mode: "warm-standby",
      standbys: [KEYS.standby],
    }),
    volumeEncryption: fc.record({ version: fc.nat({ max: 255 }), algorithm: word, keyB64: word }),
    sshPublicKey: fc.constant("ssh-ed25519 AAAAC3Nza me@here"),
    imageDigest: digest,
    env: fc.dictionary(
      fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/),
      fc.stringMatching(/^[^\0]{0,20}$/),
    ),
    ports: fc.array(fc.record({ containerPort: port, protocol, label: word }), { maxLength: 4 }),
  }),
  arbitrary("topup", { lease, token: word }, payment),
  arbitrary("status", { lease }, options),
  arbitrary("quote", {}, {
    ...options,
    specId: word,
    image: word,
    imageDigest: digest,
    durationS: fc.nat(),
    portCount: fc.nat({ max: 16 }),
  }),
  arbitrary("stop", { lease }, payment),
  arbitrary("restart", { lease }, options),
  arbitrary("logs", { lease, lineCount: fc.nat({ max: 1000 }) }, options),
  arbitrary("exec", {
    lease,
    command: fc.array(fc.stringMatching(/^[^\0]{1,20}$/), { minLength: 1, maxLength: 5 }),
    timeoutMs: fc.nat({ max: 60_000 }),
  }, options),
  arbitrary("leases", {}, options),
  arbitrary("receipt", { leaseId }, {
    ...options,
    receipt: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(fc.nat(), word)),
  }),
];

Deno.test("every request of ours reads as it was meant, and old providers mistake none", () => {
  const old: Record<string, string> = { spawn: "spawn", topup: "topUp", status: "status" };
  fc.assert(
    fc.property(fc.oneof(...requests), (request) => {
      const text = buildRequest(request);
      assert.deepEqual(requestOf(text), request);
      assert.equal(paygressRequest(text), old[request.type]);
    }),
    { numRuns: 1000 },
  );
});

const ms = fc.nat({ max: 2 ** 40 });
const published = fc.array(
  fc.record({ hostPort: port, containerPort: port, protocol, label: word }),
  { maxLength: 4 },
);
const refund = fc.record({ token: word, amountSat: fc.nat() });
const facts = { requestId: id, leaseId, hostKeyFingerprint: word };
const capacity = { cpuMillicores: fc.nat(), memoryMb: fc.nat() };

const answers: readonly fc.Arbitrary<Answer>[] = [
  arbitrary("access", {
    lease,
    sshPort: port,
    expiresMs: ms,
    ...capacity,
    specName: word,
    specDescription: word,
    instructions: fc.array(word, { maxLength: 6 }),
  }, { ...facts, host: word, ports: published, readyMs: ms, sshUsername: word, refund }),
  arbitrary("topup", { lease, extendedS: fc.nat(), expiresMs: ms, message: word }, facts),
  arbitrary("status", {
    lease,
    status: fc.constantFrom("Running", "Expired"),
    expiresMs: ms,
    remainingS: fc.nat(),
    ...capacity,
    sshHost: word,
    sshPort: port,
    sshUsername: word,
  }, { ...facts, state: word, ports: published }),
  arbitrary("error", {
    error: fc.constantFrom("not_found", "insufficient_payment", "rate_limited"),
    message: word,
  }, { requestId: id, details: word, refund, retryMs: fc.nat() }),
  arbitrary("quote", {
    specId: word,
    rateMsatPerS: fc.nat(),
    durationS: fc.nat(),
    amountSat: fc.nat(),
    minDurationS: fc.nat(),
    mints: fc.array(word, { maxLength: 3 }),
    paymentKey: key,
    locktimeMin: fc.nat(),
    isAvailable: fc.boolean(),
  }, { requestId: id, maxDurationS: fc.nat(), note: word, isImageHere: fc.boolean() }),
  arbitrary("stop", { lease, endedMs: ms }, { ...facts, refund }),
  arbitrary("restart", { lease, readyMs: ms }, { requestId: id }),
  arbitrary("logs", { lease, text: word, isTruncated: fc.boolean() }, { requestId: id }),
  arbitrary("exec", {
    lease,
    stdout: word,
    stderr: word,
    exitCode: fc.integer({ min: -64, max: 255 }),
    isTruncated: fc.boolean(),
  }, { requestId: id }),
  arbitrary("leases", {
    leases: fc.array(
      fc.record({
        lease,
        leaseId,
        state: word,
        specId: word,
        image: word,
        expiresMs: ms,
        sshHost: word,
        sshPort: port,
      }),
      { maxLength: 4 },
    ),
    isTruncated: fc.boolean(),
  }, { requestId: id }),
  arbitrary(
    "receipt",
    { leaseId, receipt: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), word) },
    {
      requestId: id,
    },
  ),
  arbitrary("progress", { state: word }, { requestId: id, bytes: fc.nat(), size: fc.nat() }),
  arbitrary("notice", {
    lease,
    notice: fc.constantFrom("expiring", "draining", "ended"),
    expiresMs: ms,
    message: word,
  }, { requestId: id }),
];

Deno.test("every answer of ours reads as it was meant, and old clients mistake none", () => {
  const old: Record<string, string> = {
    access: "access",
    topup: "topUpAnswer",
    status: "statusAnswer",
    error: "error",
  };
  fc.assert(
    fc.property(fc.oneof(...answers), (answer) => {
      const text = buildAnswer(answer);
      assert.deepEqual(readAnswer(text), answer);
      assert.equal(paygressAnswer(text), old[answer.type]);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("buildRequest() asks for no lease with a password that not every provider takes", () => {
  const spawn = requestOf(REQUESTS.spawn) as Extract<Request, { type: "spawn" }>;
  for (const sshPassword of ["", "short", "x".repeat(65), "with space 123", "ümlaut-123456"]) {
    assert.throws(() => buildRequest({ ...spawn, sshPassword }), RangeError);
  }
});

Deno.test("errorTypeOf() knows the stable names, and the older ones as aliases", () => {
  const aliases = {
    invalid_spec: "spec_unavailable",
    resource_unavailable: "no_capacity",
    pod_creation_failed: "provisioning_error",
    pod_not_found: "not_found",
    payment_failed: "mint_error",
    internal_error: "backend_error",
  };
  for (const [alias, type] of Object.entries(aliases)) assert.equal(errorTypeOf(alias), type);
  assert.equal(errorTypeOf("race_lost"), "race_lost");
  for (const name of ["", "toString", "__proto__", "Not_Found"]) {
    assert.equal(errorTypeOf(name), "unknown");
  }
});

Deno.test("an error under an old or unknown name keeps it, and writes as it came", () => {
  for (const name of ["pod_not_found", "made_up"]) {
    const text = `{"error_type":"${name}","message":"m","details":"d"}`;
    const answer = readAnswer(text)!;
    assert.equal(answer.type === "error" ? answer.errorName : "", name);
    assert.equal(buildAnswer(answer), text);
  }
});

Deno.test("isLeaseGone() and leavesTokenAlone() never hold for what is unknown", () => {
  assert.equal(isLeaseGone(errorTypeOf("pod_not_found")), true);
  assert.equal(isLeaseGone("backend_error"), false);
  assert.equal(leavesTokenAlone("no_capacity"), true);
  assert.equal(leavesTokenAlone("provisioning_error"), false);
  assert.equal(isLeaseGone("unknown") || leavesTokenAlone("unknown"), false);
});

Deno.test("accessInstructions() are the lines of Paygress, the password among them only if one is set", () => {
  const access = {
    host: "203.0.113.5",
    sshPort: 31000,
    username: "root",
    expiresMs: Date.UTC(2026, 6, 30, 12),
  };
  const lines = accessInstructions({ ...access, password: "W9ZG2GIUOWiPkYID" });
  assert.deepEqual(lines, JSON.parse(ANSWERS.access).instructions);
  assert.equal(accessInstructions(access).some((line) => line.includes("Password")), false);
  const shown = accessInstructions({ ...access, hostKeyFingerprint: "SHA256:abc" });
  assert.ok(shown.some((line) => line.endsWith("SHA256:abc")));
});
