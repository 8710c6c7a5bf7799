/** Nodes of the lab: processes of `node.ts`, told of each other by a relay alone. */
import { join } from "node:path";
import { ChildProcess, type JsonLine, runVerb } from "../../../devnet/processes.ts";

/** Where clients are set up to ask: the mirror of the node that they live with. */
export const MIRROR = "127.0.0.1:5055";
/** Where images are pushed. */
export const PUSH = "127.0.0.1:5056";

/** A node under way. */
export interface LabNode {
  readonly data: string;
  readonly process: ChildProcess;
}

/** The nodes of the lab, and how they are started. */
export class Nodes implements AsyncDisposable {
  readonly #directory: string;
  readonly #upstream: string;
  readonly #running = new Set<ChildProcess>();
  #relay: string | undefined;
  #count = 0;

  constructor(directory: string, upstream: string) {
    this.#directory = directory;
    this.#upstream = upstream;
  }

  /** Starts a node with nothing in it, whose mirror is at `mirror`. */
  async start(mirror: string, ...flags: string[]): Promise<LabNode> {
    const relay = await this.relay();
    const data = join(this.#directory, `node-${this.#count++}`);
    const upstreams = ["docker.io", "ghcr.io"].flatMap((registry) => [
      "--mirror-upstream",
      `${registry}=${this.#upstream}`,
    ]);
    const process = this.#spawn(
      ...["start", "--data", data, "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"],
      ...["--relay", relay, "--mirror-listen", mirror, "--mirror-visibility", "public"],
      ...upstreams,
      ...flags,
    );
    await process.waitFor((line) => line.event === "ready");
    return { data, process };
  }

  /** Stops a node and forgets its data. */
  async end(node: LabNode): Promise<void> {
    await node.process.stop();
    this.#running.delete(node.process);
    await Deno.remove(node.data, { recursive: true });
  }

  /** The URL of the relay that all are told. */
  async relay(): Promise<string> {
    if (this.#relay !== undefined) return this.#relay;
    const process = this.#spawn("relay", "127.0.0.1:0", "--memory");
    const { url } = await process.waitFor((line) => line.event === "ready");
    return this.#relay = String(url);
  }

  #spawn(...args: string[]): ChildProcess {
    const process = new ChildProcess({ script: "node.ts", args: [...args, "--json"] });
    this.#running.add(process);
    return process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#running].map((process) => process.stop()));
  }
}

/** Runs a verb to its end. @returns Its lines. @throws {Error} Unless it succeeds. */
export async function verb(...args: string[]): Promise<readonly JsonLine[]> {
  const { code, lines, stderr } = await runVerb(...args);
  if (code === 0) return lines;
  throw new Error(`${args.join(" ")}: exit code ${code}: ${JSON.stringify(lines)} ${stderr}`);
}
