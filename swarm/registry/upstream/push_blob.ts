/**
 * Pushing a blob (distribution specification, "Pushing Blobs"): not at all if it is there, by a mount if
 * another repository of the registry has it, in one request if it is small, else as one stream, and in
 * pieces from where it broke.
 *
 * ```text
 *  HEAD --200--> present
 *   | 404
 *  POST --201--> mounted
 *   | 202
 *   |-- small: PUT all of it ------------------------------------------.
 *   `-- PATCH a stream --202--> PUT the digest --201--> uploaded  <----'
 *          | broken, 413, 416       | broken
 *          `--> GET how far --204--> PATCH pieces --> PUT
 *                    | 404: from POST on
 * ```
 */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { type Digest, isRepository } from "../names.ts";
import type { Asker, Question } from "./asker.ts";
import { readBody } from "./body.ts";
import type { Destinations } from "./destinations.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  CHUNK_BYTES,
  CHUNK_BYTES_MAX,
  ERROR_BYTES_MAX,
  MONOLITHIC_BYTES_MAX,
  PUSH_ATTEMPTS_MAX,
  PUSH_FINISH_MS_MAX,
  PUSH_REQUEST_MS_MAX,
  RETRY_PAUSE_MS,
} from "./limits.ts";
import { answeredOf, type Pushed, refusalOf } from "./push_answers.ts";
import { PushBody, type ReadStretch } from "./push_body.ts";
import type { Right } from "./tokens.ts";
import { type Answered, discard } from "./transport.ts";
import { abortedError } from "./within.ts";

/** A blob to be pushed. */
export interface BlobPush {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly read: ReadStretch;
  /** A repository of the same registry that may have it. */
  readonly mountFrom?: string;
  /** Called with the bytes that the registry was sent so far; goes back when it lost some. */
  readonly onProgress?: (bytes: number) => void;
}

/** How a pushed blob came to be there. */
export type BlobPushed = "present" | "mounted" | "uploaded";

/** Options of {@link pushBlob}. */
export interface PushOptions {
  readonly endpoint: Endpoint;
  readonly asker: Asker;
  readonly destinations: Destinations;
  readonly clock: Clock;
  readonly repository: string;
  readonly signal: AbortSignal;
}

/**
 * Pushes a blob.
 *
 * @throws {SeedmintError} `denied`, `busy`, `corrupt` if the registry finds another digest, `protocol`,
 * `unavailable`, `timeout`.
 */
export async function pushBlob(options: PushOptions, blob: BlobPush): Promise<BlobPushed> {
  if (blob.mountFrom !== undefined && !isRepository(blob.mountFrom)) {
    throw new RangeError("Cannot mount a blob: malformed repository");
  }
  return await new BlobPusher(options, blob).run();
}

/** One blob on its way. */
class BlobPusher {
  readonly #options: PushOptions;
  readonly #blob: BlobPush;
  readonly #pushed: Pushed;
  readonly #right: Right;
  #location: URL | undefined;
  #offset = 0;
  #chunkBytes = CHUNK_BYTES;
  /** Whether one stream for all failed, so that pieces are sent. */
  #isInPieces = false;

