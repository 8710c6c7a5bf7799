/**
 * Runs every shell fence of the README as a reader would paste it, in a shell of its own, with this
 * Deno standing in for `deno` and `npx -y deno`. Fences of TypeScript run by `deno test --doc`.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** A fence that takes longer is ended and fails. */
const FENCE_MS_MAX = 150_000;
/** How long what a fence left running may take to stop when asked. */
const STOP_MS_MAX = 8_000;

/** The suite must not run itself: that its task exists is all that can be asked from inside. */
const SHIM = `#!/bin/bash
if [ "$1 $2" = "task test" ]; then exec grep -q '"test": {' deno.json; fi
exec "$REAL_DENO" "$@"
`;

interface Fence {
  readonly language: string;
  readonly line: number;
  readonly text: string;
}

function fencesOf(markdown: string): Fence[] {
  const found: Fence[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  markdown.split("\n").forEach((line, index) => {
    if (!line.startsWith("```")) return void open?.lines.push(line);
    if (open === undefined) open = { language: line.slice(3).trim(), line: index + 1, lines: [] };
    else {
      found.push({ language: open.language, line: open.line, text: open.lines.join("\n") });
      open = undefined;
    }
  });
  return found;
}

async function runFence(text: string, folder: string, msMax = FENCE_MS_MAX): Promise<string> {
  await Deno.writeTextFile(`${folder}/deno`, SHIM, { mode: 0o755 });
  await Deno.writeTextFile(`${folder}/npx`, `#!/bin/bash\nshift 2\nexec deno "$@"\n`, {
    mode: 0o755,
  });
  // The shell leads a process group of its own, so that whatever it leaves running can be ended.
  const child = new Deno.Command("bash", {
    args: ["-c", `set -euo pipefail\n${text}\n`],
    cwd: ROOT,
    env: {
      PATH: `${folder}:${Deno.env.get("PATH")}`,
      REAL_DENO: Deno.execPath(),
      TMPDIR: folder,
      NO_COLOR: "1",
    },
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = Promise.all([child.stdout, child.stderr].map((stream) => textOf(stream)));
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    signalGroup(child.pid, "SIGTERM");
  }, msMax);
  // The streams end when the last process that could write to them has.
  const insist = setTimeout(() => signalGroup(child.pid, "SIGKILL"), msMax + STOP_MS_MAX);
  const { success } = await child.status;
  clearTimeout(deadline);
  signalGroup(child.pid, "SIGTERM");
  const insistSooner = setTimeout(() => signalGroup(child.pid, "SIGKILL"), STOP_MS_MAX);
  const said = (await output).join("");
  clearTimeout(insist);
  clearTimeout(insistSooner);
  const left = await aliveInGroup(child.pid);
  signalGroup(child.pid, "SIGKILL");
  assert.ok(!isLate, `the fence hung for ${msMax} ms:\n${text}\n--\n${said}`);
  assert.ok(success, `the fence failed:\n${text}\n--\n${said}`);
  assert.deepEqual(left, [], "processes were left behind");
  return said;
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

function signalGroup(leader: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-leader, signal);
  } catch {
    // All of it ended.
  }
}

/** Processes of the group that run; those that nobody waited for yet do not count. */
async function aliveInGroup(leader: number): Promise<string[]> {
  const found: string[] = [];
  if (Deno.build.os !== "linux") return found;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // After the command in parentheses: state, parent, group.
    const [state, , group] = line.slice(line.lastIndexOf(")") + 2).split(" ");
    if (group === String(leader) && state !== "Z" && state !== "X") found.push(line.slice(0, 80));
  }
  return found;
}

const fences = fencesOf(await Deno.readTextFile(`${ROOT}README.md`));

Deno.test("the README has only fences that a test runs, or output", () => {
  const known = ["sh", "ts", "text"];
  for (const fence of fences) assert.ok(known.includes(fence.language), `line ${fence.line}`);
  assert.ok(fences.some((fence) => fence.language === "sh"));
});

for (const fence of fences.filter((one) => one.language === "sh")) {
  Deno.test(`the README's commands at line ${fence.line} work`, async () => {
    await inFolder((folder) => runFence(fence.text, folder));
  });
}

Deno.test("a fence that fails or hangs is told of, and leaves nothing running", async () => {
  const started = 'sleep 61 & echo $! > "$TMPDIR/pid"';
  for (
    const [text, msMax, message] of [
      [`${started}\nfalse`, 5_000, /the fence failed/],
      [`${started}\nwait`, 300, /the fence hung/],
    ] as const
  ) {
    await inFolder(async (folder) => {
      await assert.rejects(runFence(text, folder, msMax), message);
      const pid = (await Deno.readTextFile(`${folder}/pid`)).trim();
      const line = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "gone) Z");
      assert.match(line, /\) [ZX]/);
    });
  }
});

async function inFolder(use: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "seedmint-readme-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
