import assert from "node:assert/strict";
import {
  formatBytes,
  formatDuration,
  formatRate,
  formatTable,
  printable,
} from "../../src/app/output/format.ts";
import { Output } from "../../src/app/output/output.ts";
import { ProgressBar, progressLine } from "../../src/app/output/progress.ts";

Deno.test("formatBytes() shows three digits and the next unit in time", () => {
  const shown = [
    0,
    999,
    1000,
    1024,
    10_240,
    102_400,
    1_023_999,
    2 ** 20,
    2 ** 30,
    2 ** 50,
    2 ** 62,
  ];
  assert.deepEqual(shown.map(formatBytes), [
    "0 B",
    "999 B",
    "0.98 KiB",
    "1.00 KiB",
    "10.0 KiB",
    "100 KiB",
    "0.98 MiB",
    "1.00 MiB",
    "1.00 GiB",
    "1.00 PiB",
    "4096 PiB",
  ]);
});

Deno.test("formatDuration() and formatRate() are short", () => {
  assert.deepEqual(
    [0, 999, 1000, 59_900, 60_000, 3_599_000, 3_600_000, 90_000_000, Infinity].map(formatDuration),
    ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "1 d 1 h", "?"],
  );
  assert.deepEqual([0, 12_345_678, 1e9].map(formatRate), ["0.0 MB/s", "12.3 MB/s", "1000 MB/s"]);
});

Deno.test("formatTable() aligns columns and leaves no blanks at line ends", () => {
  const table = formatTable([{ title: "A" }, { title: "SIZE", alignRight: true }, { title: "" }], [
    ["long", "1", ""],
    ["x", "1000", "y"],
  ]);
  assert.equal(table, "A     SIZE\nlong     1\nx     1000  y");
});

Deno.test("printable() leaves nothing that steers a terminal", () => {
  assert.equal(printable("a\u001b[2Jb\u202ec\n"), "a\ufffd[2Jb\ufffdc\ufffd");
  assert.equal(printable("grüß 日本"), "grüß 日本");
});

Deno.test("progressLine() shows share, rate, time left and peers, and fits the terminal", () => {
  const state = { label: "film.mkv", bytes: 25 * 2 ** 20, size: 100 * 2 ** 20, peers: 3 };
  assert.equal(
    progressLine(state, 25e6, 120),
    "film.mkv  [#####---------------]   25 %  25.0 MiB of 100 MiB  25.0 MB/s  3.1 s left  3 peers",
  );
  assert.equal(
    progressLine(state, 25e6, 80),
    "film…  [###-------]   25 %  25.0 MiB of 100 MiB  25.0 MB/s  3.1 s left  3 peers",
  );
  for (const columns of [5, 20, 60, 80, 100]) {
    assert.ok(progressLine({ ...state, label: "x".repeat(200) }, 1, columns).length < columns);
  }
  assert.equal(progressLine({ label: "x", bytes: 10 }, undefined, 80), "x  10 B");
  assert.ok(progressLine({ label: "x", bytes: 0, size: 0 }, 0, 80).includes("100 %"));
});

Deno.test("ProgressBar draws at most ten times a second and takes itself away", () => {
  let nowMs = 0;
  const written: string[] = [];
  const bar = new ProgressBar({
    write: (text) => written.push(text),
    columns: 80,
    nowMs: () => nowMs,
  });
  for (; nowMs < 1000; nowMs += 10) bar.update({ label: "x", bytes: nowMs * 1000, size: 1e6 });
  assert.equal(written.length, 10);
  assert.match(written.at(-1)!, /1\.0 MB\/s/);
  bar.clear();
  bar.clear();
  assert.deepEqual(written.slice(10), ["\r\x1b[2K"]);
});

function outputOf(options: { json?: boolean; quiet?: boolean; terminal?: boolean }) {
  const texts = { out: "", err: "" };
  const output = new Output({ json: options.json ?? false, quiet: options.quiet ?? false }, {
    writeOut: (bytes) => texts.out += new TextDecoder().decode(bytes),
    writeErr: (bytes) => texts.err += new TextDecoder().decode(bytes),
    isErrTerminal: options.terminal ?? false,
    columns: 80,
    isColored: false,
  });
  return { output, texts };
}

Deno.test("Output shows progress on terminals only, never with --json or --quiet", () => {
  for (
    const [options, isShown] of [
      [{ terminal: true }, true],
      [{}, false],
      [{ terminal: true, json: true }, false],
      [{ terminal: true, quiet: true }, false],
    ] as const
  ) {
    const { output, texts } = outputOf(options);
    output.progress({ label: "x", bytes: 1 });
    assert.equal(texts.err !== "", isShown);
    assert.equal(texts.out, "");
  }
});

Deno.test("Output keeps results on stdout and everything else on stderr", () => {
  const { output, texts } = outputOf({ json: true });
  output.object({ a: 1 });
  output.note("careful");
  output.error("bad");
  assert.deepEqual(texts, { out: '{"a":1}\n', err: "careful\nbad\n" });
  const quiet = outputOf({ quiet: true });
  quiet.output.note("careful");
  quiet.output.error("bad");
  assert.equal(quiet.texts.err, "bad\n");
});
