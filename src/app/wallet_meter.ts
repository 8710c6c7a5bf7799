/**
 * Watches the wallet for the metrics: requests to mints, and operations that ended. Of a request it
 * keeps the mint, the endpoint without what may be a quote id, and the class of the answer.
 */
import type { Clock } from "../core/ports.ts";
import type { WalletEvent } from "../../wallet/operations/saga.ts";
import type { WalletApi } from "../../wallet/wallet_api.ts";
import type { EndedMetric, MintRequestMetric } from "./metrics.ts";

/** Where the numbers go. */
export interface WalletMetrics {
  mintAsked(event: MintRequestMetric): void;
  walletEnded(event: EndedMetric): void;
}

/** Ended operations remembered, so that each counts once. */
const ENDED_MAX = 10_000;

const ENDPOINTS = ["info", "keys", "keysets", "mint", "melt", "swap", "checkstate", "restore"];

/** See the head of this file. */
export class WalletMeter {
  readonly #metrics: WalletMetrics;
  readonly #wallet: () => WalletApi | undefined;
  readonly #clock: Clock;
  readonly #ended = new Set<string>();

  constructor(
    options: {
      readonly metrics: WalletMetrics;
      readonly wallet: () => WalletApi | undefined;
      readonly clock: Clock;
    },
  ) {
    this.#metrics = options.metrics;
    this.#wallet = options.wallet;
    this.#clock = options.clock;
  }

  /** `fetch`, watched. */
  readonly fetch: typeof fetch = async (input, init) => {
    const startMs = this.#clock.monotonicMs();
    let result = "none";
    try {
      const response = await fetch(input, init);
      result = response.status === 429 ? "429" : `${Math.floor(response.status / 100)}xx`;
      return response;
    } finally {
      const url = new URL(input instanceof Request ? input.url : input);
      const ms = this.#clock.monotonicMs() - startMs;
      this.#metrics.mintAsked({ ...placeOf(url), result, ms });
    }
  };

  /** Counts the operation of an event if it has just ended. */
  heard({ event, operationId }: WalletEvent): void {
    if (event !== "operation" || operationId === undefined) return;
    this.#wallet()?.operation(operationId).then(({ kind, status, feeSat }) => {
      if ((status !== "done" && status !== "failed") || this.#ended.has(operationId)) return;
      if (this.#ended.size >= ENDED_MAX) this.#ended.clear();
      this.#ended.add(operationId);
      this.#metrics.walletEnded({ kind, status, feeSat });
    }).catch(() => {
      // The wallet is closing: what is not counted now is not lost, it is in the journal.
    });
  }
}

function placeOf(url: URL): Pick<MintRequestMetric, "mint" | "endpoint"> {
  const at = url.pathname.lastIndexOf("/v1/");
  // Whoever a Lightning address names is nobody's label.
  if (at < 0) return { mint: "none", endpoint: "other" };
  const [first = "", second] = url.pathname.slice(at + "/v1/".length).split("/");
  const endpoint = ENDPOINTS.includes(first) ? first : "other";
  return {
    mint: `${url.host}${url.pathname.slice(0, at)}`,
    endpoint: second === "quote" ? `${endpoint}/quote` : endpoint,
  };
}
