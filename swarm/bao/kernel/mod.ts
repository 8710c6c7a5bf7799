/**
 * The BLAKE3 kernel: chaining values of chunk groups and parents, as fast as one core gives them.
 *
 * May import: `swarm/bao/geometry.ts` and nothing else.
 */
export { CV_BYTES, type Kernel } from "./kernel.ts";
export { plainKernel as kernel } from "./plain_kernel.ts";
