/**
 * The host's own firewall. That our rules accept a packet ends nothing: it passes all other chains of its
 * hook, too. Docker and ufw drop there what they do not know, so what goes over leases' links is
 * accepted in each chain that would drop it. What may go over them is still our own rules' to say.
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import { isThere, mustRun, readIfThere, runCommand } from "../../machine/mod.ts";
import { DEVICE_PREFIX } from "./network_rules.ts";
import type { ForwardChain, NetworkState } from "./network_state.ts";

/** What our rules in others' chains are known by. */
const MARK = "seedmint-leases";

/** Of each: what comes from leases, and what goes to them. */
const MATCHES = [`iifname "${DEVICE_PREFIX}*"`, `oifname "${DEVICE_PREFIX}*"`];

/** The older iptables, which nft does not see; the kernel tells whether its filter is in use. */
const LEGACY_TABLES = "/proc/net/ip_tables_names";
const LEGACY_PROGRAMS = ["iptables-legacy", "iptables"];

/**
 * Lets packets of leases through all chains that drop what they do not know.
 *
 * @returns Names of the chains in which something had to be done.
 * @throws {SeedmintError} `unavailable` if a firewall takes no rule of ours.
 */
export async function openFirewall(state: NetworkState): Promise<readonly string[]> {
  const opened: string[] = [];
  for (const chain of state.forwardChains) {
    if (!chain.isClosed || (await handlesIn(chain)).length >= MATCHES.length) continue;
    const rules = MATCHES.map((match) =>
      `insert rule ${placeOf(chain)} ${match} counter accept comment "${MARK}"\n`
    );
    try {
      await mustRun(["nft", "-f", "-"], { input: rules.join("") });
    } catch (error) {
      throw new SeedmintError(
        "unavailable",
        `Cannot let leases through the firewall: its chain ${
          placeOf(chain)
        } drops what it does not ` +
          `know, and takes no rule of ours; let it accept ${MATCHES.join(" and ")}`,
        { cause: error, retryable: true },
      );
    }
    opened.push(placeOf(chain));
  }
  const program = await legacyProgram();
  if (program === undefined) return opened;
  if (!/^-P FORWARD DROP$/m.test(await mustRun([program, "-w", "-S", "FORWARD"]))) return opened;
  let isNew = false;
  for (const rule of LEGACY_RULES) {
    if ((await runCommand([program, "-w", "-C", ...rule])).exitCode === 0) continue;
    await mustRun([program, "-w", "-I", ...rule]);
    isNew = true;
  }
  return isNew ? [...opened, `${program} FORWARD`] : opened;
}

/** Takes all back that {@link openFirewall} did; fine when there is nothing. */
export async function closeFirewall(state: NetworkState): Promise<void> {
  for (const chain of state.forwardChains) {
    const handles = await handlesIn(chain);
    if (handles.length === 0) continue;
    const input = handles.map((handle) => `delete rule ${placeOf(chain)} handle ${handle}\n`);
    await mustRun(["nft", "-f", "-"], { input: input.join("") });
  }
  const program = await legacyProgram();
  if (program === undefined) return;
  for (const rule of LEGACY_RULES) await runCommand([program, "-w", "-D", ...rule]);
}

const LEGACY_RULES: readonly (readonly string[])[] = ["-i", "-o"].map((direction) => [
  "FORWARD",
  ...[direction, `${DEVICE_PREFIX}+`],
  ...["-m", "comment", "--comment", MARK, "-j", "ACCEPT"],
]);

function placeOf({ family, table, name }: ForwardChain): string {
  return `${family} ${table} ${name}`;
}

/** The rules of ours in a chain, by the numbers that the kernel gave them. */
async function handlesIn(chain: ForwardChain): Promise<string[]> {
  const { family, table, name } = chain;
  const text = await mustRun(["nft", "-a", "list", "chain", family, table, name]);
  return [...text.matchAll(new RegExp(`comment "${MARK}" # handle (\\d+)$`, "gm"))]
    .map(([, handle]) => handle!);
}

/** The program for the older filter, where that is in use. */
async function legacyProgram(): Promise<string | undefined> {
  const names = await readIfThere(LEGACY_TABLES).catch(() => undefined);
  if (!/^filter$/m.test(names ?? "")) return undefined;
  for (const program of LEGACY_PROGRAMS) {
    for (const folder of ["/usr/sbin", "/sbin", "/usr/bin"]) {
      if (await isThere(`${folder}/${program}`)) return `${folder}/${program}`;
    }
  }
  return undefined;
}
