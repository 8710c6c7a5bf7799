/** A node of the paid world, from the parent's side. */
import { ChildError, Killed } from "../support/wallet_process.ts";
import type { Command, TraderEvent } from "./commands.ts";

const CHILD = new URL("./trader_child.ts", import.meta.url).pathname;

/** Longest wait for one answer besides a fetch, whose command says how long it may take. */
const ANSWER_MS_MAX = 120_000;

/** How much later than its own deadline a fetch is taken to hang. */
const FETCH_GRACE_MS = 30_000;

/** How long a child that is told to end may take. */
const END_MS_MAX = 20_000;

/** A running child. */
export class TraderProcess implements AsyncDisposable {
  /** All that it logged, once it has ended. */
  readonly log: Promise<string>;
  /** Called with what it says unasked. */
  onEvent: (event: TraderEvent) => void = () => {};
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #reading: Promise<void>;
  #nextId = 0;
  #isOver = false;

  constructor(options: { readonly fault?: string } = {}) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", CHILD],
      env: { FAULT: options.fault ?? "", NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#input.closed.catch(() => {});
    this.log = new Response(this.#child.stderr).text();
    this.#reading = this.#read();
  }

  /** Whether it has ended, of its own or killed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends a command and waits for its answer. @throws {Killed} @throws {ChildError} */
  async ask<T = unknown>(command: Command): Promise<T> {
    if (this.#isOver) throw new Killed("The child was killed");
    const answer = Promise.withResolvers<unknown>();
    const id = this.#nextId++;
    this.#waiting.set(id, answer);
    const ms = command.do === "fetch" ? command.waitMs + FETCH_GRACE_MS : ANSWER_MS_MAX;
    const late = setTimeout(() => answer.reject(new Error(`The child hangs: ${command.do}`)), ms);
    try {
      const line = new TextEncoder().encode(`${JSON.stringify({ id, ...command })}\n`);
      await this.#input.write(line).catch(() => {});
      return await answer.promise as T;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(id);
    }
  }

  /** Kills it now, wherever it is. */
  kill(): void {
    if (!this.#isOver) this.#child.kill("SIGKILL");
  }

  /** Waits for its end; whether it was killed. */
  async ended(): Promise<boolean> {
    const status = await this.#child.status;
    await this.#reading;
    return status.signal === "SIGKILL";
  }

  /** Lets it close what it has open, and end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.kill(), END_MS_MAX);
    await this.ended();
    clearTimeout(late);
    await this.log;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#heard(JSON.parse(line));
    }
    this.#isOver = true;
    await this.#input.abort().catch(() => {});
    for (const answer of this.#waiting.values()) answer.reject(new Killed("The child was killed"));
  }

  #heard(
    line: TraderEvent & { readonly id?: number; readonly value?: unknown; readonly error?: never },
  ): void {
    if (line.id === undefined) return this.onEvent(line);
    const answer = this.#waiting.get(line.id);
    if (line.error === undefined) answer?.resolve(line.value);
    else answer?.reject(new ChildError(line.error));
  }
}
