/** The other end of `peer.ts`. */
import { TextLineStream } from "./lines.ts";
import type { Command } from "./peer.ts";

/** A peer in a child process, told what to do by commands of type `C`. */
export class PeerProcess<C = Command> implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
    this.#input = child.stdin.getWriter();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /**
   * @param flags More flags for Deno, such as `--cpu-prof`.
   * @param script What runs; it gets the directory as its argument.
   */
  static async start<C = Command>(
    directory: string,
    flags: readonly string[] = [],
    script: URL = new URL("peer.ts", import.meta.url),
  ): Promise<PeerProcess<C>> {
    const peer = new PeerProcess<C>(
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", ...flags, script.pathname, directory],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn(),
    );
    await peer.#answer();
    return peer;
  }

  /** @throws {Error} What went wrong in the peer. */
  // deno-lint-ignore no-explicit-any -- each command has an answer of its own shape
  async tell(command: C): Promise<any> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
    return await this.#answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#child.status;
  }

  async #answer() {
    const { value, done } = await this.#lines.read();
    if (done) throw new Error("The peer ended");
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
