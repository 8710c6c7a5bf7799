/** `mcp`: serves agents over stdio, or over Nostr. */
import { join } from "node:path";
import { deriveKey } from "../../../core/keys.ts";
import { SeedmintError } from "../../../core/errors.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import {
  type Agent,
  AgentLedger,
  agentServer,
  type AgentServerOptions,
  CONTEXT_VM_LIMITS,
  ContextVm,
  serveStdio,
} from "../../../../provisioning/mcp/mod.ts";
import { openDataDirectory, seedWords } from "../../identity.ts";
import { NodeAgentDesk, NodeUse } from "../../mcp/mod.ts";
import { VERSION } from "../../version.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** The user's own agent, on this machine. */
const LOCAL: Agent = { name: "local", isRemote: false };

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { config: { values: config }, signal } = context;
  await openDataDirectory(config.data);
  using ledger = AgentLedger.open(join(config.data, "agents.sqlite"));
  ledger.prune(systemClock.nowMs());
  await using nodes = new NodeUse({
    open: () => openNode(context, "network"),
    clock: systemClock,
  });
  const options: AgentServerOptions = {
    desk: new NodeAgentDesk({ use: nodes.use, feeLimit: config.paymentFeeMax }),
    ledger,
    limits: { perCallSat: config.mcpBudget, perDaySat: config.mcpBudgetDay },
    version: VERSION,
    clock: systemClock,
    random: systemRandom,
    onProblem: (message) => context.out.error(`problem: ${message}`),
  };
  if (context.has("nostr")) await serveNostr(context, options);
  // Nothing but the protocol goes to stdout from here.
  else await serveStdio(agentServer(LOCAL, options), { signal });
  return 0;
}

async function serveNostr(context: VerbContext, options: AgentServerOptions): Promise<void> {
  const { config: { values: config }, signal, out } = context;
  if (config.mcpAgent.length === 0) {
    throw usage("no agent is allowed: name its Nostr key with --mcp-agent");
  }
  if (config.relay.length === 0) throw usage("there is no relay: name one with --relay");
  const { npub, RelayPool, SqliteSeenIds } = await import("../../../nostr/mod.ts");
  const words = await seedWords({ directory: config.data, words: config.seed });
  const secretKey = deriveKey(words, "seedmint/mcp/secp256k1/v1");
  using seen = SqliteSeenIds.open(join(config.data, "agents_seen.sqlite"), {
    countMax: CONTEXT_VM_LIMITS.seenMax,
  });
  await using pool = new RelayPool({
    relays: config.relay,
    clock: systemClock,
    random: systemRandom,
    authSecretKey: secretKey,
  });
  await using server = ContextVm.start({
    pool,
    secretKey,
    allowed: config.mcpAgent,
    takesClear: config.mcpClear,
    seen,
    clock: systemClock,
    random: systemRandom,
    serve: (name) => agentServer({ name, isRemote: true }, options),
    onProblem: (message) => out.note(`note: ${message}`),
  });
  const { publicKey } = server;
  await Promise.race([server.ready, interrupted(signal)]);
  if (out.json) {
    out.object({ event: "ready", publicKey, npub: npub(publicKey), relays: pool.urls });
  } else {
    out.line(`Agents reach this server as ${npub(publicKey)} through ${pool.urls.join(", ")}`);
  }
  await interrupted(signal);
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function usage(why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot run mcp --nostr: ${why} (see mcp --help)`);
}
