/** A node that rents, as far as agents see it: leases in a map, prices by a rule. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { checkWishId } from "../../../provisioning/consumer/plan.ts";
import type {
  AgentDesk,
  AgentLease,
  AgentQuote,
  AgentWork,
  Json,
  LeaseWish,
  OfferWish,
  SpawnOrder,
  TopUpOrder,
} from "../../../provisioning/mcp/mod.ts";

/** 100 msat a second. */
const RATE = 100;

/** The desk. */
export class MemoryAgentDesk implements AgentDesk {
  /** Leases by id. */
  readonly held = new Map<string, AgentLease>();
  /** Orders that came, repetitions included. */
  readonly orders: SpawnOrder[] = [];
  readonly topUps: TopUpOrder[] = [];
  /** Given away in all. */
  spentSat = 0;
  /** What renting fails with. */
  failure: SeedmintError | undefined;
  /** Names in offers. */
  offerName = "Anna";
  feeSat = 2;
  isAvailable = true;
  /** Resolved before a spawn goes on. */
  gate: Promise<void> = Promise.resolve();

  offers(wish: OfferWish, _work: AgentWork): Promise<readonly Json[]> {
    const all = Array.from(
      { length: 30 },
      (_, index) => ({ provider: `p${index}`, name: this.offerName, wish }),
    );
    return Promise.resolve(all);
  }

  quote(wish: LeaseWish, _work: AgentWork): Promise<AgentQuote> {
    const amountSat = wish.budgetSat ?? Math.ceil((wish.durationS ?? 3600) * RATE / 1000);
    return Promise.resolve({
      provider: wish.provider ?? "p0",
      tier: wish.tier ?? "basic",
      amountSat,
      isAvailable: this.isAvailable,
      note: "no room",
      members: { amountSat },
    });
  }

  async spawn(order: SpawnOrder, work: AgentWork): Promise<AgentLease> {
    checkWishId(order.requestId);
    this.orders.push(order);
    work.onProgress("asking");
    const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
    work.signal.addEventListener("abort", () => giveUp(work.signal.reason), { once: true });
    // It goes on when nobody waits for it any more.
    return await Promise.race([this.#rent(order), given]);
  }

  async #rent(order: SpawnOrder): Promise<AgentLease> {
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    const known = [...this.held.values()].find(({ requestId }) => requestId === order.requestId);
    if (known !== undefined) return known;
    const costSat = "token" in order.payment ? 0 : order.payment.budgetSat + this.feeSat;
    this.spentSat += costSat;
    const id = `lease${String(this.held.size + 1).padStart(3, "0")}`;
    const lease = {
      id,
      costSat,
      provider: order.provider ?? "p0",
      tier: order.tier ?? "basic",
      requestId: order.requestId,
      members: { id, lease: `container-${1000 + this.held.size}`, identityFile: "/home/x/.key" },
    };
    this.held.set(id, lease);
    return lease;
  }

  leases(_options: { readonly all: boolean }): Promise<readonly AgentLease[]> {
    return Promise.resolve([...this.held.values()]);
  }

  find(name: string): Promise<AgentLease> {
    const found = [...this.held.values()].find(({ id, members }) =>
      id === name || members.lease === name
    );
    if (found !== undefined) return Promise.resolve(found);
    return Promise.reject(new SeedmintError("not-found", "There is no such lease"));
  }

  status(lease: string): Promise<AgentLease> {
    return this.find(lease);
  }

  logs(_lease: string, lineCount: number): Promise<Json> {
    return Promise.resolve({ text: `\x1b[2Jlast ${lineCount} lines\r\n` });
  }

  exec(_lease: string, command: { readonly words: readonly string[] }): Promise<Json> {
    return Promise.resolve({ stdout: command.words.join(" "), exitCode: 0 });
  }

  topUp(order: TopUpOrder) {
    checkWishId(order.requestId);
    this.topUps.push(order);
    const costSat = "token" in order.payment ? 0 : order.payment.budgetSat + this.feeSat;
    this.spentSat += costSat;
    return Promise.resolve({ costSat, members: { extendedS: 60 } });
  }

  restart(lease: string): Promise<AgentLease> {
    return this.find(lease);
  }

  stop(lease: string): Promise<Json> {
    this.held.delete(lease);
    return Promise.resolve({ refundSat: 1 });
  }

  feeMaxSat(): number {
    return 5;
  }
}
