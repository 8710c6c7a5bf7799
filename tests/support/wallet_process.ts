/** A wallet in a child process, from the parent's side. */
import type { Answer, BuyRequest } from "../../wallet/buying/buying_api.ts";
import type {
  BalanceReport,
  HistoryEntry,
  OperationView,
  PaymentRequest,
} from "../../wallet/wallet_api.ts";

/** How a child opens its wallet. */
export interface Opening {
  readonly directory: string;
  readonly seedWords: string;
  /** Its clock begins here… */
  readonly nowMs: number;
  /** …and runs so many times as fast as the world's. */
  readonly rate: number;
  readonly resumes?: boolean;
}

/** What a child can be told. */
export type Command =
  | ({ readonly do: "open" } & Opening)
  | { readonly do: "arm"; readonly fault: string }
  | { readonly do: "add-mint"; readonly url: string; readonly trust?: "trusted" | "accepted" }
  | { readonly do: "fund"; readonly mint: string; readonly amountSat: number }
  | { readonly do: "payment"; readonly request: PaymentRequest }
  | {
    readonly do: "take";
    readonly offer: {
      readonly payer: string;
      readonly paymentId: string;
      readonly token: string;
    };
  }
  | {
    readonly do: "pay";
    readonly request: {
      readonly invoice: string;
      readonly mint: string;
      readonly maxFeeSat?: number;
    };
  }
  | {
    readonly do: "swap";
    readonly request: {
      readonly from: string;
      readonly to: string;
      readonly amountSat: number;
      readonly maxFeeSat?: number;
    };
  }
  /** Opens a session with a seller and asks what is due. */
  | { readonly do: "buy"; readonly request: BuyRequest }
  | { readonly do: "next" }
  | { readonly do: "verified"; readonly bytes: number }
  | { readonly do: "answered"; readonly id: string; readonly answer: Answer }
  | { readonly do: "reclaim"; readonly id: string }
  | { readonly do: "settle" }
  | { readonly do: "report" };

/** Answer to `buy` and `next`. */
export type DueReply =
  | { readonly due: "pay"; readonly id: string; readonly token: string }
  | { readonly due: "nothing" }
  | { readonly due: "declined"; readonly reason: string };

/** Answer to `settle`. */
export interface Settled {
  readonly open: readonly OperationView[];
  /** Those that still moved when time was up. */
  readonly unsettled: readonly OperationView[];
}

/** Answer to `report`. */
export interface WalletReport {
  readonly balance: BalanceReport;
  readonly audit: readonly string[];
  readonly history: readonly HistoryEntry[];
}

/** The child was killed before it answered. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** What the child refused. */
export class ChildError extends Error {
  readonly code: string;

  constructor({ code, message }: { readonly code: string; readonly message: string }) {
    super(message);
    this.code = code;
  }
}

const CHILD = new URL("./wallet_child.ts", import.meta.url).pathname;

/** Longest wait for one answer. */
const ANSWER_MS_MAX = 90_000;

/** A running child. */
export class WalletProcess implements AsyncDisposable {
  /** All that it logged, once it has ended. */
  readonly log: Promise<string>;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting: PromiseWithResolvers<unknown>[] = [];
  readonly #reading: Promise<void>;

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

  /** Sends a command and waits for its answer. @throws {Killed} @throws {ChildError} */
  async ask<T = unknown>(command: Command): Promise<T> {
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.push(answer);
    const late = setTimeout(() => answer.reject(new Error("The child hangs")), ANSWER_MS_MAX);
    try {
      const line = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
      await this.#input.write(line).catch(() => {});
      return await answer.promise as T;
    } finally {
      clearTimeout(late);
    }
  }

  /** Kills it now, wherever it is. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Waits for its end; whether it was killed. */
  async ended(): Promise<boolean> {
    const status = await this.#child.status;
    await this.#reading;
    return status.signal === "SIGKILL";
  }

  /** Lets it close its wallet and end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.kill(), ANSWER_MS_MAX);
    await this.ended();
    clearTimeout(late);
    await this.log;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const { value, error } = JSON.parse(line);
        const answer = this.#waiting.shift();
        if (error === undefined) answer?.resolve(value);
        else answer?.reject(new ChildError(error));
      }
    }
    for (const answer of this.#waiting.splice(0)) answer.reject(new Killed("The child was killed"));
  }
}