  constructor(options: PushOptions, blob: BlobPush) {
    const { repository, endpoint, clock, signal } = options;
    this.#options = options;
    this.#blob = blob;
    const what = `blob ${blob.digest} of ${repository}`;
    this.#pushed = { registry: endpoint.registry, what, clock, signal };
    this.#right = {
      repository,
      actions: "pull,push",
      ...(blob.mountFrom === undefined ? {} : { mountFrom: blob.mountFrom }),
    };
  }

  async run(): Promise<BlobPushed> {
    if (await this.#isThere()) return "present";
    let failedCount = 0;
    let bestOffset = 0;
    while (true) {
      try {
        if (failedCount > 0 && await this.#mend(failedCount)) return "uploaded";
        if (this.#location === undefined && await this.#begin()) return "mounted";
        await this.#send();
        return "uploaded";
      } catch (error) {
        failedCount = this.#offset > bestOffset ? 1 : failedCount + 1;
        bestOffset = Math.max(bestOffset, this.#offset);
        const isFinal = this.#options.signal.aborted || !isSeedmintError(error) ||
          !error.retryable || error.code === "busy" || failedCount >= PUSH_ATTEMPTS_MAX;
        if (isFinal) throw error;
      }
    }
  }

  /**
   * After a failure: finds out, a little later, how far the upload is.
   *
   * @returns True if the blob is there after all.
   */
  async #mend(failedCount: number): Promise<boolean> {
    const { signal, clock } = this.#options;
    try {
      await clock.sleep(RETRY_PAUSE_MS * 2 ** failedCount, { signal });
    } catch {
      throw abortedError(signal);
    }
    if (await this.#isThere()) return true;
    this.#isInPieces = true;
    await this.#lookAgain();
    return false;
  }

  async #isThere(): Promise<boolean> {
    const { repository, endpoint } = this.#options;
    const { response } = await this.#ask({
      method: "HEAD",
      url: endpoint.blob(repository, this.#blob.digest),
    });
    await discard(response);
    return response.status === 200;
  }

  /** Opens an upload. @returns True if the blob was mounted instead. */
  async #begin(): Promise<boolean> {
    const { repository, endpoint } = this.#options;
    const { digest, mountFrom } = this.#blob;
    const url = endpoint.uploads(repository);
    if (mountFrom !== undefined) {
      url.searchParams.set("mount", digest);
      url.searchParams.set("from", mountFrom);
    }
    const answered = await this.#ask({ method: "POST", url, headers: { "content-length": "0" } });
    const { status, headers } = answered.response;
    if (status === 201 && mountFrom !== undefined) {
      await discard(answered.response);
      return true;
    }
    if (status !== 202) throw await refusalOf(answered.response, this.#pushed);
    await this.#moveTo(answered);
    this.#offset = 0;
    const least = Number(headers.get("oci-chunk-min-length") ?? "");
    if (Number.isSafeInteger(least) && least > this.#chunkBytes) {
      this.#chunkBytes = Math.min(least, CHUNK_BYTES_MAX);
    }
    return false;
  }

  async #send(): Promise<void> {
    const { size } = this.#blob;
    if (size <= MONOLITHIC_BYTES_MAX && this.#offset === 0 && !this.#isInPieces) {
      return await this.#finish(await this.#bytes(0, size));
    }
    while (this.#offset < size) {
      if (this.#isInPieces) await this.#sendPiece();
      else await this.#sendStream();
    }
    await this.#finish(new Uint8Array());
  }

  /** All that is left, as it is read. */
  async #sendStream(): Promise<void> {
    const { clock, signal } = this.#options;
    const { read, size, onProgress } = this.#blob;
    await using body = new PushBody({ clock, signal });
    const start = this.#offset;
    let sent = start;
    const answered = await this.#ask({
      method: "PATCH",
      url: this.#location!,
      headers: { "content-type": "application/octet-stream" },
      headMs: PUSH_REQUEST_MS_MAX,
      signal: body.signal,
      body: () =>
        body.stream(read, { start, end: size }, (bytes) => {
          sent += bytes;
          onProgress?.(sent);
        }),
    });
    await this.#took(answered, size);
  }

  async #sendPiece(): Promise<void> {
    const start = this.#offset;
    const end = Math.min(start + this.#chunkBytes, this.#blob.size);
    const bytes = await this.#bytes(start, end);
    const answered = await this.#ask({
      method: "PATCH",
      url: this.#location!,
      headers: {
        "content-type": "application/octet-stream",
        "content-range": `${start}-${end - 1}`,
      },
      headMs: PUSH_FINISH_MS_MAX,
      body: () => bytes,
    });
    await this.#took(answered, end);
    this.#blob.onProgress?.(this.#offset);
  }

  /** Takes note of how far an upload is after a PATCH to `end`. */
  async #took(answered: Answered, end: number): Promise<void> {
    const { response } = answered;
    if (response.status === 202 || response.status === 204) {
      const taken = end === 1 ? 1 : takenOf(response) ?? end;
      await this.#moveTo(answered);
      if (taken > end) throw this.#wrong("says that it has more than it was sent");
      if (taken < end) throw this.#wrong(`took ${taken} bytes of ${end}`, true);
      this.#offset = taken;
      return;
    }
    const refusal = await refusalOf(response, this.#pushed);
    // Not one stream, not this place, no such upload any more: all of that can be tried again.
    const isMendable = [411, 413, 416].includes(response.status) && !this.#isInPieces ||
      response.status === 416 || response.status === 404;
    if (!isMendable) throw refusal;
    throw new SeedmintError("unavailable", refusal.message, { retryable: true });
  }

  async #finish(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const url = new URL(this.#location!);
    // What stands there already is the registry's own and stays as it is.
    url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(this.#blob.digest)}`;
    const { response } = await this.#ask({
      method: "PUT",
      url,
      headers: bytes.length === 0 ? {} : { "content-type": "application/octet-stream" },
      headMs: PUSH_FINISH_MS_MAX,
      body: () => bytes,
    });
    if (response.status !== 201 && response.status !== 204) {
      throw await refusalOf(response, this.#pushed);
    }
    await discard(response);
    const claimed = response.headers.get("docker-content-digest");
    if (claimed !== null && claimed !== this.#blob.digest) throw this.#wrong("kept it as another");
    this.#offset = this.#blob.size;
    this.#blob.onProgress?.(this.#blob.size);
  }

  /** Asks how far an upload is; forgets one that is gone. */
  async #lookAgain(): Promise<void> {
    const url = this.#location;
    if (url === undefined) return;
    const answered = await this.#ask({ method: "GET", url });
    if (answered.response.status === 204 || answered.response.status === 200) {
      this.#offset = Math.min(takenOf(answered.response) ?? 0, this.#blob.size);
      await this.#moveTo(answered);
      return;
    }
    await discard(answered.response);
    this.#location = undefined;
    this.#offset = 0;
  }

  /** Goes on at the place that an answer names; at the one before if it names none. */
  async #moveTo({ response, url }: Answered): Promise<void> {
    const location = response.headers.get("location");
    await readBody(response, {
      registry: this.#pushed.registry,
      clock: this.#options.clock,
      bytesMax: ERROR_BYTES_MAX,
      signal: this.#options.signal,
    }).catch(() => {});
    if (location !== null) {
      const { destinations, signal } = this.#options;
      this.#location = await destinations.resolve(location, url, { signal });
    }
    if (this.#location === undefined) throw this.#wrong("does not say where to send it");
  }

  async #bytes(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    for await (const piece of this.#blob.read({ start, end }, this.#options.signal)) {
      if (filled + piece.length > bytes.length) break;
      bytes.set(piece, filled);
      filled += piece.length;
    }
    if (filled === bytes.length) return bytes;
    throw new SeedmintError("storage", `Cannot push ${this.#pushed.what}: it could not be read`);
  }

  async #ask(
    question: Pick<Question, "method" | "url"> & Partial<Question>,
  ): Promise<Answered> {
    const { asker, signal } = this.#options;
    const reply = await asker.ask({
      kind: "push",
      headers: {},
      right: this.#right,
      signal,
      ...question,
    });
    return answeredOf(reply, this.#pushed);
  }

  #wrong(why: string, retryable = false): SeedmintError {
    const { what, registry } = this.#pushed;
    return new SeedmintError("protocol", `Cannot push ${what}: ${registry} ${why}`, { retryable });
  }
}

/** How many bytes an upload has: `Range: 0-1023`, with `bytes=` before it from some. */
function takenOf(response: Response): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.headers.get("range")?.trim() ?? "");
  if (match === null) return undefined;
  const last = Number(match[1]);
  // Registries write 0-0 for an upload that has nothing yet.
  return last === 0 ? 0 : last + 1;
}
