/** One request to one source while it runs: what came, what was new, and telling the scheduler. */
import { type ErrorCode, isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { Range } from "../../src/core/range_set.ts";
import type { Source, SourceFetch } from "../ports.ts";
import type { SchedulerEvent } from "../scheduler/mod.ts";
import { TOLD_GROUPS_MAX } from "./limits.ts";

/** What a {@link Transfer} needs of the fetch it belongs to. */
export interface TransferHost {
  dispatch(event: SchedulerEvent): void;
  /** Counts verified groups; called before the scheduler learns of them. */
  verified(transfer: Transfer, groups: Range): void;
  /** Called after the scheduler learned of an end. */
  ended(transfer: Transfer): void;
}

/** See the head of this file. */
export class Transfer {
  readonly requestId: number;
  readonly source: Source;
  /** Resolves when the source let go, however it ended. */
  readonly settled: Promise<void>;
  receivedBytes = 0;
  /** Verified bytes, new or not, and the new ones among them. */
  verifiedBytes = 0;
  newBytes = 0;
  /** The other side granted: the store holds a place for its bytes until it ends. */
  isIngesting = false;
  readonly #abort = new AbortController();
  readonly #enough = new AbortController();
  readonly #host: TransferHost;
  #pending: Range | undefined;
  #hasToldFirst = false;
  #isOver = false;

  constructor(
    host: TransferHost,
    options: {
      readonly requestId: number;
      readonly source: Source;
      readonly fetch: Omit<
        SourceFetch,
        "signal" | "enough" | "onGranted" | "onVerified" | "onReceived"
      >;
    },
  ) {
    this.requestId = options.requestId;
    this.source = options.source;
    this.#host = host;
    this.settled = this.#run(options.fetch);
  }

  /** Ends it; whatever still comes is ignored by the scheduler. */
  cancel(reason: string): void {
    this.#isOver = true;
    this.#abort.abort(new DOMException(`The request was ended: ${reason}`, "AbortError"));
  }

  /** Lets the source keep what can be verified, and end. */
  windUp(): void {
    this.#enough.abort();
  }

  /** Tells the scheduler what was verified since the last time. */
  flush(): void {
    const groups = this.#pending;
    if (groups === undefined) return;
    this.#pending = undefined;
    this.#hasToldFirst = true;
    this.#host.verified(this, groups);
    this.#host.dispatch({ type: "verified", requestId: this.requestId, groups });
  }

  async #run(fetch: Omit<SourceFetch, "signal">): Promise<void> {
    const { requestId } = this;
    let event: SchedulerEvent;
    try {
      // The constructor must have returned before anything is told.
      await Promise.resolve();
      const { receivedBytes } = await this.source.fetch({
        ...fetch,
        signal: this.#abort.signal,
        enough: this.#enough.signal,
        onGranted: (size) => {
          this.isIngesting = true;
          this.#host.dispatch({ type: "granted", requestId, size });
        },
        onVerified: (groups) => this.#onVerified(groups),
        onReceived: (bytes) => this.#onReceived(bytes),
      });
      this.receivedBytes = Math.max(this.receivedBytes, receivedBytes);
      event = { type: "finished", requestId };
    } catch (error) {
      event = { type: "failed", requestId, code: codeOf(error), message: messageOf(error) };
    }
    this.flush();
    // What was cancelled is forgotten already.
    if (!this.#isOver) this.#host.dispatch(event);
    this.#host.ended(this);
  }

  #onReceived(bytes: number): void {
    this.receivedBytes += bytes;
    // Peers' bytes are verified as they come, so only an origin's need telling before.
    if (this.source.kind === "origin" && !this.#isOver) {
      this.#host.dispatch({ type: "received", requestId: this.requestId, bytes });
    }
  }

  #onVerified(groups: Range): void {
    const pending = this.#pending;
    if (pending !== undefined && pending.end === groups.start) {
      this.#pending = { start: pending.start, end: groups.end };
    } else {
      this.flush();
      this.#pending = groups;
    }
    const count = this.#pending!.end - this.#pending!.start;
    if (!this.#hasToldFirst || count >= TOLD_GROUPS_MAX) this.flush();
  }
}

function codeOf(error: unknown): ErrorCode {
  if (isSeedmintError(error)) return error.code;
  if (error instanceof DOMException && error.name === "AbortError") return "aborted";
  if (error instanceof DOMException && error.name === "TimeoutError") return "timeout";
  return "unavailable";
}
