/** What still fits, and which ports are free: pure. */
import type { Resources } from "../ports.ts";

/** Nothing. */
export const NO_RESOURCES: Resources = { cpuMillicores: 0, memoryMb: 0, diskMb: 0 };

/** Both together. */
export function sumOf(a: Resources, b: Resources): Resources {
  return {
    cpuMillicores: a.cpuMillicores + b.cpuMillicores,
    memoryMb: a.memoryMb + b.memoryMb,
    diskMb: a.diskMb + b.diskMb,
  };
}

/** What is left of `total`; never below nothing, since a machine may have shrunk. */
export function leftOf(total: Resources, taken: Resources): Resources {
  return {
    cpuMillicores: Math.max(0, total.cpuMillicores - taken.cpuMillicores),
    memoryMb: Math.max(0, total.memoryMb - taken.memoryMb),
    diskMb: Math.max(0, total.diskMb - taken.diskMb),
  };
}

/** The smaller of each. */
export function leastOf(a: Resources, b: Partial<Resources>): Resources {
  return {
    cpuMillicores: Math.min(a.cpuMillicores, b.cpuMillicores ?? Infinity),
    memoryMb: Math.min(a.memoryMb, b.memoryMb ?? Infinity),
    diskMb: Math.min(a.diskMb, b.diskMb ?? Infinity),
  };
}

/** Whether `wanted` fits into `free`. */
export function fits(wanted: Resources, free: Resources): boolean {
  return wanted.cpuMillicores <= free.cpuMillicores && wanted.memoryMb <= free.memoryMb &&
    wanted.diskMb <= free.diskMb;
}

/** Host ports that may be given out, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * `count` free ports, the one after `lastGiven` first: whoever still connects to a port that was freed a
 * moment ago shall not find another's lease there.
 *
 * @returns undefined if there are not enough.
 */
export function pickPorts(
  range: PortRange,
  options: {
    readonly count: number;
    readonly isTaken: (port: number) => boolean;
    readonly lastGiven: number;
  },
): readonly number[] | undefined {
  const size = range.last - range.first + 1;
  const isInside = options.lastGiven >= range.first && options.lastGiven <= range.last;
  const start = isInside ? options.lastGiven - range.first + 1 : 0;
  const picked: number[] = [];
  for (let step = 0; step < size && picked.length < options.count; step++) {
    const port = range.first + (start + step) % size;
    if (!options.isTaken(port)) picked.push(port);
  }
  return picked.length === options.count ? picked : undefined;
}
