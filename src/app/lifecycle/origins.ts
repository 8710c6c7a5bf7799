/** The origin of one fetch: what it is sent, who pays it, and whether the fleet reads it together. */
import { isSeedmintError, messageOf } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { Cascade } from "../../../swarm/cascade/mod.ts";
import type { HttpOriginOptions } from "../../../swarm/origin/mod.ts";
import type { Origin, Source, SourceFetch } from "../../../swarm/ports.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { TransferRequest } from "../api/transfers.ts";
import type { Log } from "../log.ts";
import { paymentRequests } from "./gateway.ts";
import type { FetchPayer } from "./paying.ts";

/** What {@link originsOf} needs. */
export interface OriginsOptions {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Reads origins once for the fleet; absent without one. */
  readonly cascade?: () => Promise<Cascade>;
  readonly log: Log;
}

/** The origin of one fetch. */
export interface FetchOrigins {
  originOf(url: string): Origin;
  /** How a fetch asks one of them. */
  sourceOf(origin: Origin): Source;
}

/**
 * How the origin of `request` is asked; undefined when none is to be. It is paid as peers are, and all
 * URLs of one transfer out of one purse: what is left of a token pays for the next one too.
 */
export async function originsOf(
  request: TransferRequest,
  options: OriginsOptions,
): Promise<((payer: FetchPayer | undefined) => FetchOrigins) | undefined> {
  if (request.origin === undefined || request.policy === "swarm-only") return undefined;
  const { HttpOrigin, OriginPayments, OriginSource } = await import(
    "../../../swarm/origin/mod.ts"
  );
  const { headers } = request.origin;
  const { store, clock, random } = options;
  const { hash: subject, payment } = request;
  const requests = payment === undefined ? undefined : await paymentRequests();
  const satMax = payment?.budgetSat;
  const cascade = isForFleet(request) ? await opened(options) : undefined;
  const common = { clock, ...(headers === undefined ? {} : { headers }) };
  return (payer) => {
    const pay: HttpOriginOptions["pay"] = payer === undefined || requests === undefined
      ? undefined
      : new OriginPayments({
        payer,
        requests,
        subject,
        random,
        ...(satMax === undefined ? {} : { satMax }),
      });
    /** For the fleet nobody pays. */
    const free = new Map<Origin, Origin>();
    return {
      originOf: (url) => {
        if (pay === undefined) return new HttpOrigin({ ...common, url });
        const origin = new HttpOrigin({ ...common, url, pay });
        free.set(origin, new HttpOrigin({ ...common, url }));
        return origin;
      },
      sourceOf: (origin) => {
        const alone = new OriginSource({ origin, store });
        if (cascade === undefined) return alone;
        const unpaid = free.get(origin);
        const shared = cascade.sourceOf(unpaid ?? origin);
        return unpaid === undefined ? shared : new FreeFirst(shared, alone);
      },
    };
  };
}

/** An origin that the fleet reads together, unless it wants money: then this node buys for itself. */
class FreeFirst implements Source {
  readonly kind = "origin";
  readonly id: string;
  readonly #shared: Source;
  readonly #paid: Source;
  #isPriced = false;

  constructor(shared: Source, paid: Source) {
    this.id = paid.id;
    this.#shared = shared;
    this.#paid = paid;
  }

  async fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }> {
    if (!this.#isPriced) {
      try {
        return await this.#shared.fetch(request);
      } catch (error) {
        if (request.signal.aborted || !isSeedmintError(error, "payment-required")) throw error;
        this.#isPriced = true;
      }
    }
    return await this.#paid.fetch(request);
  }
}

/** Whether members may learn of what is fetched: what only this node's login gives is its own. */
function isForFleet({ origin, attributes }: TransferRequest): boolean {
  const { url, headers = {} } = origin!;
  if (attributes.visibility === "private" || Object.keys(headers).length > 0) return false;
  const { username, password } = new URL(url);
  return username === "" && password === "";
}

/** A cascade that cannot be had keeps nobody from the origin. */
async function opened({ cascade, log }: OriginsOptions): Promise<Cascade | undefined> {
  try {
    return await cascade?.();
  } catch (error) {
    log("warning", "the origin is asked alone", { error: messageOf(error) });
    return undefined;
  }
}
