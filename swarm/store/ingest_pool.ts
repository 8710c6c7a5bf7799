/**
 * The workers that verify and write, and the slabs that carry bytes to them. One ingest sticks to
 * one worker, so that its answers come in order; all ingests share the workers.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { Files } from "./files.ts";
import { IngestChannel } from "./ingest_channel.ts";
import { IngestDesk } from "./ingest_desk.ts";
import type { JobSpec } from "./ingest_job.ts";
import type { IngestAnswer, IngestRequest } from "./ingest_protocol.ts";
import type { Range } from "../../src/core/range_set.ts";
import { FREE_SLABS_MAX, SLAB_BYTES, SLABS_TOTAL_MAX } from "./limits.ts";

/** Where requests of channels are handled. */
export interface DeskPort {
  channelCount: number;
  readonly channels: Map<number, IngestChannel>;
  send(request: IngestRequest): void;
  close(): void;
}

/** What a channel tells its ingest. */
export interface ChannelListener {
  /** The files are open, or failed to; or they were gone, and bytes are only verified. */
  opened(isLaneGone: boolean): void;
  /** Groups are verified and written. */
  verified(runs: readonly Range[]): void;
  failed(error: Error): void;
}

/** Options of {@link IngestPool}. */
export interface IngestPoolOptions {
  readonly clock: Pick<Clock, "timer">;
  /** How many workers at most; 0 does the work on the calling thread. */
  readonly workerCount: number;
  /** The file layer of work on the calling thread. */
  readonly files: Files;
}

/** Slabs that are free or under way, counted over all channels. */
export class SlabPool {
  readonly #free: ArrayBuffer[] = [];
  underWayCount = 0;

  get isExhausted(): boolean {
    return this.underWayCount >= SLABS_TOTAL_MAX;
  }

  /** A slab for at most `bytesMax` more bytes. Small ones are made to measure and not kept. */
  take(bytesMax: number): ArrayBuffer {
    if (bytesMax < SLAB_BYTES) return new ArrayBuffer(bytesMax);
    return this.#free.pop() ?? new ArrayBuffer(SLAB_BYTES);
  }

  give(slab: ArrayBuffer): void {
    if (slab.byteLength === SLAB_BYTES && this.#free.length < FREE_SLABS_MAX) this.#free.push(slab);
  }
}

/** Workers, started when the first channel opens, or by {@link IngestPool.prepare}. */
export class IngestPool implements AsyncDisposable {
  readonly #options: IngestPoolOptions;
  readonly #slabs = new SlabPool();
  readonly #ports: DeskPort[] = [];
  #lastJob = 0;

  constructor(options: IngestPoolOptions) {
    this.#options = options;
  }

  /** Starts the workers, so that the first ingest need not wait for them. */
  prepare(): void {
    while (this.#ports.length < Math.max(1, this.#options.workerCount)) this.#addPort();
  }

  /** Opens a channel on the port with the fewest. `bytesMax` is all that it will carry. */
  open(spec: JobSpec, bytesMax: number, listener: ChannelListener): IngestChannel {
    let port = this.#ports.toSorted((a, b) => a.channelCount - b.channelCount)[0];
    const mayGrow = this.#ports.length < Math.max(1, this.#options.workerCount);
    if (port === undefined || (port.channelCount > 0 && mayGrow)) port = this.#addPort();
    const channel = new IngestChannel({
      job: ++this.#lastJob,
      port,
      slabs: this.#slabs,
      clock: this.#options.clock,
      bytesMax,
      listener,
    });
    port.channels.set(channel.job, channel);
    port.channelCount++;
    port.send({ type: "open", job: channel.job, spec });
    return channel;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const port of this.#ports.splice(0)) port.close();
    return Promise.resolve();
  }

  #addPort(): DeskPort {
    const port = this.#options.workerCount === 0 || !mayStartWorkers()
      ? new LocalPort(this.#options.files)
      : new WorkerPort((broken) => this.#ports.splice(this.#ports.indexOf(broken), 1));
    this.#ports.push(port);
    return port;
  }
}

/** Hands an answer to the channel that it is for, and forgets channels that were closed. */
function deliver(port: DeskPort, answer: IngestAnswer): void {
  const channel = port.channels.get(answer.job);
  if (answer.type === "close" && port.channels.delete(answer.job)) port.channelCount--;
  channel?.answered(answer);
}

const WORKER_URL = new URL("./ingest_worker.ts", import.meta.url);

/** A worker's module must be readable; without leave to read it the calling thread does the work. */
function mayStartWorkers(): boolean {
  if (WORKER_URL.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: WORKER_URL }).state === "granted";
}

class WorkerPort implements DeskPort {
  channelCount = 0;
  readonly channels: Map<number, IngestChannel> = new Map();
  readonly #worker: Worker;

  constructor(onBroken: (port: WorkerPort) => void) {
    this.#worker = new Worker(WORKER_URL, { type: "module" });
    this.#worker.onmessage = ({ data }) => deliver(this, data as IngestAnswer);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      onBroken(this);
      this.#worker.terminate();
      const error = new SeedmintError("storage", `An ingest worker failed: ${event.message}`);
      for (const channel of this.channels.values()) channel.broken(error);
      this.channels.clear();
    };
  }

  send(request: IngestRequest): void {
    this.#worker.postMessage(request, request.type === "push" ? [request.slab] : []);
  }

  close(): void {
    this.#worker.terminate();
  }
}

/** Does the work on the calling thread, between two of its turns. */
class LocalPort implements DeskPort {
  channelCount = 0;
  readonly channels: Map<number, IngestChannel> = new Map();
  readonly #desk: IngestDesk;

  constructor(files: Files) {
    this.#desk = new IngestDesk(files);
  }

  send(request: IngestRequest): void {
    queueMicrotask(() => deliver(this, this.#desk.handle(request)));
  }

  close(): void {
    for (const job of this.channels.keys()) this.#desk.handle({ type: "close", job });
    this.channels.clear();
  }
}
