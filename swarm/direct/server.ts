/** The provider's side of the direct path: one port, one path, sessions granted on the stream. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { encodedSize, truncateRanges } from "../bao/mod.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import type { DirectGrant } from "../protocol/messages.ts";
import { withDeadline } from "../provider/deadline.ts";
import type { Gate, Meter, Viewer } from "../ports.ts";
import { AnswerFailure } from "../provider/answer_failure.ts";
import type { ServedEvent } from "../provider/answer.ts";
import type { Metering } from "../provider/metering.ts";
import type { BlobStore, Visibility } from "../store/blob_store.ts";
import { priceOf, sendBody } from "./body.ts";
import { DIRECT_PATH, HttpReader, type RawConnection, responseHead, writeAll } from "./http.ts";
import {
  CONNECTION_IDLE_MS,
  CONNECTIONS_MAX,
  CONNECTIONS_PER_ADDRESS_MAX,
  DIRECT_BYTES_MIN,
  REQUEST_BODY_BYTES_MAX,
  REQUEST_HEAD_BYTES_MAX,
  REQUEST_MS,
  SESSION_TTL_MS,
} from "./limits.ts";
import { decodeDirectRequest, type DirectRequest } from "./request.ts";
import { type DirectSession, DirectSessions } from "./sessions.ts";

/** What the operator decides about the direct path. */
export interface DirectServerSettings {
  /** The port to listen on; 0 lets the system choose, which suits tests alone. */
  readonly port: number;
  /** @default {"0.0.0.0"} */
  readonly hostname?: string;
  /** The port that requesters are told, behind a port mapping. @default the one listened on */
  readonly announcedPort?: number;
  /** Whether blobs of the fleet may cross the network without encryption. @default {false} */
  readonly trustedNetwork?: boolean;
}

/** Options of {@link DirectServer.start}. */
export interface DirectServerOptions extends DirectServerSettings {
  readonly store: BlobStore;
  /** As for the stream. @default everything is free */
  readonly gate?: Gate | undefined;
  readonly metering: Metering;
  readonly clock: Clock;
  readonly random: Random;
  readonly onServed?: (event: ServedEvent) => void;
}

