/**
 * One provider in each network namespace: links, addresses and packet rules of leases are named by their
 * ports, so that two would take down what the other one put up.
 */
import { SeedmintError } from "../../../core/errors.ts";
import type { Config } from "../../config/settings.ts";
import { isRemote } from "./backend.ts";

/** An abstract socket (unix(7)): the kernel keeps one of a name in each network namespace. */
const NAME = "\0seedmint-lending";

/**
 * Takes the network for leases until it is disposed of, or this process dies.
 *
 * @throws {SeedmintError} `locked` if another provider has it.
 */
export function lockNetwork(
  config: Pick<Config, "providerBackend">,
  name: string = NAME,
): Disposable {
  // Other machines have networks of their own, and engines of this one run on Linux alone.
  if (isRemote(config) || Deno.build.os !== "linux") return { [Symbol.dispose]: () => {} };
  try {
    const listener = Deno.listen({ transport: "unix", path: name });
    return { [Symbol.dispose]: () => listener.close() };
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new SeedmintError(
      "locked",
      "Cannot lend compute: another provider lends in this network, and the two would take down each " +
        "other's leases; stop that one (provider stop), or give this one a network namespace of its own " +
        "(ip netns add NAME, ip netns exec NAME …)",
      { retryable: true, cause: error },
    );
  }
}
