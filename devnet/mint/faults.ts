/** Scripted failures, each for some requests: by path, by quote, by invoice, by count. */

/** What goes wrong. */
export type FaultKind =
  /** Answers signatures whose proof of discrete logarithm is wrong. */
  | "bad-dleq"
  /** Answers signatures without a proof. */
  | "omit-dleq"
  /** Answers signatures in another order; those of equal amounts change places if there are any. */
  | "permute-signatures"
  /** Leaves out the last signature. */
  | "drop-signature"
  /** Names another amount in the first signature. */
  | "wrong-amount"
  /** Answers a melt that was paid with "Lightning payment failed". */
  | "lie-after-paying"
  /** Answers a quote with the state before its present one. */
  | "stale-quote"
  /** Takes a melt and neither pays it nor gives it up. */
  | "pending-forever"
  /** Answers with some fields of the JSON object replaced. */
  | "alter"
  /** Answers with a status of choice; with `isAfter`, once the effect is on disk. */
  | "fail";

/** Which requests a fault is for; what is absent matches all. */
export interface FaultScope {
  /** A path such as `/v1/swap` or `swap`; paths below it match, too. */
  readonly path?: string;
  readonly quote?: string;
  /** BOLT11 text or payment hash. */
  readonly invoice?: string;
}

/** A scripted failure. */
export interface Fault extends FaultScope {
  readonly kind: FaultKind;
  /** How many requests it hits. */
  readonly count: number;
  readonly status?: number;
  readonly code?: number;
  readonly detail?: string;
  readonly retryAfterS?: number;
  readonly isAfter?: boolean;
  /** Fields of an `alter`; `null` stays `null`. */
  readonly changes?: Readonly<Record<string, unknown>>;
}

/** What a fault is matched against. */
export interface FaultSite {
  readonly path: string;
  readonly quote?: string | undefined;
  readonly request?: string | undefined;
  readonly paymentHash?: string | undefined;
}

/** The script, in the order it was written; kept in memory only. */
export class Faults {
  #faults: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    if (!Number.isInteger(fault.count) || fault.count < 1) {
      throw new RangeError(`Cannot script ${fault.kind} ${fault.count} times: 1 or more wanted`);
    }
    this.#faults.push({ fault, left: fault.count });
  }

  clear(kind?: FaultKind): void {
    this.#faults = kind === undefined
      ? []
      : this.#faults.filter(({ fault }) => fault.kind !== kind);
  }

  /** The first fault of `kind` for the site, used up by one. */
  take(
    kind: FaultKind,
    site: FaultSite,
    accept: (fault: Fault) => boolean = () => true,
  ): Fault | undefined {
    const found = this.#faults.find(({ fault }) =>
      fault.kind === kind && isFor(fault, site) && accept(fault)
    );
    if (!found) return undefined;
    if (--found.left === 0) this.#faults = this.#faults.filter((other) => other !== found);
    return found.fault;
  }

  /** What is still to come. */
  list(): readonly Fault[] {
    return this.#faults.map(({ fault, left }) => ({ ...fault, count: left }));
  }
}

function isFor(scope: FaultScope, site: FaultSite): boolean {
  if (scope.quote !== undefined && scope.quote !== site.quote) return false;
  if (
    scope.invoice !== undefined && scope.invoice !== site.request &&
    scope.invoice !== site.paymentHash
  ) return false;
  if (scope.path === undefined) return true;
  const path = scope.path.startsWith("/") ? scope.path : `/v1/${scope.path}`;
  return site.path === path || site.path.startsWith(`${path}/`);
}

interface WireSignature {
  readonly id: string;
  readonly amount: number;
  readonly C_: string;
  readonly dleq?: { readonly e: string; readonly s: string };
}

/** The answer as the faults of signatures and quotes leave it. */
export function corrupted(
  faults: Faults,
  site: FaultSite,
  body: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  let result = body;
  for (const name of ["signatures", "change"]) {
    const signatures = result[name];
    if (!Array.isArray(signatures) || signatures.length === 0) continue;
    result = { ...result, [name]: corruptedSignatures(faults, site, signatures) };
  }
  if (Array.isArray(body.outputs) && Array.isArray(result.signatures)) {
    // What NUT-09 restores is restored in pairs, however few.
    result = { ...result, outputs: body.outputs.slice(0, result.signatures.length) };
  }
  if (typeof body.state === "string" && faults.take("stale-quote", site, () => isLowered(body))) {
    result = stale(result);
  }
  return { ...result, ...faults.take("alter", site)?.changes };
}

function corruptedSignatures(
  faults: Faults,
  site: FaultSite,
  signatures: readonly WireSignature[],
): readonly WireSignature[] {
  let result = signatures;
  if (faults.take("bad-dleq", site)) {
    result = result.map((one) =>
      one.dleq ? { ...one, dleq: { ...one.dleq, s: flipped(one.dleq.s) } } : one
    );
  }
  if (faults.take("omit-dleq", site)) {
    result = result.map(({ id, amount, C_ }) => ({ id, amount, C_ }));
  }
  if (result.length > 1 && faults.take("permute-signatures", site)) result = permuted(result);
  if (faults.take("wrong-amount", site)) {
    result = result.map((one, index) => index === 0 ? { ...one, amount: one.amount * 2 } : one);
  }
  if (faults.take("drop-signature", site)) result = result.slice(0, -1);
  return result;
}

function flipped(hex: string): string {
  return hex.slice(0, -1) + (hex.endsWith("0") ? "1" : "0");
}

function permuted(signatures: readonly WireSignature[]): readonly WireSignature[] {
  const result = [...signatures];
  for (let i = 0; i < result.length; i++) {
    const j = result.findIndex((other, index) => index > i && other.amount === result[i]!.amount);
    if (j === -1) continue;
    [result[i], result[j]] = [result[j]!, result[i]!];
    return result;
  }
  return [...result.slice(1), result[0]!];
}

const BEFORE: Readonly<Record<string, string>> = {
  PAID: "UNPAID",
  ISSUED: "PAID",
  PENDING: "UNPAID",
};

function isLowered(body: Readonly<Record<string, unknown>>): boolean {
  return BEFORE[String(body.state)] !== undefined;
}

function stale(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { change: _change, payment_preimage: _preimage, ...rest } = body;
  return { ...rest, state: BEFORE[String(body.state)] };
}
