/** Whether a lease's SSH server answers: its banner read through the published port, RFC 4253 section 4.2. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { BANNER_BYTES_MAX, BANNER_RETRY_MS, BANNER_TRY_MS } from "./limits.ts";

/** Where a server is asked. */
export interface BannerTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads the banner of an SSH server, once. That a connection is accepted says nothing: a proxy in
 * front does that, too.
 *
 * @returns Its line, such as `SSH-2.0-dropbear_2022.83`.
 * @throws {SeedmintError} `unavailable` if there is none, `timeout`.
 */
export async function readBanner(
  target: BannerTarget,
  options: { readonly clock: Clock; readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<string> {
  const timeoutMs = options.timeoutMs ?? BANNER_TRY_MS;
  using stack = new DisposableStack();
  const gaveUp = Promise.withResolvers<never>();
  gaveUp.promise.catch(() => {});
  let connection: Deno.Conn | undefined;
  const giveUp = (error: unknown) => {
    gaveUp.reject(error);
    close(connection);
  };
  stack.defer(options.clock.timer(timeoutMs, () => giveUp(late(target, timeoutMs))));
  const onAbort = () => giveUp(options.signal!.reason);
  options.signal?.throwIfAborted();
  options.signal?.addEventListener("abort", onAbort);
  stack.defer(() => options.signal?.removeEventListener("abort", onAbort));
  const connecting = connect(target);
  // A connection that comes too late is closed, too.
  let isOver = false;
  connecting.then((late) => isOver && close(late), () => {});
  try {
    connection = await Promise.race([connecting, gaveUp.promise]);
    return await Promise.race([bannerOf(connection, target), gaveUp.promise]);
  } finally {
    isOver = true;
    close(connection);
  }
}

/**
 * Waits until an SSH server answers.
 *
 * @throws {SeedmintError} `timeout` with what was met last.
 */
export async function awaitBanner(
  target: BannerTarget,
  options: { readonly clock: Clock; readonly signal?: AbortSignal; readonly withinMs: number },
): Promise<string> {
  const endMs = options.clock.monotonicMs() + options.withinMs;
  for (;;) {
    const leftMs = endMs - options.clock.monotonicMs();
    try {
      return await readBanner(target, {
        ...options,
        timeoutMs: Math.max(1, Math.min(leftMs, BANNER_TRY_MS)),
      });
    } catch (error) {
      if (!(error instanceof SeedmintError)) throw error;
      if (options.clock.monotonicMs() + BANNER_RETRY_MS >= endMs) {
        throw new SeedmintError(
          "timeout",
          `Cannot reach SSH at ${target.host}:${target.port} within ${options.withinMs} ms: ${error.message}`,
          { cause: error, retryable: true },
        );
      }
    }
    await options.clock.sleep(
      BANNER_RETRY_MS,
      options.signal === undefined ? {} : { signal: options.signal },
    );
  }
}

async function connect(target: BannerTarget): Promise<Deno.Conn> {
  try {
    return await Deno.connect({ hostname: target.host, port: target.port, transport: "tcp" });
  } catch (error) {
    throw new SeedmintError(
      "unavailable",
      `Cannot connect to ${target.host}:${target.port}: nothing listens there`,
      { cause: error, retryable: true },
    );
  }
}

async function bannerOf(connection: Deno.Conn, target: BannerTarget): Promise<string> {
  const buffer = new Uint8Array(BANNER_BYTES_MAX);
  let count = 0;
  while (count < buffer.length) {
    const read = await connection.read(buffer.subarray(count)).catch(() => null);
    if (read === null) throw mute(target, "it closed without a banner");
    count += read;
    const text = new TextDecoder("latin1").decode(buffer.subarray(0, count));
    const [banner] = /^SSH-(?:2\.0|1\.99)-[\x20-\x7e]{1,240}(?=\r?\n)/m.exec(text) ?? [];
    if (banner !== undefined) return banner;
  }
  throw mute(target, `there is no banner in its first ${BANNER_BYTES_MAX} bytes`);
}

function mute(target: BannerTarget, why: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot read an SSH banner at ${target.host}:${target.port}: ${why}`,
    { retryable: true },
  );
}

function late(target: BannerTarget, timeoutMs: number): SeedmintError {
  return new SeedmintError(
    "timeout",
    `Cannot read an SSH banner at ${target.host}:${target.port} within ${timeoutMs} ms`,
    { retryable: true },
  );
}

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch {
    // It is closed already.
  }
}
