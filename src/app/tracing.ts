/**
 * The one file that imports `@opentelemetry/api`, and only when Deno exports spans (`OTEL_DENO`).
 *
 * | span             | attributes, each `seedmint.` and                              |
 * | ---------------- | ------------------------------------------------------------- |
 * | `seedmint.get`   | `hash`, `size`, `sources` (kind, id, bytes), `wasted_bytes`   |
 * | `seedmint.add`   | `blob_count`, `size`; `hash` for what stdin gives             |
 * | `seedmint.serve` | `peer_id`, `hash`, `bytes`, `path`, `outcome`                 |
 *
 * A span that failed carries the error's code and never its message, which may quote what a user typed.
 */
import type { Span, SpanOptions } from "@opentelemetry/api";
import { isSeedmintError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import type { AddedEvent, MethodName, Methods } from "./api/methods.ts";
import { VERSION } from "./version.ts";

/** What a span is told. */
export type SpanAttributes = Readonly<Record<string, string | number | readonly string[]>>;

/** What a provider tells of one answered want. */
export interface ServedSpan {
  readonly peerId: string;
  readonly hash?: string;
  readonly bytes: number;
  readonly ms: number;
  readonly path: string;
  readonly outcome: string;
}

/** Makes spans of what the node does. */
export interface Tracing {
  /** Does `work` inside a span; `describe` gives the attributes of what it did. */
  span<T>(
    name: string,
    work: () => Promise<T>,
    describe: (result: T) => SpanAttributes,
  ): Promise<T>;
  /** A span of a want that has just been answered. */
  served(event: ServedSpan): void;
}

/** Where Deno leaves its tracer when `OTEL_DENO` is on; reading that variable needs a permission. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** The way to make spans, or undefined when nobody wants them. */
export async function openTracing(clock: Clock): Promise<Tracing | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { SpanKind, SpanStatusCode, trace } = await import("@opentelemetry/api");
  const tracer = trace.getTracer("seedmint", VERSION);
  const fail = (span: Span, code: string) => {
    span.setAttribute("error.type", code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: code });
  };
  return {
    span: (name, work, describe) =>
      tracer.startActiveSpan(name, async (span) => {
        try {
          const result = await work();
          span.setAttributes(mutable(describe(result)));
          return result;
        } catch (error) {
          fail(span, isSeedmintError(error) ? error.code : "internal");
          throw error;
        } finally {
          span.end();
        }
      }),
    served({ peerId, hash, bytes, ms, path, outcome }) {
      const endMs = clock.nowMs();
      const options: SpanOptions = {
        kind: SpanKind.SERVER,
        root: true,
        startTime: endMs - ms,
        attributes: {
          "seedmint.peer_id": peerId,
          ...(hash === undefined ? {} : { "seedmint.hash": hash }),
          "seedmint.bytes": bytes,
          "seedmint.path": path,
          "seedmint.outcome": outcome,
        },
      };
      const span = tracer.startSpan("seedmint.serve", options);
      if (outcome === "failed" || outcome === "reset") fail(span, outcome);
      span.end(endMs);
    },
  };
}

/** Runs a method of the node in a span when it is one of those that have one. */
export async function traced<Name extends MethodName>(
  tracing: Tracing | undefined,
  method: Name,
  work: () => Promise<Methods[Name]["result"]>,
): Promise<Methods[Name]["result"]> {
  if (tracing === undefined || (method !== "get" && method !== "add")) return await work();
  const describe = DESCRIBED[method as "get" | "add"] as (
    result: Methods[Name]["result"],
  ) => SpanAttributes;
  return await tracing.span(`seedmint.${method}`, work, describe);
}

/** Attributes of a blob that came in as a stream. */
export function describeAdded({ hash, size }: AddedEvent): SpanAttributes {
  return { "seedmint.hash": hash, "seedmint.size": size, "seedmint.blob_count": 1 };
}

const DESCRIBED = {
  add: ({ blobCount, bytes }: Methods["add"]["result"]): SpanAttributes => ({
    "seedmint.blob_count": blobCount,
    "seedmint.size": bytes,
  }),
  get: ({ hash, size, sources, wastedBytes }: Methods["get"]["result"]): SpanAttributes => ({
    "seedmint.hash": hash,
    "seedmint.size": size,
    "seedmint.sources": sources.map(({ kind, id, bytes }) => `${kind} ${id} ${bytes}`),
    "seedmint.wasted_bytes": wastedBytes,
  }),
};

function mutable(attributes: SpanAttributes): Record<string, string | number | string[]> {
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) =>
      typeof value === "object" ? [key, [...value]] : [key, value]
    ),
  );
}
