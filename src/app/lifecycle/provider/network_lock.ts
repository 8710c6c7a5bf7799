/**
 * One provider in each network namespace: links, addresses and packet rules of leases are named by their
 * ports, so that two would take down what the other one put up.
 */
import { isSeedmintError, SeedmintError } from "../../../core/errors.ts";
import { ProcessLock } from "../../../sqlite/mod.ts";
import type { Config } from "../../config/settings.ts";
import { isRemote } from "./backend.ts";

/** Of root alone, as lending is: nobody else can hold the lock to keep a provider from lending. */
const FOLDER = "/run";

/**
 * Takes the network for leases until it is disposed of, or this process dies.
 *
 * @param folder Where the lock is kept, the same for all namespaces of a machine.
 * @throws {SeedmintError} `locked` if another provider has it.
 */
export function lockNetwork(
  config: Pick<Config, "providerBackend">,
  folder: string = FOLDER,
): Disposable {
  // Other machines have networks of their own, and engines of this one run on Linux alone.
  if (isRemote(config) || Deno.build.os !== "linux") return { [Symbol.dispose]: () => {} };
  // As in net:[4026531840].
  const [, namespace] = /^net:\[(\d+)\]$/.exec(Deno.readLinkSync("/proc/self/ns/net")) ?? [];
  try {
    return ProcessLock.take(`${folder}/seedmint-lending-${namespace}.lock`, "the network");
  } catch (error) {
    if (!isSeedmintError(error, "locked")) throw error;
    throw new SeedmintError(
      "locked",
      "Cannot lend compute: another provider lends in this network, and the two would take down each " +
        "other's leases; stop that one (provider stop), or give this one a network namespace of its own " +
        "(ip netns add NAME, ip netns exec NAME …)",
      { retryable: true, cause: error },
    );
  }
}
