/** How fast a node sends to peers: the rate of the whole node is one, whichever protocol sends. */
import type { Clock } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import type { UploadPace } from "../../../swarm/cascade/mod.ts";
import {
  BURST_BYTES_MIN,
  BURST_SECONDS,
  SLICE_BYTES_MIN,
  SLICE_SECONDS,
} from "../../../swarm/provider/limits.ts";
import type { Config } from "../config/settings.ts";

/** Members whose rate is remembered. */
const PEERS_MAX = 1_024;

/** The settings for uploads as a pace. */
export class UploadLimits implements UploadPace {
  /** The whole node's, which its provider shares; undefined without a limit. */
  readonly all: TokenBucket | undefined;
  readonly sliceBytes: number;
  readonly #perPeer: number;
  readonly #clock: Clock;
  readonly #peers = new Map<string, TokenBucket>();

  constructor(config: Pick<Config, "uploadRate" | "uploadRateAll">, clock: Clock) {
    this.#clock = clock;
    this.#perPeer = config.uploadRate;
    this.all = config.uploadRateAll > 0 ? this.#bucket(config.uploadRateAll) : undefined;
    const rates = [config.uploadRate, config.uploadRateAll].filter((rate) => rate > 0);
    this.sliceBytes = Math.max(SLICE_BYTES_MIN, Math.floor(Math.min(...rates) * SLICE_SECONDS));
  }

  take(peerId: string, bytes: number): number {
    return Math.max(this.all?.take(bytes) ?? 0, this.#of(peerId)?.take(bytes) ?? 0);
  }

  #of(peerId: string): TokenBucket | undefined {
    if (this.#perPeer <= 0) return undefined;
    const bucket = this.#peers.get(peerId) ?? this.#bucket(this.#perPeer);
    this.#peers.delete(peerId);
    this.#peers.set(peerId, bucket);
    if (this.#peers.size > PEERS_MAX) this.#peers.delete(this.#peers.keys().next().value!);
    return bucket;
  }

  #bucket(perSecond: number): TokenBucket {
    const burst = Math.max(BURST_BYTES_MIN, perSecond * BURST_SECONDS);
    return new TokenBucket({ perSecond, burst, clock: this.#clock });
  }
}
