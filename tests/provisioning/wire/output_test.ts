/** Answers that carry what programs and strangers wrote. */
import assert from "node:assert/strict";
import { PRIVATE_LIMITS, privateSizeOf } from "../../../src/nostr/mod.ts";
import { type Answer, buildAnswer, readAnswer } from "../../../provisioning/wire/mod.ts";
import { ANSWERS, KEYS } from "./fixtures.ts";

Deno.test("output that is too long for a message is cut, whatever it consists of", () => {
  for (const letter of ["x", "\n", "\0", '"', "\\", "漢", "🚀"]) {
    const output = letter.repeat(30_000);
    const lease = "container-1";
    const long: Answer[] = [
      { type: "logs", lease, text: `${output}end`, isTruncated: false },
      {
        type: "exec",
        lease,
        stdout: `begin${output}`,
        stderr: `begin${output}`,
        exitCode: 0,
        isTruncated: false,
      },
    ];
    for (const answer of long) {
      const text = buildAnswer(answer);
      const size = privateSizeOf(text);
      assert.ok(size <= PRIVATE_LIMITS.sentBytesMax && size > PRIVATE_LIMITS.sentBytesMax / 2);
      const read = readAnswer(text);
      assert.ok(read?.type === "logs" || read?.type === "exec");
      assert.equal(read.isTruncated, true);
      if (read.type === "logs") assert.ok(read.text.endsWith("end"));
      else assert.ok(read.stdout.startsWith("begin") && read.stderr.startsWith("begin"));
    }
  }
});

Deno.test("a list of leases that is too long is cut, and says so", () => {
  const one = {
    lease: "container-1",
    leaseId: `${KEYS.provider}:container-1:1785400000`,
    state: "ready",
    specId: "basic",
    image: "i".repeat(500),
    expiresMs: 0,
    sshHost: "203.0.113.5",
    sshPort: 31000,
  };
  for (const [image, most] of [["i", 32], ['"'.repeat(500), 31]] as const) {
    const leases = Array(100).fill({ ...one, image });
    const read = readAnswer(buildAnswer({ type: "leases", leases, isTruncated: false }));
    assert.ok(read?.type === "leases" && read.isTruncated);
    assert.ok(read.leases.length > 6 && read.leases.length <= most, String(read.leases.length));
  }
});

Deno.test("what people are shown holds no commands for their terminal; output is as it came", () => {
  const evil = "a\x1b[2Jb\u202ec\x9bd";
  const access = JSON.parse(ANSWERS.access);
  const answers = [
    readAnswer(JSON.stringify({ ...access, instructions: [evil], pod_spec_name: evil })),
    readAnswer(JSON.stringify({ error_type: evil, message: evil, details: evil })),
    readAnswer(JSON.stringify({ seedmint: "progress", state: evil })),
  ];
  for (const answer of answers) {
    assert.ok(answer);
    const shown = JSON.stringify(answer);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(shown, /[\x00-\x1f\x7f-\x9f\u202e]|\\u001b/);
    assert.match(shown, /a\uFFFD\[2Jb\uFFFDc\uFFFDd/);
  }
  const exec = { lease: "container-1", stdout: evil, stderr: "", exitCode: 0, isTruncated: false };
  const read = readAnswer(buildAnswer({ type: "exec", ...exec }));
  assert.equal(read?.type === "exec" ? read.stdout : "", evil);
});
