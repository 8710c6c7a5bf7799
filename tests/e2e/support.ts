/** Real nodes for tests: processes of `node.ts`, on loopback, in a directory that goes away. */
import { join } from "node:path";
import {
  ChildProcess,
  feedVerb,
  type JsonLine,
  runVerb,
  type VerbResult,
} from "../../devnet/processes.ts";

/** A directory for one test, and the processes that live in it. */
export class Bench implements AsyncDisposable {
  readonly directory: string;
  readonly #processes = new Set<ChildProcess>();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Bench> {
    return new Bench(await Deno.makeTempDir({ prefix: "seedmint-e2e-" }));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts a verb that keeps running and waits until it is ready. */
  async start(...args: string[]): Promise<{ process: ChildProcess; ready: JsonLine }> {
    const process = this.spawn(...args);
    return { process, ready: await process.waitFor((line) => line.event === "ready") };
  }

  /** A node with data of its own that listens on loopback. */
  async node(
    name: string,
    ...flags: string[]
  ): Promise<{ process: ChildProcess; ready: JsonLine }> {
    const listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"];
    return await this.start("start", "--data", this.path(name), ...listen, ...flags);
  }

  async relay(): Promise<string> {
    const { ready } = await this.start("relay", "127.0.0.1:0", "--memory");
    return String(ready.url);
  }

  /** A development network of `mints` mints whose input fee is `feePpk`. */
  async devnet(feePpk = 0, mints = 2): Promise<Devnet> {
    const args = [
      ...["devnet", "--data", this.path("devnet"), "--mints", String(mints)],
      ...["--fee-ppk", String(feePpk), "--json"],
    ];
    const process = new ChildProcess({ script: "node.ts", args, flags: ["--allow-all"] });
    this.#processes.add(process);
    const ready = await process.waitFor((line) => line.event === "ready", 60_000);
    return ready as unknown as Devnet;
  }

  spawn(...args: string[]): ChildProcess {
    const process = new ChildProcess({ script: "node.ts", args: [...args, "--json"] });
    this.#processes.add(process);
    return process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#processes].map((process) => process.stop()));
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Runs a verb and returns its last line; fails the test unless it succeeds. */
export async function ok(...args: string[]): Promise<JsonLine> {
  return lastOf(0, await runVerb(...args), args[0]!);
}

/** Where a development network listens. */
export interface Devnet {
  readonly directory: string;
  readonly lightning: string;
  readonly mints: readonly { readonly url: string; readonly adminUrl: string }[];
}

/** Fills a wallet by Lightning and waits for the ecash. */
export async function fundWallet(
  bench: Bench,
  net: Devnet,
  options: { readonly data: string; readonly sat: number; readonly mint: string },
): Promise<void> {
  const { data, sat, mint } = options;
  const funding = bench.spawn("wallet", "fund", String(sat), "--mint", mint, "--data", data);
  const { invoice } = await funding.waitFor((line) => line.event === "invoice");
  await ok("devnet", "pay", String(invoice), "--data", net.directory);
  lastOf(0, await funding.result(), "wallet fund");
}

/** What a node tells Prometheus over its control socket. */
export async function metricsOf(dataDirectory: string): Promise<string> {
  using client = Deno.createHttpClient({
    proxy: { transport: "unix", path: `${dataDirectory}/control.sock` },
  });
  return await (await fetch("http://seedmint/metrics", { client })).text();
}

/** As {@link ok}, with a text on stdin. */
export async function fed(input: string, ...args: string[]): Promise<JsonLine> {
  return lastOf(0, await feedVerb(input, ...args), args.slice(0, 2).join(" "));
}

/** Runs a verb and returns its last line; fails the test unless it exits with `code`. */
export async function failed(code: number, ...args: string[]): Promise<JsonLine> {
  return lastOf(code, await runVerb(...args), args[0]!);
}

/** The last line of a verb that ended. */
export function lastOf(code: number, result: VerbResult, verb: string): JsonLine {
  if (result.code !== code) {
    throw new Error(
      `${verb} exited with ${result.code}, not ${code}: ${
        JSON.stringify(result.lines.at(-1))
      } ${result.stderr}`,
    );
  }
  return result.lines.at(-1) ?? {};
}

/** Bytes that are the same at every run and compress badly. */
export function testBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[index] = state ^ (state >>> 15);
  }
  return new Uint8Array(words.buffer, 0, size).slice();
}
