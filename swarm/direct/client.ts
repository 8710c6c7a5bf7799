/** The requester's side of the direct path: connections kept per address, one request at a time each. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { HttpReader, type RawConnection, requestBytes, statusOf, writeAll } from "./http.ts";
import {
  CONNECTION_REUSE_MS,
  IDLE_CONNECTIONS_MAX,
  READ_BYTES,
  RESPONSE_HEAD_BYTES_MAX,
} from "./limits.ts";

/** A way to open a connection, so that tests need no socket. */
export type Connect = (
  address: { readonly hostname: string; readonly port: number },
) => Promise<RawConnection>;

interface Held {
  readonly connection: RawConnection;
  readonly reader: HttpReader;
  readonly isReused: boolean;
  readonly idleSinceMs: number;
}

/** A response whose body is being read. */
export interface DirectResponse {
  /** Bytes of the whole body. */
  readonly size: number;
  /**
   * The next bytes, valid until the next call; undefined after the last.
   *
   * @param target Where to put them, if that is not left to the response.
   */
  read(target?: Uint8Array): Promise<Uint8Array | undefined>;
}

/** Options of {@link DirectClient}. */
export interface DirectClientOptions {
  readonly clock: Pick<Clock, "monotonicMs" | "timer">;
  /** @default {Deno.connect} */
  readonly connect?: Connect;
}

/** All connections to the direct paths of one peer. */
export class DirectClient implements Disposable {
  readonly #clock: DirectClientOptions["clock"];
  readonly #connect: Connect;
  readonly #idle = new Map<string, Held[]>();
  #isClosed = false;

  constructor(options: DirectClientOptions) {
    this.#clock = options.clock;
    this.#connect = options.connect ?? connectTcp;
  }

  /**
   * Posts `body` and lends the response to `use`.
   *
   * @param options `answerMs`: how long the connection and the head of the response may take;
   * `onAnswered`: called when the head is here; `breaks`: told what to close on a cancel.
   * @throws {SeedmintError} `timeout`, `denied` for any status but 200, `protocol`, `reset`, and
   * whatever `use` throws.
   */
  async post<T>(
    options: {
      readonly hostname: string;
      readonly port: number;
      readonly body: () => Uint8Array;
      readonly answerMs: number;
      readonly onAnswered: () => void;
      readonly breaks: (breakUp: () => void) => void;
      readonly use: (response: DirectResponse) => Promise<T>;
    },
  ): Promise<T> {
    const { hostname, port } = options;
    const key = `${hostname} ${port}`;
    while (true) {
      const attempt = new Attempt(options.breaks);
      const cancelTimer = this.#clock.timer(options.answerMs, () => attempt.late());
      let held = this.#takeIdle(key);
      const wasReused = held !== undefined;
      let hasAnswered = false;
      try {
        held ??= await this.#open(attempt, { hostname, port });
        attempt.holds(held.connection);
        const request = requestBytes(hostOf(hostname, port), options.body());
        await attempt.wait(writeAll(held.connection, request));
        const head = await attempt.wait(held.reader.head(RESPONSE_HEAD_BYTES_MAX));
        if (head === undefined) throw new SeedmintError("reset", "The connection ended");
        cancelTimer();
        hasAnswered = true;
        options.onAnswered();
        const status = statusOf(head);
        if (status !== 200) throw new SeedmintError("denied", `It answered ${status}`);
        if (head.contentLength === undefined) {
          throw new SeedmintError("protocol", "It did not say how long its answer is");
        }
        const response = new Response(held.reader, head.contentLength);
        const result = await options.use(response);
        if (response.isRead && !head.closes) this.#keep(key, held);
        else closeQuietly(held.connection);
        return result;
      } catch (error) {
        // A connection that ended while it was idle, and not one that was given up here.
        const isStale = wasReused && !hasAnswered && !attempt.isOver;
        attempt.end();
        if (!isStale) throw attempt.explain(error);
      } finally {
        cancelTimer();
      }
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const held of this.#idle.values()) {
      for (const { connection } of held) closeQuietly(connection);
    }
    this.#idle.clear();
  }

