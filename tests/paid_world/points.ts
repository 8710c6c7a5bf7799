/**
 * Fault points where swarm and wallet meet: at what a gate and a payer are asked and answer, and at each
 * message between two peers. The names of the wallet's own points stand in its operations.
 */
import { decodeVarint } from "../../src/core/varint.ts";
import type { ByteStream, Gate, Meter, Network, Payer, PaySession } from "../../swarm/ports.ts";
import { decodeMessage, type Message } from "../../swarm/protocol/mod.ts";

/** Hears that a point is passed. */
export type Pass = (point: string) => void;

/** Points of a buyer that every paid fetch passes, in about the order of their first time. */
export const BUYER_POINTS: readonly string[] = [
  "pay.next.before",
  "pay.next.after",
  "wire.want.before-send",
  "wire.want.after-send",
  "pay.answered.before",
  "pay.answered.after",
  "pay.verified.before",
  "pay.verified.after",
  "wire.top-up.before-send",
  "wire.top-up.after-send",
  "pay.close.before",
  "pay.close.after",
];

/** The same of a seller. */
export const SELLER_POINTS: readonly string[] = [
  "gate.decide.before",
  "gate.decide.after",
  "gate.pay.before",
  "gate.pay.after",
  "wire.granted.before-send",
  "wire.granted.after-send",
  "meter.open.after",
  "meter.take.before",
  "meter.take.after",
  "wire.data.before-send",
  "wire.data.after-send",
  "wire.low.before-send",
  "wire.low.after-send",
  "wire.credited.before-send",
  "wire.credited.after-send",
  "wire.end.before-send",
  "wire.end.after-send",
  "meter.close.before",
  "meter.close.after",
];

/** A payer whose sessions pass points. */
export function markedPayer(payer: Payer, pass: Pass): Payer {
  return {
    paidFor: (subject, sinceMs) => payer.paidFor!(subject, sinceMs),
    open: async (request, options) => {
      const answer = await payer.open(request, options);
      if (answer.status === "declined") return answer;
      return { status: "open", session: markedSession(answer.session, pass) };
    },
  };
}

function markedSession(session: PaySession, pass: Pass): PaySession {
  return {
    terms: session.terms,
    next: async (options) => {
      pass("pay.next.before");
      const due = await session.next(options);
      if (due.due === "pay") pass("pay.next.after");
      return due;
    },
    answered: (id, answer) => {
      pass("pay.answered.before");
      session.answered(id, answer);
      pass("pay.answered.after");
    },
    told: (creditMsat) => session.told(creditMsat),
    verified: (bytes) => {
      pass("pay.verified.before");
      session.verified(bytes);
      pass("pay.verified.after");
    },
    onDue: (listener) => session.onDue(listener),
    [Symbol.asyncDispose]: async () => {
      pass("pay.close.before");
      await session[Symbol.asyncDispose]();
      pass("pay.close.after");
    },
  };
}

/** Hears what content is charged, before it is sent; below 0 when it is given back. */
export type Charged = (payer: string, bytes: number) => void;

/** A gate that passes points, and tells what it let through. */
export function markedGate(
  gate: Required<Gate>,
  { pass, charged }: { readonly pass: Pass; readonly charged: Charged },
): Gate {
  return {
    isFree: (root) => gate.isFree(root),
    creditOf: (viewer) => gate.creditOf(viewer),
    decide: async (request) => {
      pass("gate.decide.before");
      const decision = await gate.decide(request);
      pass("gate.decide.after");
      return decision;
    },
    pay: async (request, options) => {
      pass("gate.pay.before");
      const answer = await gate.pay(request, options);
      pass("gate.pay.after");
      return answer;
    },
    openMeter: (request) => {
      const meter = gate.openMeter(request);
      pass("meter.open.after");
      const { peerId } = request.viewer;
      return markedMeter(meter, { pass, charged: (bytes) => charged(peerId, bytes) });
    },
  };
}

function markedMeter(
  meter: Meter,
  { pass, charged }: { readonly pass: Pass; readonly charged: (bytes: number) => void },
): Meter {
  return {
    get creditMsat() {
      return meter.creditMsat;
    },
    get isLow() {
      return meter.isLow;
    },
    take: (sizes) => {
      pass("meter.take.before");
      const count = meter.take(sizes);
      if (count > 0) charged(sizes.slice(0, count).reduce((sum, size) => sum + size, 0));
      pass("meter.take.after");
      return count;
    },
    giveBack: (bytes) => {
      meter.giveBack(bytes);
      charged(-bytes);
    },
    more: (signal) => meter.more(signal),
    [Symbol.asyncDispose]: async () => {
      pass("meter.close.before");
      await meter[Symbol.asyncDispose]();
      pass("meter.close.after");
    },
  };
}

/** What is done instead of a write. */
export type Write = (
  stream: ByteStream,
  parts: readonly Uint8Array[],
  write: (...parts: Uint8Array[]) => Promise<void> | undefined,
) => Promise<void> | undefined;

/** A network whose streams write through `write`. */
export function markedNetwork(network: Network, write: Write): Network {
  const marked = (stream: ByteStream): ByteStream => {
    const real = stream.write.bind(stream);
    const over = stream.writeOver?.bind(stream);
    stream.write = (...parts) => write(stream, parts, real);
    if (over !== undefined) {
      stream.writeOver = (bytes) => write(stream, [bytes], (same) => over(same as typeof bytes));
    }
    return stream;
  };
  return new Proxy(network, {
    get: (target, name) => {
      if (name === "openStream") {
        return async (...args: Parameters<Network["openStream"]>) =>
          marked(await target.openStream(...args));
      }
      if (name === "handle") {
        return (
          protocol: string,
          handler: (stream: ByteStream) => Promise<void>,
          options?: Parameters<Network["handle"]>[2],
        ) => target.handle(protocol, (stream) => handler(marked(stream)), options);
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The messages that a write consists of; `data` for what is none. */
export function messagesOf(parts: readonly Uint8Array[]): (Message | "data")[] {
  return parts.map((part) => {
    const length = decodeVarint(part);
    if (length === undefined || part.length !== length.size + length.value) return "data";
    if (part[length.size] === 0) return "data";
    try {
      return decodeMessage(part.slice(length.size));
    } catch {
      return "data";
    }
  });
}
