/** Answers ingest requests by running jobs: inside a worker, or in place of one. */
import type { Range } from "../../src/core/range_set.ts";
import type { Files } from "./files.ts";
import { type IngestJob, JobFailure, type JobSpec, openJob } from "./ingest_job.ts";
import { type IngestAnswer, type IngestRequest, toSent } from "./ingest_protocol.ts";
import { storageError } from "./store_error.ts";

/** Runs jobs one request at a time. */
export class IngestDesk {
  readonly #files: Files;
  readonly #jobs: Map<number, IngestJob> = new Map();

  constructor(files: Files) {
    this.#files = files;
  }

  /** Handles one request. A job that failed answers nothing but its slabs until it is closed. */
  handle(request: IngestRequest): IngestAnswer {
    const { type, job } = request;
    const answer = { type, job, ...(type === "push" ? { slab: request.slab } : {}) };
    try {
      if (type === "open") return { ...answer, isLaneGone: !this.#open(job, request.spec) };
      return { ...answer, verified: this.#run(request).flatMap(({ start, end }) => [start, end]) };
    } catch (error) {
      const isPartly = error instanceof JobFailure;
      this.#jobs.get(job)?.close();
      this.#jobs.delete(job);
      return {
        ...answer,
        verified: isPartly ? error.verified.flatMap(({ start, end }) => [start, end]) : [],
        failure: toSent(storageError("write a blob", isPartly ? error.cause : error)),
      };
    }
  }

  /** Returns false if the files of the lane lost their names since the request was sent. */
  #open(job: number, spec: JobSpec): boolean {
    try {
      this.#jobs.set(job, openJob(spec, this.#files));
      return true;
    } catch (error) {
      if (spec.lane === undefined || !(error instanceof Deno.errors.NotFound)) throw error;
      this.#jobs.set(job, openJob(withoutLane(spec), this.#files));
      return false;
    }
  }

  #run(request: Exclude<IngestRequest, { readonly type: "open" }>): readonly Range[] {
    switch (request.type) {
      case "push":
        return this.#jobs.get(request.job)?.push(
          new Uint8Array(request.slab, request.start, request.length),
        ) ?? [];
      case "finish":
        return this.#jobs.get(request.job)?.finish() ?? [];
      case "close":
        this.#jobs.get(request.job)?.close();
        this.#jobs.delete(request.job);
        return [];
    }
  }
}

/** The same work where nothing is to be written any more. */
function withoutLane({ hash, size, outboard, input }: JobSpec): JobSpec {
  return {
    hash,
    size,
    ...(outboard === undefined ? {} : { outboard }),
    input: input.kind === "encoded" ? input : { kind: "plain", startGroup: input.startGroup },
  };
}
