import assert from "node:assert/strict";
import { join } from "node:path";
import { ProcessLock } from "../../src/sqlite/mod.ts";

const CHILD = new URL("./lock_child.ts", import.meta.url).pathname;

async function withDirectory(test: (directory: string) => void | Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-lock-" });
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("ProcessLock is held by one part of a process until it is disposed of", () =>
  withDirectory((directory) => {
    const path = join(directory, "lock");
    const first = ProcessLock.take(path, "the till");
    assert.throws(() => ProcessLock.take(path, "the till"), {
      code: "locked",
      retryable: true,
      message: new RegExp(`Cannot open the till: this process \\(${Deno.pid}\\) is using it`),
    });
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    first[Symbol.dispose]();
    ProcessLock.take(path, "the till")[Symbol.dispose]();
  }));

Deno.test("ProcessLock names the process that holds it, and is free once that was killed", () =>
  withDirectory(async (directory) => {
    const path = join(directory, "lock");
    await using child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", CHILD, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    assert.throws(() => ProcessLock.take(path, "the till"), {
      message: new RegExp(`process ${child.pid} is using it`),
    });
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await child.stdin.close().catch(() => {});
    ProcessLock.take(path, "the till")[Symbol.dispose]();
  }));
