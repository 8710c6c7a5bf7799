/**
 * The BLAKE3 kernel: chaining values of chunk groups and parents, as fast as one core gives them.
 * Every thread that imports it has its own instance.
 *
 * May import: `swarm/bao/geometry.ts` and nothing else.
 */
import type { Kernel } from "./kernel.ts";
import { plainKernel } from "./plain_kernel.ts";
import { simdKernelOf } from "./simd_kernel.ts";

export { CV_BYTES, type Kernel, WINDOW_BYTES } from "./kernel.ts";

/** The fastest kernel that this machine runs: a processor without the vectors refuses the module. */
export const kernel: Kernel = await import("./kernel.wasm").then(simdKernelOf, () => plainKernel);
