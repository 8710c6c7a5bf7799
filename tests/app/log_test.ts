import assert from "node:assert/strict";
import { configureLog, logOf, redact, redactText } from "../../src/app/log.ts";

function capture(format: "pretty" | "json", base: "info" | "error" = "info"): string[] {
  const lines: string[] = [];
  configureLog({
    levels: { base, byCategory: { net: "debug" } },
    format,
    write: (line) => lines.push(line),
    isColored: false,
  });
  return lines;
}

Deno.test("logs keep to the level of their category", () => {
  const lines = capture("json", "error");
  logOf("node")("info", "not shown");
  logOf("net")("debug", "shown");
  logOf("node")("error", "shown too");
  logOf("net")("trace", "not shown");
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), ["shown", "shown too"]);
});

Deno.test("a JSON line has time, level, category, message and fields", () => {
  const lines = capture("json");
  logOf("transfer")("warning", "braces {stay} as they are", {
    bytes: 7,
    error: new TypeError("no"),
  });
  const { time, ...rest } = JSON.parse(lines[0]!);
  assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(rest, {
    level: "warning",
    category: "transfer",
    message: "braces {stay} as they are",
    bytes: 7,
    error: "TypeError: no",
  });
});

Deno.test("a pretty line is one line, whatever a peer sent", () => {
  const lines = capture("pretty");
  logOf("net")("info", "peer says a\nb\u001b[2J", { name: "x\r\ny" });
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.\d{3} INFO {4}net: peer says a b \[2J name=x {2}y\n$/);
});

Deno.test("no secret reaches a line, neither by its name nor inside a text", () => {
  const cashu = `cashuB${"o2FteCJodHRwOi8v".repeat(3)}`;
  const nsec = `nsec1${"q".repeat(58)}`;
  const lines = capture("json");
  logOf("node")(
    "error",
    `${cashu} and Bearer abc.def and wss://ann:pw@relay.example/?token=s3cret`,
    {
      token: "s3cret",
      seedWords: ["s3cret"],
      nested: { Authorization: "s3cret", list: [nsec, { proofs: "s3cret" }] },
      error: new Error(`failed with ${cashu}`),
      key: new Uint8Array(32),
    },
  );
  for (const secret of [cashu, "s3cret", nsec, "abc.def", "ann", "pw"]) {
    assert.ok(!lines[0]!.includes(secret), `${secret} in ${lines[0]}`);
  }
  assert.match(lines[0]!, /relay\.example/);
});

Deno.test("redact() bounds what it walks", () => {
  const deep: Record<string, unknown> = {};
  let at = deep;
  for (let depth = 0; depth < 50; depth++) at = at.inner = {};
  assert.ok(JSON.stringify(redact(deep)).length < 200);
  assert.equal((redact(Array(1000).fill(1)) as unknown[]).length, 100);
  assert.equal(redact(10n), "10");
  assert.equal(redactText("nothing to hide"), "nothing to hide");
});

Deno.test("invoices, LNURLs and tokens inside of texts are redacted, amounts and mints are not", () => {
  const q = "q".repeat(60);
  for (const secret of [`lnbc210n1${q}`, `LNBCRT1${q.toUpperCase()}`, `lnurl1${q}`, `cashuA${q}`]) {
    assert.equal(redactText(`paid ${secret} now`), "paid [redacted] now");
  }
  const plain = "fund 21 sat at https://mint.example failed";
  assert.equal(redactText(plain), plain);
  assert.deepEqual(redact({ invoice: "x", quoteId: "y", preimage: "z", mint: "m" }), {
    invoice: "[redacted]",
    quoteId: "[redacted]",
    preimage: "[redacted]",
    mint: "m",
  });
});
