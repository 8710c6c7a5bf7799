/** What runs during the demo: a relay, an origin, seeders and fetchers, each its own process. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type ChildOptions, ChildProcess, type JsonLine, type VerbResult } from "./processes.ts";

/** A node of the world. */
export interface WorldNode {
  readonly name: string;
  readonly data: string;
  readonly peerId: string;
  /** What it printed when it was ready. */
  readonly ready: JsonLine;
  readonly process: ChildProcess;
}

/** Where the development network listens. */
export interface Devnet {
  readonly directory: string;
  readonly lightning: string;
  readonly mints: readonly { readonly url: string; readonly adminUrl: string }[];
}

/** Starts and ends everything; what is asked for twice is started once. */
export class World implements AsyncDisposable {
  /** The file that is seeded. */
  readonly file: string;
  /** Where all data lies; removed at the end. */
  readonly directory: string;
  readonly nodes = new Map<string, WorldNode>();
  readonly #processes = new Set<ChildProcess>();
  readonly #sha256: string;
  readonly size: number;
  // Promises, so that two who ask at once get the same one.
  #relay: Promise<{ readonly url: string; readonly process: ChildProcess }> | undefined;
  #origin: Promise<string> | undefined;
  #devnet: Promise<Devnet> | undefined;
  #hash: string | undefined;
  #isClosed = false;

  private constructor(file: string, directory: string, sha256: string, size: number) {
    this.file = file;
    this.directory = directory;
    this.#sha256 = sha256;
    this.size = size;
  }

  /** Looks at the file and makes room for the rest. */
  static async create(file: string): Promise<World> {
    const { size } = await Deno.stat(file);
    const sha256 = await sha256OfFile(file);
    return new World(file, await Deno.makeTempDir({ prefix: "seedmint-demo-" }), sha256, size);
  }

