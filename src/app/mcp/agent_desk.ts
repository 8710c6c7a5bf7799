/** Renting for agents, over the same methods that the verbs call. Nothing here confirms for a person. */
import type {
  AgentDesk,
  AgentLease,
  AgentQuote,
  AgentWork,
  LeasePayment,
  LeaseWish,
  OfferWish,
  SpawnOrder,
  TopUpOrder,
} from "../../../provisioning/mcp/mod.ts";
import type {
  LeaseMethods,
  LeaseView,
  MarketListParams,
  MarketSort,
  OfferView,
} from "../api/lease_methods.ts";
import type { IsolationLevel } from "../../../provisioning/ports.ts";
import type { NodeApi } from "../api/methods.ts";
import { type FeeLimit, feeMaxOf } from "../config/money_values.ts";

/** Lends a node for the time of one call. */
export type UseNode = <T>(work: (node: NodeApi) => Promise<T>) => Promise<T>;

type Params<Name extends keyof LeaseMethods> = LeaseMethods[Name]["params"];

/** See the head of this file. */
export class NodeAgentDesk implements AgentDesk {
  readonly #use: UseNode;
  readonly #feeLimit: FeeLimit;

  constructor(options: { readonly use: UseNode; readonly feeLimit: FeeLimit }) {
    this.#use = options.use;
    this.#feeLimit = options.feeLimit;
  }

  async offers(wish: OfferWish, work: AgentWork) {
    const { capability, uptimePercentMin, isolation, sort, ...filter } = wish;
    const params: MarketListParams = {
      ...filter,
      ...capability === undefined ? {} : { capabilities: [capability] },
      // Both were checked against their lists when they came.
      ...isolation === undefined ? {} : { isolation: isolation as IsolationLevel },
      ...sort === undefined ? {} : { sort: sort as MarketSort },
    };
    const { offers } = await this.#call("market.list", params, work);
    return offers.filter((offer) =>
      uptimePercentMin === undefined || (offer.uptimePercent ?? 0) >= uptimePercentMin
    ).map(offerMembers);
  }

  async quote(wish: LeaseWish, work: AgentWork): Promise<AgentQuote> {
    const quote = await this.#call("market.quote", wish, work);
    return {
      provider: quote.provider,
      tier: quote.tier.id,
      amountSat: quote.amountSat,
      isAvailable: quote.isAvailable,
      ...quote.note === null ? {} : { note: quote.note },
      members: {
        ...quote,
        feeMaxSat: this.feeMaxSat(quote.amountSat),
      },
    };
  }

  async spawn(order: SpawnOrder, work: AgentWork): Promise<AgentLease> {
    const { payment, ...rest } = order;
    return leaseOf(
      await this.#call("lease.spawn", { ...rest, ...paid(payment), confirmed: false }, work),
    );
  }

  async leases(options: { readonly all: boolean }, work: AgentWork) {
    const { leases } = await this.#call("lease.ls", options, work);
    return leases.map(leaseOf);
  }

  async find(name: string, work: AgentWork): Promise<AgentLease> {
    const { SeedmintError } = await import("../../core/errors.ts");
    const leases = await this.leases({ all: true }, work);
    const isNamed = (lease: AgentLease) =>
      [lease.id, lease.members.lease, lease.members.leaseId].includes(name);
    const exact = leases.filter(isNamed);
    const found = exact.length > 0
      ? exact
      : leases.filter((lease) => name.length >= 4 && lease.id.startsWith(name));
    if (found.length === 1) return found[0]!;
    throw new SeedmintError(
      "not-found",
      found.length === 0
        ? "There is no such lease; see list_leases"
        : "Several leases are called so; name one by its id, as list_leases shows it",
    );
  }

  async status(lease: string, work: AgentWork): Promise<AgentLease> {
    return leaseOf(await this.#call("lease.status", { lease }, work));
  }

  async logs(lease: string, lineCount: number, work: AgentWork) {
    return { ...await this.#call("lease.logs", { lease, lineCount }, work) };
  }

  async exec(
    lease: string,
    command: { readonly words: readonly string[]; readonly timeoutMs: number },
    work: AgentWork,
  ) {
    const { words, timeoutMs } = command;
    return { ...await this.#call("lease.exec", { lease, command: words, timeoutMs }, work) };
  }

  async topUp(order: TopUpOrder, work: AgentWork) {
    const { payment, lease, requestId } = order;
    const before = await this.find(lease, work);
    const params = { lease, requestId, ...paid(payment), confirmed: false };
    const done = await this.#call("lease.topup", params, work);
    const after = leaseOf(done.lease);
    return {
      // Whatever else was spent on it meanwhile counts, too: rather too much than too little.
      costSat: Math.max(done.paidSat, after.costSat - before.costSat),
      members: { extendedS: done.extendedS, paidSat: done.paidSat, lease: shown(done.lease) },
    };
  }

  async restart(lease: string, work: AgentWork): Promise<AgentLease> {
    return leaseOf(await this.#call("lease.restart", { lease }, work));
  }

  async stop(lease: string, work: AgentWork) {
    const { lease: view, ...back } = await this.#call("lease.stop", { lease }, work);
    return { ...back, lease: shown(view) };
  }

  feeMaxSat(amountSat: number): number {
    return feeMaxOf(this.#feeLimit, amountSat);
  }

  #call<Name extends keyof LeaseMethods>(
    name: Name,
    params: Params<Name>,
    { signal, onProgress }: AgentWork,
  ): Promise<LeaseMethods[Name]["result"]> {
    return this.#use((node) =>
      node.call(name, params, {
        signal,
        onEvent: (event: { readonly event: string; readonly message: string }) => {
          if (event.event === "step") onProgress(event.message);
        },
      })
    );
  }
}

function paid(payment: LeasePayment): { readonly budgetSat?: number; readonly token?: string } {
  return payment;
}

function leaseOf(view: LeaseView): AgentLease {
  return {
    id: view.id,
    ...view.requestId === null ? {} : { requestId: view.requestId },
    costSat: view.paidSat + view.feeSat,
    provider: view.provider,
    ...view.tier === null ? {} : { tier: view.tier },
    members: { ...shown(view), identityFile: view.identityFile },
  };
}

/** What an agent elsewhere may see, too: nothing of this machine. */
function shown(view: LeaseView): Omit<LeaseView, "requestId" | "identityFile" | "sshPassword"> {
  const { requestId: _, identityFile: __, sshPassword: ___, ...rest } = view;
  return rest;
}

/** An offer, without what only tells machines apart. */
function offerMembers(offer: OfferView): Record<string, unknown> {
  const { createdMs: _, verbs: __, ...rest } = offer;
  return { ...rest };
}
