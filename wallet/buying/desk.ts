/** What all buyers of a wallet share: sellers as they are known, and the strips being made for them. */
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import type { StripPlan } from "../operations/strip_plan.ts";
import type { Budgets } from "../payments/budgets.ts";
import type { Payments } from "../planner/payments.ts";
import type { MintUrl } from "../types.ts";
import { bookRefunds } from "./credits.ts";
import { Declined } from "./declined.ts";
import { IDLE_SELLERS_MAX, SESSIONS_PER_SELLER_MAX } from "./limits.ts";
import { Seller } from "./seller.ts";
import type { Session } from "./session.ts";
import { type PartKind, StripMaker } from "./strip_maker.ts";

/** Options of {@link BuyingDesk}. */
export interface BuyingDeskOptions {
  readonly payments: Payments;
  readonly budgets: Budgets;
  /** Breaks ties. */
  readonly homeMint: () => MintUrl | undefined;
  readonly allowPrivate?: boolean;
  /** How long making a strip may take, in milliseconds. @default {30000} */
  readonly deadlineMs?: number;
}

/** A seller and who buys of it. */
interface Counter {
  readonly seller: Seller;
  readonly sessions: Set<Session>;
}

/** See the head of this file. */
export class BuyingDesk implements AsyncDisposable {
  readonly engine: Engine;
  readonly options: BuyingDeskOptions;
  readonly maker: StripMaker;
  readonly #counters = new Map<string, Counter>();
  readonly #off: () => void;

  constructor(engine: Engine, options: BuyingDeskOptions) {
    this.engine = engine;
    this.options = options;
    this.maker = new StripMaker(engine, options);
    this.#off = engine.onEvent(({ event, operationId }) => {
      if (event === "operation" && operationId !== undefined) this.#heard(operationId);
    });
  }

  /** The seller as it is known now. */
  seller(peerId: string): Seller {
    const found = this.#counters.get(peerId);
    if (found !== undefined && found.sessions.size > 0) return found.seller;
    this.#counters.delete(peerId);
    for (const [id, { sessions }] of this.#counters) {
      if (this.#counters.size < IDLE_SELLERS_MAX) break;
      if (sessions.size === 0) this.#counters.delete(id);
    }
    // Read anew: what was given up or came back since counts.
    const seller = new Seller(this.engine.context, peerId);
    this.#counters.set(peerId, { seller, sessions: new Set() });
    return seller;
  }

  /** @throws {Declined} When there are too many of one seller. */
  add(session: Session): void {
    const { sessions } = this.#counters.get(session.kind.peer)!;
    if (sessions.size >= SESSIONS_PER_SELLER_MAX) {
      throw new Declined("too many fetches buy of this seller at a time");
    }
    sessions.add(session);
  }

  /** A session is over. */
  remove(session: Session): void {
    const counter = this.#counters.get(session.kind.peer);
    const sessions = counter?.sessions;
    const isOver = sessions?.delete(session) === true && sessions.size === 0;
    const isWanted = [...sessions ?? []].some((other) => isSameKind(other.kind, session.kind));
    if (!isWanted) this.maker.release(session.kind);
    if (isOver) counter!.seller.close();
  }

  /** A seller may have paid back something: books it, also for those that buy of it now. */
  bookRefunds(peerId: string): void {
    this.write();
    if (bookRefunds(this.engine.context, peerId)) this.#counters.get(peerId)?.seller.reload();
  }

  /** Writes what every session has used. */
  write(): void {
    for (const { sessions } of this.#counters.values()) {
      for (const session of sessions) session.write();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#off();
    for (const { sessions } of this.#counters.values()) {
      for (const session of [...sessions]) await session[Symbol.asyncDispose]();
    }
    await this.maker[Symbol.asyncDispose]();
  }

  /** Top-ups came back, or are gone. */
  #heard(id: string): void {
    const operation = this.engine.context.store.operation(id);
    if (operation?.kind !== "strip" && operation?.kind !== "channel") return;
    const { peer } = (operation as Operation<StripPlan>).plan;
    this.#counters.get(peer)?.seller.reload();
  }
}

function isSameKind(a: PartKind, b: PartKind): boolean {
  return a.publicKey === b.publicKey && a.minTopUpSat === b.minTopUpSat;
}
