/** Spawn requests: checked, reserved, and from there on the runner's. */
import { createHash } from "node:crypto";
import { isSeedmintError } from "../../src/core/errors.ts";
import { randomBelow } from "../../src/core/ports.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import { fits, type Lease, leftOf, NO_RESOURCES, sumOf } from "../leases/mod.ts";
import type { Answer, SpawnRequest } from "../wire/mod.ts";
import { isAnswerable, pendingAnswer, spawnAnswer } from "./answers.ts";
import { admit, type CheckedSpawn, checkSpawn } from "./check_spawn.ts";
import type { ProviderContext } from "./context.ts";
import { within } from "./deadline.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import type { LeaseRunner } from "./runner.ts";

/** What a request at the desk comes with. */
export interface AskContext {
  readonly owner: string;
  /** Under what the request is remembered; absent for those that may be done twice. */
  readonly key?: string;
  readonly signal: AbortSignal;
  readonly channel?: "nip04" | "nip17";
  /** When it was written, in milliseconds since 1970, as its sender says. */
  readonly sentAtMs?: number;
  readonly onState?: (lease: Lease) => void;
}

/** Serves spawn requests. */
export class SpawnDesk {
  readonly #context: ProviderContext;
  readonly #runner: LeaseRunner;

  constructor(context: ProviderContext, runner: LeaseRunner) {
    this.#context = context;
    this.#runner = runner;
  }

  /** @throws {Refusal} */
  async spawn(request: SpawnRequest, ask: AskContext): Promise<Answer> {
    const number = this.#bound(ask) ?? this.#known(this.#context.till.idOf(request.token), ask) ??
      await this.#begin(request, ask);
    return await this.answerFor(number, ask);
  }

  /** Waits until a lease is ready or has failed. */
  async answerFor(number: number, ask: AskContext): Promise<Answer> {
    const { signal } = ask;
    const onState = ask.onState === undefined ? {} : { onState: ask.onState };
    let lease = await this.#runner.until(
      number,
      (lease) => isAnswerable(lease) || lease.state === "failed",
      { signal, ...onState },
    );
    if (lease.state === "failed") lease = await this.#settled(lease, signal);
    return spawnAnswer(lease, this.#context) ?? pendingAnswer(lease);
  }

