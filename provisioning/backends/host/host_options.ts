/** How leases on this machine are run. */
import type { Clock, Random } from "../../../src/core/ports.ts";
import type { UnpackOptions } from "../../unpack/mod.ts";

/** How leases on this machine are run. */
export interface HostOptions {
  /** All that is kept; its path may hold letters, digits and `/._-` only. */
  readonly stateDir: string;
  /** Where lessees connect. */
  readonly publicHost: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Resolvers of names, on public addresses: leases reach no others. */
  readonly nameServers?: readonly string[];
  /** Of one lease, each way. @default {BANDWIDTH_BYTES_PER_S} */
  readonly bandwidthBytesPerS?: number;
  /** The largest image, unpacked. @default {IMAGE_BYTES_MAX} */
  readonly imageBytesMax?: number;
  /**
   * Images that leases are about to start on, beside those that they stand on: all others go when the disk
   * is nearly full. Without it, none goes by itself.
   */
  readonly keptImages?: () => ReadonlySet<string>;
  /** How the disk is looked at while an image is unpacked. @default {diskOf} */
  readonly disk?: UnpackOptions["disk"];
}
