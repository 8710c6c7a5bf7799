/**
 * Receipts for bytes, and the store of all: this node signs what its wallet's books say that it sold, countersigns what they
 * say that it bought, and keeps both. Opened when the first one is asked for.
 */
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import type { ReceiptBook, Receipts, Viewer } from "../../../swarm/ports.ts";
import type { ConsumerReceipts, ProviderReceipts, ReceiptStore } from "../../../trust/mod.ts";
import type { Wallet } from "../../../wallet/wallet.ts";
import type {
  AnyReceiptView,
  ReceiptAccess,
  ReceiptDetail,
  ReceiptQuery,
} from "../api/receipt_methods.ts";
import type { Identity } from "../identity.ts";
import type { Log } from "../log.ts";

/** How long until a file that did not open is tried again: who asks in between is told at once. */
const RETRY_MS = 15_000;

/** What {@link NodeReceipts} works with. */
export interface NodeReceiptsOptions {
  readonly dataDirectory: string;
  readonly identity: Pick<Identity, "nostrSecret" | "peerId">;
  /** The wallet while it is open: without its books nothing is signed. */
  readonly wallet: () => Wallet | undefined;
  readonly log: Log;
  /** @default {systemClock} */
  readonly clock?: Clock;
}

interface Opened {
  readonly store: ReceiptStore;
  readonly views: typeof import("./receipt_views.ts");
  readonly provider: ProviderReceipts;
  readonly consumer: ConsumerReceipts;
}

/** Both sides' receipts of a node. A receipt that cannot be had is never a reason not to trade. */
export class NodeReceipts implements Receipts, ReceiptBook, ReceiptAccess, Disposable {
  readonly #options: NodeReceiptsOptions;
  readonly #clock: Clock;
  #opening: Promise<Opened> | undefined;
  #store: ReceiptStore | undefined;
  #retryAtMs = Infinity;
  #isClosed = false;

  constructor(options: NodeReceiptsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  ask(
    viewer: Viewer,
    request: Parameters<Receipts["ask"]>[1],
  ): ReturnType<Receipts["ask"]> {
    return this.#guarded(async () => (await this.#open()).provider.ask(viewer, request), undefined);
  }

  keep(viewer: Viewer, text: string): Promise<boolean> {
    return this.#guarded(async () => (await this.#open()).provider.keep(viewer, text), false);
  }

  request(subject: Parameters<ReceiptBook["request"]>[0]): ReturnType<ReceiptBook["request"]> {
    return this.#guarded(async () => (await this.#open()).consumer.request(subject), undefined);
  }

  countersign(
    ...[subject, answer]: Parameters<ReceiptBook["countersign"]>
  ): ReturnType<ReceiptBook["countersign"]> {
    return this.#guarded(
      async () => (await this.#open()).consumer.countersign(subject, answer),
      undefined,
    );
  }

  /**
   * The store itself, for receipts of leases, which it keeps beside the others.
   *
   * @throws {SeedmintError} `storage`
   */
  async store(): Promise<ReceiptStore> {
    return (await this.#open()).store;
  }

  async list(query: ReceiptQuery): Promise<readonly AnyReceiptView[]> {
    const { store, views } = await this.#open();
    return views.receiptViews(store, query);
  }

  async find(id: string): Promise<readonly ReceiptDetail[]> {
    const { store, views } = await this.#open();
    return views.receiptsOf(store, id);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#store?.[Symbol.dispose]();
    this.#store = undefined;
  }

  async #open(): Promise<Opened> {
    if (this.#clock.monotonicMs() >= this.#retryAtMs) {
      this.#opening = undefined;
      this.#retryAtMs = Infinity;
    }
    return await (this.#opening ??= this.#openStore().catch((error) => {
      this.#retryAtMs = this.#clock.monotonicMs() + RETRY_MS;
      throw error;
    }));
  }

  async #openStore(): Promise<Opened> {
    const { ConsumerReceipts, ProviderReceipts, ReceiptStore } = await import(
      "../../../trust/mod.ts"
    );
    const views = await import("./receipt_views.ts");
    if (this.#isClosed) throw new Error("the node is stopping");
    const { dataDirectory, identity, wallet } = this.#options;
    const store = this.#store = ReceiptStore.open(join(dataDirectory, "receipts.sqlite"));
    const common = {
      store,
      signer: { secretKey: identity.nostrSecret, publishes: false },
      peerId: identity.peerId,
      clock: this.#clock,
      random: systemRandom,
    };
    return {
      store,
      views,
      provider: new ProviderReceipts({
        ...common,
        // deno-lint-ignore require-await
        books: { delivered: async (...about) => wallet()?.deliveredTo(...about) },
      }),
      consumer: new ConsumerReceipts({
        ...common,
        // deno-lint-ignore require-await
        books: { paid: async (...about) => wallet()?.paidTo(...about) },
      }),
    };
  }

  async #guarded<T>(task: () => Promise<T>, without: T): Promise<T> {
    try {
      return await task();
    } catch (error) {
      this.#options.log("warning", "a receipt cannot be had", { error: messageOf(error) });
      return without;
    }
  }
}
