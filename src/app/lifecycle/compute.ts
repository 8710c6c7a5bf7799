/** Compute of a node: what it rents, and what it lends. */
import { openRenting } from "./lessee/open.ts";
import type { LesseeHost } from "./lessee/host.ts";
import { openLending } from "./provider/open.ts";
import type { ProviderHost } from "./provider/host.ts";
import type { Role } from "./compose.ts";

/** Both sides. */
export interface ComputeParts {
  readonly leases: LesseeHost;
  /** Absent where nothing is served to others. */
  readonly provider?: ProviderHost;
}

/** Makes both hosts; each begins by itself where there is something to go on with. */
export function openCompute(
  options:
    & { readonly role: Role }
    & Parameters<typeof openRenting>[0]
    & Parameters<typeof openLending>[0],
): ComputeParts {
  const leases = openRenting(options);
  return options.role === "node" ? { leases, provider: openLending(options) } : { leases };
}

/** What does not work of it, in words. */
export function computeProblems({ leases, provider }: ComputeParts): readonly string[] {
  return [...leases.problems(), ...provider?.problems() ?? []];
}
