/** What a user or a pipe says: an answer to a question, or a text that belongs on no command line. */
import { SeedmintError } from "../../core/errors.ts";

/** Where a verb listens, so that tests can answer. */
export interface Input {
  /** Whether somebody is there to ask. */
  readonly isTerminal: boolean;
  /** Whether stdin is a terminal: what is pasted there is cut after 4,095 characters a line. */
  readonly isTyped: boolean;
  /** One line, without its end. */
  line(options: { readonly signal: AbortSignal }): Promise<string>;
  /**
   * Everything until the end.
   *
   * @throws {SeedmintError} `usage` if it has more than `bytesMax` bytes.
   */
  text(options: { readonly bytesMax: number; readonly signal: AbortSignal }): Promise<string>;
}

/** Longest answer to a question, in bytes. */
const LINE_BYTES_MAX = 4096;

/** The process's own stdin. */
export function processInput(): Input {
  const isTyped = Deno.stdin.isTerminal();
  return {
    isTerminal: isTyped && Deno.stderr.isTerminal(),
    isTyped,
    line: async ({ signal }) => {
      const text = await read({ bytesMax: LINE_BYTES_MAX, signal, isEnd: (seen) => seen === "\n" });
      return text.replace(/\r?\n[^]*$/, "");
    },
    text: (options) => read({ ...options, isEnd: () => false }),
  };
}

async function read(
  options: {
    readonly bytesMax: number;
    readonly signal: AbortSignal;
    readonly isEnd: (last: string) => boolean;
  },
): Promise<string> {
  const { signal } = options;
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16_384);
  let text = "";
  let size = 0;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const count = await Promise.race([Deno.stdin.read(buffer), aborted.promise]);
      if (count === null) return text + decoder.decode();
      size += count;
      if (size > options.bytesMax) {
        throw new SeedmintError(
          "usage",
          `Cannot read stdin: it has more than ${options.bytesMax} bytes`,
        );
      }
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
      if (options.isEnd(text.slice(-1))) return text;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
