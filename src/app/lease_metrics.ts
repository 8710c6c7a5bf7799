/** What is counted of compute that is lent. */
import { Counter, Gauge, type Registry } from "./prometheus.ts";

/** How lending fares; no label is anybody's key. */
export interface LendingFigures {
  readonly isDraining: boolean;
  /** Whether leases can run on the engine now. */
  readonly isAble: boolean;
  readonly activeCount: number;
  readonly openCount: number;
  readonly completedCount: number;
  readonly earnedSat: number;
  /** For each tier, how many more there is room for. */
  readonly slots: readonly { readonly tier: string; readonly count: number }[];
  readonly total: Amounts;
  readonly free: Amounts;
  /** Ends of leases since the start, by reason. */
  readonly ended: ReadonlyMap<string, number>;
}

interface Amounts {
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
}

const MIB = 1024 * 1024;

/** Shows the figures, read for each scrape; nothing while nothing is lent. */
export function leaseNumbers(
  registers: Registry[],
  figures: () => LendingFigures | undefined,
): void {
  const gauge = (suffix: string, help: string, read: (now: LendingFigures) => number) =>
    new Gauge({
      name: `seedmint_lending_${suffix}`,
      help,
      registers,
      collect() {
        const now = figures();
        this.set(now === undefined ? 0 : read(now));
      },
    });
  gauge(
    "up",
    "Whether compute is lent: 1 when the engine can run leases",
    (now) => now.isAble && !now.isDraining ? 1 : 0,
  );
  gauge("leases_ready", "Leases whose paid time runs", ({ activeCount }) => activeCount);
  gauge("leases_open", "Leases that something will still happen to", ({ openCount }) => openCount);
  new Gauge({
    name: "seedmint_lending_slots",
    help: "Leases of each tier that there is room for",
    labelNames: ["tier"],
    registers,
    collect() {
      this.reset();
      for (const { tier, count } of figures()?.slots ?? []) this.set({ tier }, count);
    },
  });
  resourceGauge(registers, figures);
  const counter = (suffix: string, help: string, read: (now: LendingFigures) => number) =>
    new Counter({
      name: `seedmint_lending_${suffix}`,
      help,
      registers,
      collect() {
        this.reset();
        const now = figures();
        if (now !== undefined) this.inc(read(now));
      },
    });
  counter(
    "redeemed_sat_total",
    "Redeemed for leases, refunds not taken off",
    (now) => now.earnedSat,
  );
  counter("completed_total", "Leases delivered to their end", (now) => now.completedCount);
  new Counter({
    name: "seedmint_lending_ended_total",
    help: "Leases that ended since the start, by reason",
    labelNames: ["reason"],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of figures()?.ended ?? []) this.inc({ reason }, count);
    },
  });
}

function resourceGauge(registers: Registry[], figures: () => LendingFigures | undefined): void {
  new Gauge({
    name: "seedmint_lending_resources",
    help: "What leases may take in all, and what of it is free: cores, and bytes",
    labelNames: ["resource", "kind"],
    registers,
    collect() {
      this.reset();
      const now = figures();
      if (now === undefined) return;
      for (const [kind, amounts] of [["total", now.total], ["free", now.free]] as const) {
        this.set({ resource: "cores", kind }, amounts.cpuMillicores / 1000);
        this.set({ resource: "memory", kind }, amounts.memoryMb * MIB);
        this.set({ resource: "disk", kind }, amounts.diskMb * MIB);
      }
    },
  });
}