  /** What pays back is waited for, but not for ever. */
  async #settled(lease: Lease, signal: AbortSignal): Promise<Lease> {
    try {
      return await within(
        this.#context.clock,
        { ms: PROVIDER_LIMITS.refundPatienceMs, what: "Paying back", signal },
        (signal) => this.#runner.until(lease.number, isAnswerable, { signal }),
      );
    } catch (error) {
      if (!isSeedmintError(error, "timeout")) throw error;
      return lease;
    }
  }

  /** The lease that the same request began. */
  #bound({ owner, key }: AskContext): number | undefined {
    return key === undefined ? undefined : this.#context.journal.asks.get(owner, key)?.lease;
  }

  /** The lease that the same token began, whatever became of its mint since. */
  #known(tokenId: Sha256 | undefined, ask: AskContext): number | undefined {
    const { journal } = this.#context;
    const payment = tokenId && journal.payments.get(tokenId);
    if (payment === undefined) return undefined;
    if (payment.owner !== ask.owner || payment.purpose !== "spawn") {
      throw new Refusal("token_already_spent", "The token was used already");
    }
    // A failed lease that never touched its token leaves it for another try.
    const lease = journal.leases.get(payment.lease);
    if (payment.status === "new" && lease?.state === "refunded") return undefined;
    if (ask.key !== undefined) journal.asks.bind(ask.owner, ask.key, payment.lease);
    return payment.lease;
  }

  async #begin(request: SpawnRequest, ask: AskContext): Promise<number> {
    const { journal, time, settings, total, ssh } = this.#context;
    checkAge(ask, time.nowMs());
    const checked = checkSpawn(request, ask.owner, this.#context);
    const hostKey = await ssh.newHostKey();
    const terms = this.#terms(request, checked, ask);
    // A lease that kept its room and let its token alone: once is fine, then the money comes first.
    const isTokenSafe = checked.isTokenSafe &&
      journal.payments.get(checked.facts.id) === undefined;
    const reservation = journal.transaction(() => {
      const nowMs = time.nowMs();
      // Making the key took a moment, in which a twin of this request may have come.
      const twin = this.#known(checked.facts.id, ask);
      if (twin !== undefined) return { status: "twin", number: twin } as const;
      const reservation = journal.leases.reserve({
        owner: ask.owner,
        terms: {
          ...terms,
          isTokenSafe,
          hostKey: hostKey.privateKey,
          hostKeyFingerprint: hostKey.fingerprint,
        },
        wantedPorts: request.ports ?? [],
      }, { total: total(), range: settings.ports, nowMs });
      if (reservation.status !== "reserved") return reservation;
      const { number } = reservation.lease;
      if (!isTokenSafe) this.#assertRoomIsLeft();
      admit(checked.facts, this.#context);
      journal.payments.add({
        tokenId: checked.facts.id,
        lease: number,
        owner: ask.owner,
        purpose: "spawn",
        token: request.token,
        faceSat: checked.facts.amountSat,
        mint: checked.facts.mint,
        status: "new",
        createdMs: nowMs,
        ...(request.refundKey === undefined ? {} : { lockTo: request.refundKey }),
      });
      if (ask.key !== undefined) journal.asks.bind(ask.owner, ask.key, number);
      return reservation;
    });
    if (reservation.status === "twin") return reservation.number;
    if (reservation.status !== "reserved") {
      const what = reservation.status === "no-room" ? "room" : "ports";
      throw new Refusal("no_capacity", `There is no ${what} for another lease of this tier`, {
        retryMs: 60_000,
      });
    }
    this.#runner.announce(reservation.lease);
    this.#runner.nudge(reservation.lease.number);
    return reservation.lease.number;
  }

  /**
   * Leases whose token may be worth nothing hold no more room than they leave, until their mints have
   * answered; one may always.
   *
   * @throws {Refusal}
   */
  #assertRoomIsLeft(): void {
    const { journal, total } = this.#context;
    const waiting = journal.leases.open().filter(({ state, terms }) =>
      !terms.isTokenSafe && (state === "reserved" || state === "redeeming")
    );
    const held = waiting.reduce((sum, { terms }) => sumOf(sum, terms.spec), NO_RESOURCES);
    if (waiting.length === 1 || fits(held, leftOf(total(), journal.leases.taken()))) return;
    throw new Refusal(
      "no_capacity",
      "What room there is waits for mints, or for tokens that are locked to this provider (NUT-11)",
      { retryMs: 10_000 },
    );
  }

  #terms(request: SpawnRequest, checked: CheckedSpawn, ask: AskContext) {
    const needsPassword = checked.authorizedKeys.length === 0;
    return {
      spec: checked.spec,
      image: checked.image,
      env: request.env ?? {},
      authorizedKeys: checked.authorizedKeys,
      sshUser: "root",
      tokenId: checked.facts.id,
      wantsNotices: request.wantsProgress ?? false,
      ...(needsPassword ? { password: checked.password ?? this.#newPassword() } : {}),
      ...(request.refundKey === undefined ? {} : { refundKey: request.refundKey }),
      ...(ask.channel === undefined ? {} : { channel: ask.channel }),
    };
  }

  #newPassword(): string {
    const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
    const { random } = this.#context;
    return Array.from({ length: 16 }, () => alphabet[randomBelow(random, alphabet.length)]).join(
      "",
    );
  }
}

/** Nothing is charged for what was asked long ago: its sender went elsewhere. @throws {Refusal} */
export function checkAge(ask: AskContext, nowMs: number): void {
  const { sentAtMs } = ask;
  if (sentAtMs === undefined) return;
  const ageMs = nowMs - sentAtMs;
  if (ageMs <= PROVIDER_LIMITS.requestAgeMaxMs && ageMs >= -PROVIDER_LIMITS.requestFutureMs) return;
  throw new Refusal(
    "invalid_request",
    `The request was written ${
      Math.round(ageMs / 1000)
    } s ago by its own date, and came too late; ` +
      "its token was left alone",
  );
}

/** What a request asks for, whatever it is called. */
export function fingerprintOf(request: object): string {
  const { requestId: _, wantsProgress: __, ...rest } = request as Record<string, unknown>;
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex");
}