  async #open(
    attempt: Attempt,
    address: { readonly hostname: string; readonly port: number },
  ): Promise<Held> {
    const connection = await attempt.connected(this.#connect(address));
    const reader = new HttpReader(connection);
    return { connection, reader, isReused: false, idleSinceMs: this.#clock.monotonicMs() };
  }

  #takeIdle(key: string): Held | undefined {
    const idle = this.#idle.get(key);
    const oldestMs = this.#clock.monotonicMs() - CONNECTION_REUSE_MS;
    while (true) {
      const held = idle?.pop();
      if (held === undefined || held.idleSinceMs > oldestMs) return held;
      closeQuietly(held.connection);
    }
  }

  #keep(key: string, held: Held): void {
    const idle = this.#idle.get(key) ?? [];
    if (this.#isClosed || idle.length >= IDLE_CONNECTIONS_MAX) {
      return closeQuietly(held.connection);
    }
    idle.push({ ...held, isReused: true, idleSinceMs: this.#clock.monotonicMs() });
    this.#idle.set(key, idle);
  }
}

/** One try, which a deadline or the caller may end at any point. */
class Attempt {
  #connection: RawConnection | undefined;
  #giveUp: ((error: Error) => void) | undefined;
  #isOver = false;
  #isLate = false;

  constructor(breaks: (breakUp: () => void) => void) {
    breaks(() => this.end());
  }

  /** Whether its time was over or the caller gave up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits for a connection; one that comes after the end is closed. */
  connected(opening: Promise<RawConnection>): Promise<RawConnection> {
    opening.then((connection) => {
      if (this.#isOver) closeQuietly(connection);
    }, () => {});
    return this.wait(opening);
  }

  /** Waits for `promise`, or for the end. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      promise.then(resolve, reject);
      if (this.#isOver) reject(givenUp());
    });
  }

  holds(connection: RawConnection): void {
    this.#connection = connection;
    if (this.#isOver) closeQuietly(connection);
  }

  late(): void {
    this.#isLate = true;
    this.end();
  }

  end(): void {
    this.#isOver = true;
    this.#giveUp?.(givenUp());
    if (this.#connection !== undefined) closeQuietly(this.#connection);
  }

  explain(error: unknown): unknown {
    return this.#isLate
      ? new SeedmintError("timeout", "The direct address did not answer in time", { cause: error })
      : error;
  }
}

function givenUp(): SeedmintError {
  return new SeedmintError("reset", "It was given up");
}

class Response implements DirectResponse {
  readonly size: number;
  readonly #reader: HttpReader;
  // One array for all reads without a target: whoever takes the bytes copies them (see Ingest.push).
  #buffer: Uint8Array | undefined;
  #left: number;

  constructor(reader: HttpReader, size: number) {
    this.#reader = reader;
    this.size = size;
    this.#left = size;
  }

  get isRead(): boolean {
    return this.#left === 0;
  }

  async read(given?: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    const buffer = given ?? (this.#buffer ??= new Uint8Array(Math.min(READ_BYTES, this.#left)));
    const target = this.#left < buffer.length ? buffer.subarray(0, this.#left) : buffer;
    const count = await this.#reader.read(target);
    if (count === null) {
      // The provider's credit for us may have ended: on the stream it says so.
      const found = `${this.size - this.#left} of ${this.size} bytes came`;
      throw new SeedmintError("reset", `The direct answer ended early: ${found}`, {
        retryable: true,
      });
    }
    this.#left -= count;
    return target.subarray(0, count);
  }
}

async function connectTcp(
  address: { readonly hostname: string; readonly port: number },
): Promise<RawConnection> {
  const connection = await Deno.connect({ ...address });
  connection.setNoDelay(true);
  return connection;
}

function hostOf(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function closeQuietly(connection: RawConnection): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