  /** URL of the relay. */
  async relay(): Promise<string> {
    this.#relay ??= this.#startRelay();
    return (await this.#relay).url;
  }

  /** Ends the relay. */
  async stopRelay(): Promise<void> {
    const relay = await this.#relay;
    this.#relay = undefined;
    await relay?.process.stop();
  }

  /** URL of the file at the origin. */
  async origin(): Promise<string> {
    this.#origin ??= this.#startOrigin();
    return await this.#origin;
  }

  /** A running node; `flags` are those of `start`. */
  async node(name: string, ...flags: string[]): Promise<WorldNode> {
    return await this.#node(name, flags);
  }

  /** As {@link node}, with every permission: it lends compute, and engines are programs of the machine. */
  async lender(name: string, ...flags: string[]): Promise<WorldNode> {
    return await this.#node(name, flags, ["--allow-all"]);
  }

  async #node(
    name: string,
    flags: readonly string[],
    permissions?: readonly string[],
  ): Promise<WorldNode> {
    const known = this.nodes.get(name);
    if (known !== undefined) return known;
    const data = join(this.directory, name);
    const relay = await this.relay();
    const process = this.#spawn({
      script: "node.ts",
      ...(permissions === undefined ? {} : { flags: permissions }),
      args: [
        ...["start", "--json", "--data", data, "--no-mdns"],
        ...["--listen", "/ip4/127.0.0.1/tcp/0", "--relay", relay, ...flags],
      ],
    });
    const line = await ready(process);
    const node = { name, data, peerId: String(line.peerId), ready: line, process };
    this.nodes.set(name, node);
    return node;
  }

  /** A running node that seeds the file and has told the relay so. */
  async seeder(name: string, ...flags: string[]): Promise<WorldNode> {
    const node = await this.node(name, ...flags);
    const added = await this.verb("add", "--in-place", this.file, "--data", node.data);
    this.#hash = String(added.lines.at(-1)?.hash);
    await this.waitUntilFound(this.hash, node.peerId);
    return node;
  }

  /** Ends a node without a word, as a power cut would. */
  async killNode(name: string): Promise<void> {
    const node = this.nodes.get(name);
    this.nodes.delete(name);
    await node?.process.kill();
  }

  /** A seeder that changes every chunk group it sends. */
  async liar(): Promise<{ readonly peerId: string; readonly process: ChildProcess }> {
    const process = this.#spawn({
      script: "devnet/liar.ts",
      args: [await this.relay(), this.file, join(this.directory, "liar")],
      flags: ["--allow-all"],
    });
    const { peerId, hash } = await ready(process);
    this.#hash = String(hash);
    return { peerId: String(peerId), process };
  }

  /** Hash of the file, once somebody seeds it. */
  get hash(): string {
    if (this.#hash === undefined) throw new Error("Nobody seeds the file yet");
    return this.#hash;
  }

  /** Ends a node. */
  async stopNode(name: string): Promise<void> {
    const node = this.nodes.get(name);
    this.nodes.delete(name);
    await node?.process.stop();
  }

  /** Runs a verb to its end; failing is the caller's business. */
  async verb(...args: string[]): Promise<VerbResult> {
    const result = await this.start(...args).result();
    if (result.code !== 0 && !["get", "find"].includes(args[0]!)) {
      throw new Error(`${args[0]} failed: ${JSON.stringify(result.lines.at(-1))} ${result.stderr}`);
    }
    return result;
  }

  /** The development network: mints and Lightning, money that is worth nothing. */
  async devnet(): Promise<Devnet> {
    this.#devnet ??= this.#startDevnet();
    return await this.#devnet;
  }

  /** Starts a verb and gives it back at once. */
  start(...args: string[]): ChildProcess {
    return this.#spawn({ script: "node.ts", args: [...args, "--json"] });
  }

  /** Runs a verb that starts programs of the machine. @returns What it printed, line by line. */
  async program(...args: string[]): Promise<VerbResult> {
    const result = await this.#spawn({ script: "node.ts", args, flags: ["--allow-all"] }).result();
    if (result.code === 0) return result;
    throw new Error(`${args[0]} failed: ${result.stderr}`);
  }

  /** Runs a verb to its end with a text on stdin. @returns Its last line. */
  async feed(input: string, ...args: string[]): Promise<JsonLine> {
    const child = this.#spawn({ script: "node.ts", args: [...args, "--json"], input });
    const { code, lines, stderr } = await child.result();
    if (code === 0) return lines.at(-1) ?? {};
    throw new Error(`${args.slice(0, 2).join(" ")} failed: ${lines.at(-1)?.message} ${stderr}`);
  }

  /** Whether a file is, byte for byte, the one that is seeded. */
  async isSame(path: string): Promise<boolean> {
    return await sha256OfFile(path) === this.#sha256;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#processes].map((process) => process.stop()));
    await Deno.remove(this.directory, { recursive: true });
  }

  async #startRelay(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
    const args = ["relay", "127.0.0.1:0", "--memory", "--json"];
    const process = this.#spawn({ script: "node.ts", args });
    return { url: String((await ready(process)).url), process };
  }

  async #startDevnet(): Promise<Devnet> {
    const args = [
      ...["devnet", "--data", join(this.directory, "devnet"), "--mints", "3"],
      ...["--fee-ppk", "100", "--json"],
    ];
    const process = this.#spawn({ script: "node.ts", args, flags: ["--allow-all"] });
    return await ready(process) as unknown as Devnet;
  }

  async #startOrigin(): Promise<string> {
    const flags = ["--allow-net=127.0.0.1", "--allow-read"];
    const process = this.#spawn({ script: "devnet/origin.ts", args: [this.file], flags });
    return String((await ready(process)).url);
  }

  #spawn(options: ChildOptions): ChildProcess {
    // An act that is under way while the world ends must not leave anything behind.
    if (this.#isClosed) throw new Error("The demo is over");
    const process = new ChildProcess(options);
    this.#processes.add(process);
    return process;
  }

  /** Waits until a stranger finds that `peerId` has `hash`, and asks `price` if that is given. */
  async waitUntilFound(hash: string, peerId: string, price?: number): Promise<void> {
    const deadline = AbortSignal.timeout(15_000);
    const relay = await this.relay();
    while (!deadline.aborted) {
      const { lines } = await this.verb(
        "find",
        hash,
        "--data",
        join(this.directory, `finder-${peerId}`),
        "--no-mdns",
        "--no-ask",
        "--relay",
        relay,
      );
      const found = lines.find((line) => line.peerId === peerId);
      if (found !== undefined && (price ?? found.priceMsatPerMiB) === found.priceMsatPerMiB) return;
    }
    throw new Error(`Nobody finds ${peerId} through ${relay}`);
  }
}

async function ready(process: ChildProcess): Promise<JsonLine> {
  return await process.waitFor((line) => line.event === "ready");
}

/** SHA-256 of a file by the platform's own code, so that the demo does not trust ours. */
export async function sha256OfFile(path: string): Promise<string> {
  const digest = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1 << 20);
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    digest.update(buffer.subarray(0, count));
  }
  return digest.digest("hex");
}
