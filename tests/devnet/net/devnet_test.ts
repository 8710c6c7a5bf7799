import assert from "node:assert/strict";
import { devnet, type DevnetIo } from "../../../devnet/net/mod.ts";
import { ChildProcess, type JsonLine } from "../../../devnet/processes.ts";
import { decodeInvoice } from "../../../wallet/lightning/bolt11.ts";

interface Run {
  readonly code: number;
  readonly objects: readonly Record<string, unknown>[];
  readonly lines: readonly string[];
  readonly errors: readonly string[];
}

async function run(args: readonly string[], json = true): Promise<Run> {
  const objects: Record<string, unknown>[] = [];
  const lines: string[] = [];
  const errors: string[] = [];
  const io: DevnetIo = {
    json,
    line: (text) => lines.push(text),
    object: (value) => objects.push(value as Record<string, unknown>),
    error: (text) => errors.push(text),
  };
  const code = await devnet(args, io, new AbortController().signal);
  return { code, objects, lines, errors };
}

interface World extends AsyncDisposable {
  readonly directory: string;
  start(...args: string[]): Promise<Started>;
}

interface Started {
  readonly process: ChildProcess;
  readonly ready: JsonLine;
  readonly mints: readonly {
    readonly name: string;
    readonly url: string;
    readonly faultsUrl?: string;
  }[];
  readonly pids: Readonly<Record<string, number>>;
}

