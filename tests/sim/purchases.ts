/** What one simulated fetch bought, and whether it bought anything twice. */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../swarm/bao/geometry.ts";
import type { SourceModel } from "./swarm_model.ts";

const MIB = 1024 * 1024;

/** See the head of this file. */
export class Purchases {
  readonly #bytes = new Map<string, number>();
  readonly #groups = new Map<string, RangeSet>();
  #msat = 0;
  #twiceBytes = 0;

  /** Bytes that a source sent and charges for. */
  sent(model: SourceModel, bytes: number): void {
    const price = model.priceMsatPerMiB ?? 0;
    if (price === 0 || bytes === 0) return;
    this.#bytes.set(model.id, (this.#bytes.get(model.id) ?? 0) + bytes);
    this.#msat += (bytes * price) / MIB;
  }

  /** Groups that a source sent and that verified. */
  verified(model: SourceModel, groups: RangeSet): void {
    if ((model.priceMsatPerMiB ?? 0) === 0) return;
    this.sent(model, groups.count * GROUP_BYTES);
    for (const [id, others] of this.#groups) {
      if (id !== model.id) this.#twiceBytes += groups.intersect(others).count * GROUP_BYTES;
    }
    const own = this.#groups.get(model.id) ?? RangeSet.EMPTY;
    this.#groups.set(model.id, own.union(groups));
  }

  result() {
    return {
      boughtBySource: this.#bytes,
      paidMsat: Math.ceil(this.#msat),
      paidTwiceBytes: this.#twiceBytes,
    };
  }
}
