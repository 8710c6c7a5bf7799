/** Trouble on the wire, and sellers that cheat. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { ByteStream, Gate, Meter } from "../../swarm/ports.ts";
import type { Message } from "../../swarm/protocol/mod.ts";
import type { Cheat, WireTrouble } from "./commands.ts";
import { messagesOf, type Pass, type Write } from "./points.ts";

/** How long a late message is late. */
const LATE_MS = 700;

/** A write that passes points before and after each message, and has trouble with some. */
export function troubledWrite(
  { pass, troubles, onMessage }: {
    readonly pass: Pass;
    readonly troubles: readonly WireTrouble[];
    readonly onMessage?: (message: Message) => void;
  },
): Write {
  const seen = new Map<WireTrouble, { passed: number; done: number }>(
    troubles.map((trouble) => [trouble, { passed: 0, done: 0 }]),
  );
  /** Streams on which something late was not sent yet. */
  const late = new WeakMap<ByteStream, Promise<void>>();
  const dueFor = (kinds: readonly string[]) => {
    for (const [trouble, counts] of seen) {
      if (!kinds.includes(trouble.message) || counts.done >= trouble.count) continue;
      if (++counts.passed % trouble.every !== 0) continue;
      counts.done++;
      return trouble.what;
    }
    return undefined;
  };
  return (stream, parts, write) => {
    const messages = messagesOf(parts);
    const kinds = messages.map((message) => message === "data" ? message : message.t);
    for (const message of messages) if (message !== "data") onMessage?.(message);
    for (const kind of kinds) pass(`wire.${kind}.before-send`);
    const due = dueFor(kinds);
    const waiting = late.get(stream);
    const send = () => {
      const sent = write(...parts);
      for (const kind of kinds) pass(`wire.${kind}.after-send`);
      return sent;
    };
    switch (due) {
      case "drop":
        stream.abort(new SeedmintError("reset", "the test dropped a message"));
        throw new SeedmintError("reset", "the test dropped a message");
      case "swallow":
        return undefined;
      case "cut-after":
        return Promise.resolve(send()).then(() => {
          // What was queued leaves before the stream breaks.
          setTimeout(() => stream.abort(new SeedmintError("reset", "the test cut")), 5);
        });
      case "twice": {
        const copies = parts.map((part) => part.slice());
        return Promise.resolve(send()).then(() => write(...copies));
      }
      case "late": {
        const sent = new Promise((resolve) => setTimeout(resolve, LATE_MS)).then(send);
        late.set(stream, sent);
        return sent.finally(() => late.delete(stream));
      }
      case undefined:
        return waiting === undefined ? send() : waiting.then(send);
    }
    return due satisfies never;
  };
}

/** A write that spoils or holds back content once `bytes` of it were sent. */
export function cheatingWrite(cheat: Cheat, { bytes }: { readonly bytes: number }, honest: Write) {
  let sentBytes = 0;
  const write: Write = (stream, parts, send) => {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const isData = size > 4096 && messagesOf(parts).includes("data");
    if (isData) sentBytes += size;
    if (!isData || sentBytes < bytes) return honest(stream, parts, send);
    if (cheat === "stalls") return new Promise<void>(() => {});
    if (cheat !== "garbage") return honest(stream, parts, send);
    const last = parts.at(-1)!;
    last[last.length >> 1] = last[last.length >> 1]! ^ 1;
    return honest(stream, parts, send);
  };
  return write;
}

/** A gate that deals with payments as a cheat does; each is really taken. */
export function cheatingGate(gate: Required<Gate>, cheat: Cheat): Required<Gate> {
  const { openMeter, pay } = gate;
  if (cheat === "keeps") {
    return { ...gate, openMeter: (request) => withNothing(openMeter(request)) };
  }
  if (cheat === "denies") {
    return {
      ...gate,
      pay: async (request, options) => {
        await pay(request, options);
        return { answer: "refused", code: "spent" };
      },
      creditOf: () => 0,
      openMeter: (request) => withNothing(openMeter(request)),
    };
  }
  if (cheat === "ponders") {
    return {
      ...gate,
      pay: async (request, options) => {
        await pay(request, options);
        return { answer: "pending", retryMs: 50 };
      },
      creditOf: () => 0,
      openMeter: (request) => withNothing(openMeter(request)),
    };
  }
  return gate;
}

function withNothing(meter: Meter): Meter {
  return {
    creditMsat: 0,
    isLow: true,
    take: () => 0,
    giveBack: () => {},
    more: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    [Symbol.asyncDispose]: () => meter[Symbol.asyncDispose](),
  };
}