async function world(): Promise<World> {
  const directory = await Deno.makeTempDir({ prefix: "devnet-test-" });
  const processes: ChildProcess[] = [];
  return {
    directory,
    async start(...args) {
      const process = new ChildProcess({
        script: "devnet/net/main.ts",
        args: ["--data", directory, "--port", "17780", "--json", ...args],
        flags: ["--allow-all"],
      });
      processes.push(process);
      const ready = await process.waitFor((line) => line.event === "ready", 60_000);
      return {
        process,
        ready,
        mints: ready.mints as Started["mints"],
        pids: ready.pids as Started["pids"],
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(processes.map((process) => process.stop()));
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function ask(url: string, body?: unknown): Promise<Record<string, unknown>> {
  const init: RequestInit = body === undefined
    ? {}
    : { method: "POST", body: JSON.stringify(body) };
  return await (await fetch(url, init)).json();
}

function isAlive(pid: number): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 400 && !condition(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.ok(condition(), "it never came about");
}

Deno.test("devnet starts a relay, Lightning and two mints, and goes on where it was", async () => {
  await using w = await world();
  const first = await w.start();
  const { mints } = first;
  assert.deepEqual(mints.map(({ name }) => name), ["A", "B"]);
  const quoted = await ask(`${mints[0]!.url}/v1/mint/quote/bolt11`, { amount: 21, unit: "sat" });
  assert.equal(decodeInvoice(String(quoted.request)).amountMsat, 21_000n);
  const paid = await run(["pay", String(quoted.request), "--data", w.directory]);
  assert.deepEqual([paid.code, paid.objects[0]?.state], [0, "succeeded"]);

  const again = await run(["--data", w.directory]);
  assert.equal(again.code, 1);
  assert.equal(again.objects[0]?.code, "locked");
  assert.match(String(again.objects[0]?.message), /is using it/);

  Deno.kill(first.process.pid, "SIGINT");
  assert.equal((await first.process.result()).code, 0);
  for (const pid of Object.values(first.pids)) assert.ok(!isAlive(pid));
  const second = await w.start();
  assert.deepEqual(second.mints, mints, "the addresses are the same");
  assert.deepEqual([second.ready.relay, second.ready.lightning], [
    first.ready.relay,
    first.ready.lightning,
  ]);
  const quote = await ask(`${mints[0]!.url}/v1/mint/quote/bolt11/${quoted.quote}`);
  assert.equal(quote.state, "PAID");
  const socket = new WebSocket(String(second.ready.relay));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});

Deno.test("devnet invoice, pay and books are a wallet outside", async () => {
  await using w = await world();
  await w.start("--mints", "1");
  const at = ["--data", w.directory];
  const made = await run(["invoice", "21", "--memo", "coffee", ...at]);
  const { invoice } = made.objects[0] as { invoice: string };
  assert.equal(decodeInvoice(invoice).description, "coffee");
  const paid = await run(["pay", `lightning:${invoice}`, ...at], false);
  assert.deepEqual([paid.code, paid.lines], [0, ["paid 21 sat and 0 sat for routing"]]);
  const twice = await run(["pay", invoice, ...at]);
  assert.equal(twice.objects[0]?.state, "succeeded", "the same payment, not another one");
  const books = await run(["books", ...at]);
  assert.deepEqual(books.objects[0], {
    event: "books",
    nodes: [{ node: "outside", inMsat: 21_000, outMsat: 21_000, feesMsat: 0 }],
    undeliveredMsat: 0,
    isBalanced: true,
  });
  const lines: string[] = [];
  const io = {
    json: false,
    line: (text: string) => void lines.push(text),
    object() {},
    error() {},
  };
  const waiting = devnet(["invoice", "7 sat", "--wait", ...at], io, new AbortController().signal);
  await until(() => lines.length === 1);
  assert.equal((await run(["pay", lines[0]!, ...at])).code, 0);
  assert.equal(await waiting, 0);
  assert.equal(lines.at(-1), "paid: 7 sat");
});

Deno.test("devnet starts a part that died again, at its old address", async () => {
  await using w = await world();
  const { process, mints, pids } = await w.start("--mints", "1", "--faults");
  const { url, faultsUrl } = mints[0]!;
  assert.ok(faultsUrl !== undefined);
  await ask(`${faultsUrl}/fault`, { action: "status", status: 503 });
  assert.match(String((await ask(`${url}/v1/info`)).detail), /fault proxy/);
  Deno.kill(pids["mint-A"]!, "SIGKILL");
  const line = await process.waitFor((one) => one.event === "restarted");
  assert.deepEqual([line.name, line.why], ["mint-A", "SIGKILL"]);
  assert.match(String((await ask(`${url}/v1/info`)).name), /A/);
});

Deno.test("devnet leaves no process behind when it is killed", async () => {
  await using w = await world();
  const { process, pids } = await w.start("--mints", "1");
  assert.ok(Object.values(pids).every(isAlive));
  await process.kill();
  await until(() => !Object.values(pids).some(isAlive));
});

Deno.test("devnet refuses what makes no sense, and says what to do", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const at = ["--data", directory];
    const help = await run(["--help"]);
    assert.deepEqual([help.code, help.lines[0]?.startsWith("seedmint devnet:")], [0, true]);
    const cases: readonly (readonly [string[], number, RegExp])[] = [
      [["dance"], 2, /see devnet --help/],
      [["pay"], 2, /see devnet --help/],
      [["--colour", "red"], 2, /see devnet --help/],
      [["--mints", "9"], 2, /1 to 8/],
      [["--mints", "two"], 2, /whole number/],
      [["pay", "lnbc1nonsense"], 1, /There is no development network/],
      [["invoice", "21"], 1, /There is no development network/],
      [["books"], 1, /start one with "devnet"/],
    ];
    for (const [args, code, why] of cases) {
      const result = await run([...args, ...at], false);
      assert.deepEqual([result.code, result.lines], [code, []], args.join(" "));
      assert.match(result.errors.join("\n"), why);
    }
    await Deno.writeTextFile(`${directory}/devnet.json`, "{");
    assert.match((await run(["books", ...at], false)).errors[0]!, /damaged/);
    const dead = { version: 1, firstPort: 1, relayPort: 1, lightningPort: 1, mints: [] };
    await Deno.writeTextFile(`${directory}/devnet.json`, JSON.stringify(dead));
    assert.match((await run(["books", ...at], false)).errors[0]!, /is it running/);
    assert.equal((await run(["pay", "lnbc1nonsense", ...at], false)).code, 2);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
