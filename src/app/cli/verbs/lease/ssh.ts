/** `ssh`: logs in to a lease, its host key pinned. */
import { join } from "node:path";
import { messageOf, SeedmintError } from "../../../../core/errors.ts";
import { fingerprintOf } from "../../../../../provisioning/ssh/mod.ts";
import type { LeaseView } from "../../../api/lease_methods.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { cannot, named } from "./support.ts";
import {
  knownHostsLine,
  scanArguments,
  shellLine,
  sshArguments,
  type SshTarget,
  sshTargetOf,
} from "./ssh_line.ts";

/** Times that the host key is asked for: a host on the way to being ready may refuse the first. */
const SCAN_COUNT = 3;
/** Exit code of ssh itself, and ours where it cannot be run. */
const EXIT_MAX = 255;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, operands, config } = context;
  const [name, ...command] = operands as [string, ...string[]];
  const target = sshTargetOf(await leaseOf(context, name));
  const knownHosts = join(config.values.data, "ssh", `${target.alias}.known_hosts`);
  await Deno.mkdir(join(config.values.data, "ssh"), { recursive: true, mode: 0o700 });
  const isPinned = await pin(context, target, knownHosts);
  if (!isPinned) {
    out.note("note: this provider told no host key: the first one that answers is kept");
  }
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  const args = sshArguments(target, { knownHosts, isPinned, command, isTerminal });
  if (context.has("print")) {
    if (out.json) out.object({ program: "ssh", args, knownHosts, isPinned });
    else out.line(shellLine("ssh", args));
    return 0;
  }
  const env = target.password === undefined
    ? {}
    : await askingFor(target.password, join(config.values.data, "ssh"));
  return await runSsh(context, args, env);
}

/** The program that ssh asks for the password, instead of the terminal. @returns Its environment. */
async function askingFor(password: string, folder: string): Promise<Record<string, string>> {
  const path = join(folder, "askpass");
  const script = `#!/bin/sh\nprintf '%s\\n' "$SEEDMINT_LEASE_PASSWORD"\n`;
  await Deno.writeTextFile(path, script, { mode: 0o700 });
  return {
    SSH_ASKPASS: path,
    SSH_ASKPASS_REQUIRE: "force",
    SEEDMINT_LEASE_PASSWORD: password,
  };
}

/** The lease as it is known here; its provider is asked when that does not say where SSH is. */
async function leaseOf(context: VerbContext, name: string): Promise<LeaseView> {
  const { signal } = context;
  await using node = await openNode(context, "relays");
  const { leases } = await node.call("lease.ls", { all: true }, { signal });
  const lease = named(context, leases, name);
  if (lease.state !== "active" || lease.sshHost !== null) return lease;
  return await node.call("lease.status", { lease: lease.id }, { signal });
}

/** Writes down the host key that the provider promised. @returns Whether one is known now. */
async function pin(
  context: VerbContext,
  target: SshTarget,
  path: string,
): Promise<boolean> {
  const { fingerprint, alias } = target;
  if (fingerprint === undefined) return false;
  const wanted = { alias, fingerprint };
  const kept = await Deno.readTextFile(path).catch(() => "");
  if (knownHostsLine(kept, wanted, fingerprintOf) !== undefined) return true;
  let seen = "";
  for (let count = 0; count < SCAN_COUNT; count++) {
    context.signal.throwIfAborted();
    seen = await scan(context, target);
    const line = knownHostsLine(seen, wanted, fingerprintOf);
    if (line === undefined && seen.trim() !== "") break;
    if (line === undefined) continue;
    await Deno.writeTextFile(path, `${line}\n`, { mode: 0o600 });
    return true;
  }
  if (seen.trim() === "") {
    throw cannot(context, `${target.host} port ${target.port} does not answer; see status`);
  }
  throw new SeedmintError(
    "denied",
    `Cannot log in: the host key at ${target.host} port ${target.port} is not ${fingerprint}, which the ` +
      "provider promised; somebody is in between, or it is another machine. Nothing was sent.",
  );
}

async function scan(context: VerbContext, target: SshTarget): Promise<string> {
  const { stdout } = await runProgram("ssh-keyscan", () =>
    new Deno.Command("ssh-keyscan", {
      args: scanArguments(target),
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: context.signal,
    }).output());
  return new TextDecoder().decode(stdout);
}

async function runSsh(
  context: VerbContext,
  args: readonly string[],
  env: Record<string, string>,
): Promise<number> {
  const { code } = await runProgram("ssh", async () => {
    const child = new Deno.Command("ssh", {
      args: [...args],
      env,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    // Ctrl-C goes to the whole group: ssh decides what it means there.
    const onAbort = () => end(child);
    context.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await child.status;
    } finally {
      context.signal.removeEventListener("abort", onAbort);
    }
  });
  return Math.min(EXIT_MAX, code);
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended in the meantime.
  }
}

/** Explains why a program did not start. */
async function runProgram<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new SeedmintError(
        "unavailable",
        `Cannot run ${name}: it is not installed; on Debian it is in openssh-client`,
      );
    }
    if (error instanceof Deno.errors.NotCapable) {
      throw new SeedmintError(
        "usage",
        `Cannot run ${name}: ${
          messageOf(error)
        }; allow it with --allow-run=ssh,ssh-keyscan, or see what ` +
          "to run with --print",
      );
    }
    throw error;
  }
}
