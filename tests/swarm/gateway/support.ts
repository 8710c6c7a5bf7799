/** A gateway over a store, a gate that keeps its books in memory, and requests byte by byte. */
import type { Clock } from "../../../src/core/ports.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { signEvent } from "../../../src/nostr/nostr.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  Gateway,
  type GatewayEvent,
  type GatewayOptions,
  type PaymentRequests,
} from "../../../swarm/gateway/mod.ts";
import type {
  Gate,
  GateDecision,
  Meter,
  PaymentAnswer,
  PaymentOffer,
  PaymentTerms,
  Viewer,
} from "../../../swarm/ports.ts";
import { type BlobStore, MemoryBlobStore } from "../../../swarm/store/mod.ts";

/** Where the seller's mint is. */
export const MINT = "https://mint.example";

/** A secret key that may upload, and one that may not. */
export const ALICE = new Uint8Array(32).fill(7);
export const MALLORY = new Uint8Array(32).fill(8);

const UNIT = 2 ** 20;

interface Account {
  /** In msat / 2^20, as a real seller counts. */
  paid: number;
  used: number;
}

/** Sells at one price, and keeps books that tests look into. */
export class FakeSeller implements Gate {
  readonly accounts = new Map<string, Account>();
  readonly spent = new Map<string, string>();
  readonly free = new Set<Hash>();
  terms: PaymentTerms = {
    priceMsatPerMiB: 64_000,
    minTopUpSat: 1,
    mints: [MINT],
    p2pk: `02${"ab".repeat(32)}`,
    locktimeMin: 90,
  };
  /** What to do instead of deciding. */
  trouble: "throw" | "deny" | undefined;
  /** Answers `pending` so many times before the truth. */
  pendingCount = 0;
  payCount = 0;
  decideCount = 0;
  meterCount = 0;
  feeSat = 0;

  isFree(root: Hash): boolean {
    return this.free.has(root);
  }

  decide({ viewer }: { readonly viewer: Viewer }): Promise<GateDecision> {
    this.decideCount++;
    if (this.trouble === "throw") return Promise.reject(new Error("secret trouble"));
    if (this.trouble === "deny") return Promise.resolve({ decision: "deny", code: "closed" });
    if (viewer.fleet) return Promise.resolve({ decision: "free" });
    return Promise.resolve({ decision: "pay", ...this.terms });
  }

