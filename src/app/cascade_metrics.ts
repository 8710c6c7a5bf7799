/** What is counted of what a fleet reads together. */
import type { CascadeFigures } from "../../swarm/cascade/mod.ts";
import { Counter, Gauge, type Registry } from "./prometheus.ts";

/** Shows the figures of the cascade, read for each scrape; nothing while it is not open. */
export function cascadeNumbers(
  registers: Registry[],
  figures: () => CascadeFigures | undefined,
): void {
  new Counter({
    name: "seedmint_cascade_bytes_total",
    help:
      "Bytes of what a fleet reads together: from the origin, from members, and sent to members",
    labelNames: ["way"],
    registers,
    collect() {
      this.reset();
      const now = figures();
      if (now === undefined) return;
      this.inc({ way: "origin" }, now.upstreamBytes);
      this.inc({ way: "members" }, now.memberBytes);
      this.inc({ way: "sent" }, now.sentBytes);
    },
  });
  new Gauge({
    name: "seedmint_cascade_under_way",
    help: "Blobs that this node brings in with its fleet now",
    registers,
    collect() {
      this.set(figures()?.underWayCount ?? 0);
    },
  });
}
