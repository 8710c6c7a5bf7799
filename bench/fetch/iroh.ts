/** iroh-blobs through the npm package `@number0/iroh` 0.35.0, as a rival for `bench/fetch.ts`. */
import { TextLineStream } from "./lines.ts";

const PROJECT = new URL("../../target/interop/bao/iroh/", import.meta.url);

/** A provider and a requester of iroh that fetch one file again and again. */
export class IrohRival implements AsyncDisposable {
  readonly name = "iroh";
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
    this.#input = child.stdin.getWriter();
  }

  /** In a network namespace of its own: iroh calls home. */
  static async start(file: string, store: string): Promise<IrohRival> {
    const rival = new IrohRival(
      new Deno.Command("unshare", {
        args: [
          ...["-rn", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"],
          ...[Deno.execPath(), "run", "-A", "--node-modules-dir=manual", "iroh_peer.mjs"],
          ...["fetch", store, file],
        ],
        cwd: PROJECT,
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn(),
    );
    await rival.#answer();
    return rival;
  }

  async run(): Promise<{ readonly ms: number }> {
    await this.#input.write(new TextEncoder().encode("\n"));
    return await this.#answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#lines.cancel();
    await this.#child.status;
  }

  async #answer() {
    const { value } = await this.#lines.read();
    if (value === undefined) throw new Error("iroh ended");
    return JSON.parse(value);
  }
}

/** Starts iroh for `file`, or says why not. */
export async function startIroh(file: string): Promise<IrohRival | string> {
  const installed = await Deno.stat(new URL("node_modules/@number0/iroh", PROJECT))
    .then(() => true, () => false);
  if (!installed) return "the package is not set up (deno run -A tests/interop/bao/run.ts)";
  await Deno.copyFile(
    new URL("iroh_peer.mjs", import.meta.url),
    new URL("iroh_peer.mjs", PROJECT),
  );
  try {
    return await IrohRival.start(file, `${file}-iroh`);
  } catch (error) {
    return `it does not run here: ${error instanceof Error ? error.message : error}`;
  }
}
