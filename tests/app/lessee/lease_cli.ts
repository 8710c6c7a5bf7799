/** A line of the command against a node whose answers are made up. */
import assert from "node:assert/strict";
import type { LeaseMethods } from "../../../src/app/api/lease_methods.ts";
import { LocalNode } from "../../../src/app/api/local.ts";
import type { NodeParts } from "../../../src/app/api/parts.ts";
import { main } from "../../../src/app/cli/main.ts";
import { listenOnSocket } from "../../../src/app/control/listen.ts";
import { socketPath } from "../../../src/app/control/paths.ts";
import { ControlServer } from "../../../src/app/control/server.ts";

/** What the node answers, by method; an error is thrown. */
export type Answers = {
  readonly [Name in keyof LeaseMethods]?: LeaseMethods[Name]["result"] | Error;
};

/** Options of {@link run}. */
export interface Options {
  readonly answers?: Answers;
  /** Lines that a person types; without them nobody is there. */
  readonly typed?: readonly string[];
  readonly piped?: string;
}

/** Runs one line against a node at its control socket, as every verb does when one runs. */
export async function run(args: readonly string[], options: Options = {}) {
  const asked: [name: string, params: Record<string, unknown>][] = [];
  const { answers = {}, typed, piped = "" } = options;
  const desk = new Proxy({}, {
    // What is awaited is asked for `then`.
    get: (_, name: string) =>
      name === "then" ? undefined : (params: Record<string, unknown>) => {
        asked.push([name, params]);
        const answer = answers[name as keyof LeaseMethods];
        if (answer instanceof Error) return Promise.reject(answer);
        assert.ok(answer !== undefined, `nobody was to ask for ${name}`);
        return Promise.resolve(answer);
      },
  });
  const data = await Deno.makeTempDir({ prefix: "seedmint-lease-cli-" });
  await Deno.chmod(data, 0o700);
  const parts = { leases: { open: () => Promise.resolve(desk) } } as unknown as NodeParts;
  const server = new ControlServer({
    node: new LocalNode({ ...parts, startedMs: 1 }),
    identify: () => Promise.resolve({ version: "0", peerId: "x" }),
    metrics: () => Promise.resolve(""),
    onError: () => {},
  });
  let [out, err] = ["", ""];
  const lines = [...typed ?? []];
  try {
    await using _listener = await listenOnSocket(server, socketPath(data));
    const end = args.includes("--") ? args.indexOf("--") : args.length;
    const code = await main(args.toSpliced(end, 0, "--data", data), {
      writeOut: (bytes) => out += new TextDecoder().decode(bytes),
      writeErr: (bytes) => err += new TextDecoder().decode(bytes),
      isErrTerminal: false,
      columns: 80,
      isColored: false,
    }, {
      input: {
        isTerminal: typed !== undefined,
        isTyped: typed !== undefined,
        line: () => Promise.resolve(lines.shift() ?? ""),
        text: () => Promise.resolve(piped),
      },
    });
    return { code, out, err, asked };
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}
