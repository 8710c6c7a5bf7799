/** What a provider needs of SSH, by `provisioning/ssh`. */
import type { Clock, Random } from "../../src/core/ports.ts";
import { awaitBanner, makeHostKey } from "../ssh/mod.ts";
import type { SshKit } from "./context.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** Host keys and banners for real. */
export function sshKit(options: { readonly clock: Clock; readonly random: Random }): SshKit {
  return {
    newHostKey: () => makeHostKey(options.random),
    awaitBanner: async (address, { signal }) => {
      await awaitBanner(address, {
        clock: options.clock,
        signal,
        withinMs: PROVIDER_LIMITS.readyWithinMs,
      });
    },
  };
}
