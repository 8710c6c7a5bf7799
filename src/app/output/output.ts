/**
 * Where a verb speaks: results on stdout, notes and progress on stderr. With `--json`, stdout has one
 * object per line and nothing else.
 */
import { ProgressBar, type ProgressState } from "./progress.ts";

/** The two streams, so that tests can look at what was written. */
export interface OutputStreams {
  readonly writeOut: (bytes: Uint8Array) => void;
  readonly writeErr: (bytes: Uint8Array) => void;
  readonly isErrTerminal: boolean;
  readonly columns: number;
  /** Whether colours are wanted: a terminal, and no NO_COLOR. */
  readonly isColored: boolean;
}

/** How a verb speaks. */
export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** The process's own streams. */
export function processStreams(): OutputStreams {
  const isErrTerminal = Deno.stderr.isTerminal();
  return {
    writeOut: (bytes) => writeAll(Deno.stdout, bytes),
    writeErr: (bytes) => writeAll(Deno.stderr, bytes),
    isErrTerminal,
    columns: isErrTerminal ? columnsOf() : 80,
    isColored: isErrTerminal && !Deno.noColor,
  };
}

/** One verb's voice. */
export class Output {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #streams: OutputStreams;
  #bar: ProgressBar | undefined;

  constructor(options: OutputOptions, streams: OutputStreams) {
    this.json = options.json;
    this.#quiet = options.quiet;
    this.#streams = streams;
  }

  /** A line of the result. */
  line(text: string): void {
    this.#bar?.clear();
    this.#streams.writeOut(encode(`${text}\n`));
  }

  /** One JSON object of the result. */
  object(value: object): void {
    this.line(JSON.stringify(value));
  }

  /** Bytes of content, for `-o -`. */
  bytes(bytes: Uint8Array): void {
    this.#streams.writeOut(bytes);
  }

  /** Something worth knowing that is not the result. */
  note(text: string): void {
    if (this.#quiet) return;
    this.error(text);
  }

  /** A question on the terminal; the answer stands behind it. */
  question(text: string): void {
    this.#bar?.clear();
    this.#streams.writeErr(encode(text));
  }

  /** Something that must be said. */
  error(text: string): void {
    this.#bar?.clear();
    this.#streams.writeErr(encode(`${text}\n`));
  }

  /** Progress of long work: a bar on a terminal, nothing in pipes. */
  progress(state: ProgressState): void {
    if (this.#quiet || this.json || !this.#streams.isErrTerminal) return;
    this.#bar ??= new ProgressBar({
      write: (text) => this.#streams.writeErr(encode(text)),
      columns: this.#streams.columns,
      nowMs: () => performance.now(),
    });
    this.#bar.update(state);
  }

  /** Takes the bar away. */
  endProgress(): void {
    this.#bar?.clear();
    this.#bar = undefined;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) {
    offset += stream.writeSync(bytes.subarray(offset));
  }
}

function columnsOf(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80; // a terminal that does not tell, as one that says 0
  }
}