/** A listening direct path. */
export class DirectServer implements AsyncDisposable {
  /** The port listened on. */
  readonly port: number;
  readonly #options: DirectServerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #sessions: DirectSessions;
  readonly #connections = new Map<RawConnection, AbortController>();
  readonly #perAddress = new Map<string, number>();
  readonly #serving = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  private constructor(options: DirectServerOptions, listener: Deno.TcpListener) {
    this.#options = options;
    this.#listener = listener;
    this.port = listener.addr.port;
    this.#sessions = new DirectSessions(options);
    this.#accepting = this.#accept();
  }

  /**
   * Listens.
   *
   * @throws {SeedmintError} `unavailable` if the port is taken or may not be used.
   */
  static start(options: DirectServerOptions): Promise<DirectServer> {
    const hostname = options.hostname ?? "0.0.0.0";
    let listener: Deno.TcpListener;
    try {
      listener = Deno.listen({ hostname, port: options.port });
    } catch (cause) {
      return Promise.reject(
        new SeedmintError(
          "unavailable",
          `Cannot listen on ${hostname}:${options.port} for the direct path: ${
            messageOf(cause)
          }; choose another port`,
          { cause },
        ),
      );
    }
    return Promise.resolve(new DirectServer(options, listener));
  }

  /** A session for a blob, or undefined when it is not offered for that blob or that stream. */
  offer(
    request: {
      readonly viewer: Viewer;
      readonly relayed: boolean;
      readonly hash: Hash;
      readonly visibility: Visibility;
      /** Groups that would be sent. */
      readonly groupCount: number;
      /** What the bytes cost, if they do. */
      readonly priceMsatPerMiB?: number;
    },
  ): DirectGrant | undefined {
    const { announcedPort, trustedNetwork } = this.#options;
    if (request.relayed || request.groupCount * GROUP_BYTES < DIRECT_BYTES_MIN) return undefined;
    if (request.visibility !== "public" && trustedNetwork !== true) return undefined;
    const { id, key } = this.#sessions.grant(request);
    return { port: announcedPort ?? this.port, session: id, key, ttlMs: SESSION_TTL_MS };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const [connection, over] of this.#connections) {
      over.abort();
      closeQuietly(connection);
    }
    await this.#accepting;
    await Promise.allSettled(this.#serving);
  }

  async #accept(): Promise<void> {
    while (true) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        // One connection that broke while it was accepted, or too many open files for a moment.
        await this.#options.clock.sleep(10);
        continue;
      }
      const serving = this.#serve(connection);
      this.#serving.add(serving);
      serving.finally(() => this.#serving.delete(serving));
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const address = connection.remoteAddr.hostname;
    const count = this.#perAddress.get(address) ?? 0;
    if (this.#connections.size >= CONNECTIONS_MAX || count >= CONNECTIONS_PER_ADDRESS_MAX) {
      return closeQuietly(connection);
    }
    const over = new AbortController();
    this.#connections.set(connection, over);
    this.#perAddress.set(address, count + 1);
    try {
      connection.setNoDelay(true);
      await this.#converse(connection, over.signal);
    } catch {
      // Whatever a stranger did, or a network: the connection goes, nothing else is touched.
    } finally {
      over.abort();
      this.#connections.delete(connection);
      const left = this.#perAddress.get(address)! - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
      closeQuietly(connection);
    }
  }

  async #converse(connection: RawConnection, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const reader = new HttpReader(connection);
    let patienceMs = REQUEST_MS;
    while (true) {
      const read = await withDeadline(readRequest(reader), {
        clock,
        ms: patienceMs,
        onLate: () => closeQuietly(connection),
      });
      if (read === undefined) return;
      patienceMs = CONNECTION_IDLE_MS;
      const status = typeof read.request === "number"
        ? read.request
        : await this.#answer(connection, read.request, signal);
      if (status !== 200) await this.#write(connection, responseHead(status, 0));
      if (status !== 200 || read.closes) return;
    }
  }

  /** Checks and answers one request. 200 means that the answer was sent. */
  async #answer(
    connection: RawConnection,
    signed: { readonly request: DirectRequest; readonly mac: Uint8Array },
    signal: AbortSignal,
  ): Promise<number> {
    const { metering, clock, onServed } = this.#options;
    const session = this.#sessions.take(signed.request, signed.mac);
    if (session === undefined) return 403;
    const { peerId } = session.viewer;
    const account = metering.of(peerId);
    if (!metering.openRequest(account)) return 429;
    const startedMs = clock.monotonicMs();
    const sent = { bytes: 0, paidBytes: 0 };
    let outcome: ServedEvent["outcome"] = "reset";
    try {
      const status = await this.#send(connection, {
        session,
        request: signed.request,
        signal,
        sent,
      });
      outcome = OUTCOMES.get(status) ?? "failed";
      return status;
    } catch (error) {
      if (error instanceof AnswerFailure) outcome = error.code === "unpaid" ? "unpaid" : "failed";
      throw error;
    } finally {
      metering.closeRequest(account);
      const { priceMsatPerMiB } = session;
      onServed?.({
        peerId,
        hash: session.hash,
        path: "direct",
        outcome,
        bytes: sent.bytes,
        ms: clock.monotonicMs() - startedMs,
        ...(sent.paidBytes > 0 && priceMsatPerMiB !== undefined
          ? { paidBytes: sent.paidBytes, priceMsatPerMiB }
          : {}),
      });
    }
  }

  async #send(
    connection: RawConnection,
    options: {
      readonly session: DirectSession;
      readonly request: DirectRequest;
      readonly signal: AbortSignal;
      readonly sent: { bytes: number; paidBytes: number };
    },
  ): Promise<number> {
    const { session, request, signal, sent } = options;
    const { store, metering, clock, gate, trustedNetwork } = this.#options;
    const record = store.status(session.hash);
    // What the operator hid since the grant is hidden here too.
    const isOffered = record !== undefined &&
      (record.visibility === "public" ||
        (record.visibility === "fleet" && trustedNetwork === true));
    if (!isOffered) return 404;
    const ranges = truncateRanges(request.ranges, record.size);
    const price = await priceOf(gate, session, ranges);
    if (price.kind === "refused") return 403;
    let opened;
    try {
      opened = await store.openReader(session.hash);
    } catch (error) {
      return isSeedmintError(error, "not-found") ? 404 : 503;
    }
    await using reader = opened;
    if (ranges.isEmpty || !reader.groups.includes(ranges)) return 404;
    let meter: Meter | undefined;
    try {
      meter = price.kind === "paid" ? price.openMeter() : undefined;
    } catch {
      return 403;
    }
    const write = (bytes: Uint8Array) => this.#write(connection, bytes);
    const body = { reader, record, ranges, viewer: session.viewer, meter, metering, clock, signal };
    const head = responseHead(200, encodedSize(record.size, ranges));
    await sendBody({ ...body, write, sent, head });
    return 200;
  }

  /** Writes to a reader that may have stopped reading long ago, requests sent ahead included. */
  async #write(connection: RawConnection, bytes: Uint8Array): Promise<void> {
    const { clock, metering } = this.#options;
    await withDeadline(writeAll(connection, bytes), {
      clock,
      ms: metering.limits.stallMs,
      onLate: () => closeQuietly(connection),
    });
  }
}

/** What a status means for metrics. */
const OUTCOMES: ReadonlyMap<number, ServedEvent["outcome"]> = new Map([
  [200, "served"],
  [403, "denied"],
  [404, "not-found"],
]);

/** One request, or the status that refuses it; undefined when the connection ended. */
async function readRequest(reader: HttpReader): Promise<
  {
    readonly request: number | { readonly request: DirectRequest; readonly mac: Uint8Array };
    readonly closes: boolean;
  } | undefined
> {
  try {
    const head = await reader.head(REQUEST_HEAD_BYTES_MAX);
    if (head === undefined) return undefined;
    if (head.firstLine !== `POST ${DIRECT_PATH} HTTP/1.1`) return { request: 404, closes: true };
    const size = head.contentLength ?? 0;
    if (size === 0 || size > REQUEST_BODY_BYTES_MAX) return { request: 400, closes: true };
    return { request: decodeDirectRequest(await reader.body(size)), closes: head.closes };
  } catch (error) {
    if (isSeedmintError(error, "protocol")) return { request: 400, closes: true };
    throw error;
  }
}

function closeQuietly(connection: RawConnection): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