  pay(
    { viewer, payment }: { readonly viewer: Viewer; readonly payment: PaymentOffer },
  ): Promise<PaymentAnswer> {
    this.payCount++;
    return Promise.resolve(this.#pay(viewer, payment));
  }

  #pay(viewer: Viewer, { id, token }: PaymentOffer): PaymentAnswer {
    const known = this.spent.get(id.toHex());
    if (known !== undefined) {
      return known === viewer.peerId
        ? { answer: "credited", creditMsat: this.creditOf(viewer) }
        : { answer: "refused", code: "spent" };
    }
    if (this.pendingCount > 0) {
      this.pendingCount--;
      if (token !== undefined) this.#pending.set(id.toHex(), token);
      return { answer: "pending", retryMs: 10 };
    }
    const read = readToken(token ?? this.#pending.get(id.toHex()) ?? "");
    if (read === undefined) return { answer: "refused", code: "malformed" };
    if (read.lock !== this.terms.p2pk) return { answer: "refused", code: "locked" };
    this.spent.set(id.toHex(), viewer.peerId);
    this.#account(viewer).paid += (read.amount - this.feeSat) * 1000 * UNIT;
    return { answer: "credited", creditMsat: this.creditOf(viewer) };
  }

  readonly #pending = new Map<string, string>();

  creditOf(viewer: Viewer): number {
    const { paid, used } = this.#account(viewer);
    return Math.max(0, Math.floor((paid - used) / UNIT));
  }

  openMeter(
    { viewer, priceMsatPerMiB }: { readonly viewer: Viewer; readonly priceMsatPerMiB: number },
  ): Meter {
    this.meterCount++;
    const account = this.#account(viewer);
    const creditOf = () => this.creditOf(viewer);
    return {
      get creditMsat() {
        return creditOf();
      },
      isLow: false,
      take(sizes) {
        let count = 0;
        for (const size of sizes) {
          if (account.used >= account.paid) break;
          account.used += size * priceMsatPerMiB;
          count++;
        }
        return count;
      },
      giveBack: (bytes) => void (account.used -= bytes * priceMsatPerMiB),
      async more(signal) {
        while (account.used >= account.paid) await systemClock.sleep(5, { signal });
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** What all viewers together paid and used, in msat. */
  books(): { readonly paidMsat: number; readonly usedMsat: number } {
    let paid = 0;
    let used = 0;
    for (const account of this.accounts.values()) {
      paid += account.paid;
      used += account.used;
    }
    return { paidMsat: paid / UNIT, usedMsat: Math.ceil(used / UNIT) };
  }

  #account(viewer: Viewer): Account {
    const known = this.accounts.get(viewer.peerId);
    if (known !== undefined) return known;
    const account = { paid: 0, used: 0 };
    if (viewer.peerId !== "http:guest") this.accounts.set(viewer.peerId, account);
    return account;
  }
}

let nonce = 0;

/** A token that {@link FakeSeller} takes. */
export function tokenOf(
  amount: number,
  fields: { readonly mint?: string; readonly unit?: string; readonly lock?: string } = {},
): string {
  const { mint = MINT, unit = "sat", lock = `02${"ab".repeat(32)}` } = fields;
  const json = JSON.stringify({ mint, unit, lock, amount, nonce: nonce++ });
  const text = new TextEncoder().encode(json);
  return `cashuB${text.toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

function readToken(token: string) {
  try {
    const bytes = Uint8Array.fromBase64(token.slice(6), { alphabet: "base64url" });
    return JSON.parse(new TextDecoder().decode(bytes)) as {
      readonly mint: string;
      readonly unit: string;
      readonly amount: number;
      readonly lock: string;
    };
  } catch {
    return undefined;
  }
}

/** Encodings without CBOR and bech32: only who reads them must agree. */
export const fakeRequests: PaymentRequests = {
  encodePaymentRequest(terms, amountSat, locktimeS) {
    const { mints, p2pk } = terms;
    const json = JSON.stringify({ amountSat, mints, p2pk, locktimeS });
    const text = new TextEncoder().encode(json).toBase64({ alphabet: "base64url" });
    return { creqA: `creqA${text}`, creqB: `CREQB1${text}` };
  },
  decodePaymentRequest(text) {
    const body = /^(?:creqA|CREQB1)(.*)$/.exec(text)?.[1];
    try {
      const bytes = Uint8Array.fromBase64(body ?? "", { alphabet: "base64url" });
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      return undefined;
    }
  },
  readToken,
};

/** A gateway, its store and its books. */
export interface World extends AsyncDisposable {
  readonly store: BlobStore;
  readonly seller: FakeSeller;
  readonly gateway: Gateway;
  readonly events: GatewayEvent[];
  readonly clock: Clock;
}

/** Starts a gateway on loopback. */
export async function startWorld(
  options: Partial<GatewayOptions> & { readonly seller?: FakeSeller } = {},
): Promise<World> {
  const { seller = new FakeSeller(), clock = systemClock, ...rest } = options;
  const store = options.store ?? new MemoryBlobStore({ clock });
  const events: GatewayEvent[] = [];
  const gateway = await Gateway.start({
    gate: seller,
    payments: fakeRequests,
    clock,
    random: systemRandom,
    port: 0,
    onServed: (event) => events.push(event),
    ...rest,
    store,
  });
  return {
    store,
    seller,
    gateway,
    events,
    clock,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      if (options.store === undefined) await store[Symbol.asyncDispose]();
    },
  };
}

/** An answer, read to its end. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

/** What a request says besides its path. */
export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  /** The loopback address to come from. */
  readonly from?: string;
}

/** One request of a client that says nothing by itself, as `fetch` of a browser would. */
export async function ask(
  world: { readonly gateway: Pick<Gateway, "port"> },
  path: string,
  request: RawRequest = {},
): Promise<RawAnswer> {
  const { method = "GET", headers = {}, body } = request;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const lines = Object.entries({
    host: `127.0.0.1:${world.gateway.port}`,
    connection: "close",
    ...(bytes === undefined ? {} : { "content-length": `${bytes.length}` }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const whole = new Uint8Array(head.length + (bytes?.length ?? 0));
  whole.set(head);
  if (bytes !== undefined) whole.set(bytes, head.length);
  return readAnswer(await exchangeRaw(world.gateway.port, whole, request.from), method);
}

/** Sends `bytes`, and gives all that comes until the other side closes. */
export async function exchangeRaw(
  port: number,
  bytes: Uint8Array,
  from = "127.0.0.1",
): Promise<Uint8Array<ArrayBuffer>> {
  const socket = await connectFrom(port, from);
  const chunks: Uint8Array[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  socket.on("close", () => resolve());
  socket.on("error", reject);
  socket.write(bytes);
  await promise;
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** A connection from an address of loopback. */
export async function connectFrom(port: number, from: string) {
  const { connect } = await import("node:net");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  socket.once("connect", () => resolve());
  socket.once("error", reject);
  await promise;
  socket.removeAllListeners("error");
  return socket;
}

/** Parses one answer. */
export function readAnswer(bytes: Uint8Array<ArrayBuffer>, method = "GET"): RawAnswer {
  const end = new TextDecoder("latin1").decode(bytes).indexOf("\r\n\r\n");
  if (end < 0) return { status: 0, headers: new Headers(), body: bytes, text: "" };
  const [first, ...lines] = new TextDecoder().decode(bytes.subarray(0, end)).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const body = bytes.slice(end + 4);
  if (method === "HEAD" && body.length > 0) throw new Error("an answer to HEAD has a body");
  return {
    status: Number(first!.split(" ")[1]),
    headers,
    body,
    text: new TextDecoder().decode(body),
  };
}

/** An `Authorization` of Blossom. */
export function authorization(
  fields: {
    readonly verb?: string;
    readonly x?: readonly string[];
    readonly key?: Uint8Array;
    readonly kind?: number;
    readonly createdS?: number;
    readonly expirationS?: number;
    readonly more?: readonly (readonly string[])[];
  },
): string {
  const nowS = Math.floor(Date.now() / 1000);
  const event = signEvent({
    kind: fields.kind ?? 24242,
    created_at: fields.createdS ?? nowS,
    content: "a test",
    tags: [
      ...(fields.verb === undefined ? [] : [["t", fields.verb]]),
      ["expiration", `${fields.expirationS ?? nowS + 600}`],
      ...(fields.x ?? []).map((hash) => ["x", hash]),
      ...(fields.more ?? []),
    ],
  }, fields.key ?? ALICE);
  return encodeAuthorization(event);
}

/** Any value as an `Authorization` of Blossom. */
export function encodeAuthorization(event: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(event));
  return `Nostr ${bytes.toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

/** SHA-256 in hex. */
export async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
