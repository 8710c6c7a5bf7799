/** Tiers for who names none: those that providers of Paygress begin with. */
import type { Tier } from "./config/provider_values.ts";

/** From small to large. */
export const DEFAULT_TIERS: readonly Tier[] = [
  {
    id: "basic",
    name: "Basic",
    description: "1 core, 1 GiB of memory, 10 GiB of disk",
    cpuMillicores: 1000,
    memoryMb: 1024,
    diskMb: 10 * 1024,
    rateMsatPerS: 50,
  },
  {
    id: "standard",
    name: "Standard",
    description: "2 cores, 2 GiB of memory, 20 GiB of disk",
    cpuMillicores: 2000,
    memoryMb: 2048,
    diskMb: 20 * 1024,
    rateMsatPerS: 100,
  },
  {
    id: "premium",
    name: "Premium",
    description: "4 cores, 4 GiB of memory, 40 GiB of disk",
    cpuMillicores: 4000,
    memoryMb: 4096,
    diskMb: 40 * 1024,
    rateMsatPerS: 200,
  },
];

/** Those that a machine of this size can lend at all; the smallest when none fits. */
export function tiersThatFit(
  machine: { readonly cpuMillicores: number; readonly memoryMb: number; readonly diskMb: number },
): readonly Tier[] {
  const fitting = DEFAULT_TIERS.filter((tier) =>
    tier.cpuMillicores <= machine.cpuMillicores && tier.memoryMb <= machine.memoryMb &&
    tier.diskMb <= machine.diskMb
  );
  return fitting.length > 0 ? fitting : DEFAULT_TIERS.slice(0, 1);
}
