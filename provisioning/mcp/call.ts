/** One call of a tool: whose it is, and what it may spend and see. */
import { createHash } from "node:crypto";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { AgentDesk, AgentLease, AgentWork, LeasePayment } from "./agent_desk.ts";
import type { AgentLedger, AgentLimits } from "./ledger.ts";
import { MCP_LIMITS } from "./limits.ts";

/** Who calls. */
export interface Agent {
  /** For the ledger: a Nostr key, 64 hex digits, or `local`. */
  readonly name: string;
  /** Whether it is elsewhere: then it sees only leases that it began, and nothing of this machine. */
  readonly isRemote: boolean;
}

/** What a tool gets. */
export interface ToolCall {
  readonly agent: Agent;
  readonly desk: AgentDesk;
  readonly ledger: AgentLedger;
  readonly limits: AgentLimits;
  readonly clock: Clock;
  readonly work: AgentWork;
  /** Of this call; an agent's own goes before it. */
  readonly callId: string;
}

/** Failures before which no money can have moved. */
const UNSPENT: ReadonlySet<string> = new Set(["usage", "not-found", "payment-required"]);

/**
 * Does `work`, which may cost up to what `payment` says and fees. A token of the agent's own is none of
 * our money.
 *
 * @throws {SeedmintError} `denied` if it is above a limit.
 */
export async function spend<T extends { readonly costSat: number }>(
  call: ToolCall,
  order: {
    readonly tool: string;
    readonly requestId: string;
    readonly payment: LeasePayment;
  },
  work: () => Promise<T>,
): Promise<T> {
  if ("token" in order.payment) return await work();
  const { agent, ledger, desk, limits, clock } = call;
  const { requestId, tool, payment: { budgetSat } } = order;
  const sat = budgetSat + desk.feeMaxSat(budgetSat);
  const beforeSat = ledger.countedSat(agent.name, requestId);
  const refusal = ledger.reserve(
    { agent: agent.name, requestId, tool, sat },
    limits,
    clock.nowMs(),
  );
  if (refusal !== undefined) throw new SeedmintError("denied", refusal);
  try {
    const done = await work();
    ledger.settle(agent.name, requestId, done.costSat);
    return done;
  } catch (error) {
    // Whatever is not clear stays counted: a lease may have begun all the same.
    // What the same request spent when it was made before stays spent.
    if (isSeedmintError(error) && UNSPENT.has(error.code)) {
      ledger.settle(agent.name, requestId, beforeSat);
    }
    throw error;
  }
}

/**
 * The id by which the node knows a request. Who names an id of its own elsewhere names none of another
 * agent's, nor of the owner's: the same request is the same lease, with all that is on it. What is longer
 * than the node takes, as the ids of events are, is hashed, too.
 */
export function nodeIdOf({ agent, callId }: ToolCall, given: string | undefined): string {
  const id = given ?? callId;
  const isOurs = given === undefined || !agent.isRemote;
  if (isOurs && id.length <= MCP_LIMITS.nodeIdCharsMax) return id;
  const hash = createHash("sha256").update(`seedmint/agent-request/1\0${agent.name}\0${id}`);
  return hash.digest("hex").slice(0, 32);
}

/** Whether the agent may know of a lease: elsewhere only of those it asked for, whoever waited for them. */
export function mayKnow({ agent, ledger }: ToolCall, { requestId }: AgentLease): boolean {
  return !agent.isRemote || (requestId !== undefined && ledger.owns(agent.name, requestId));
}

/** A lease that the agent may know of. @throws {SeedmintError} `not-found` */
export async function leaseOf(call: ToolCall, name: string): Promise<AgentLease> {
  const { agent, desk, work } = call;
  let lease: AgentLease | undefined;
  try {
    lease = await desk.find(name, work);
  } catch (error) {
    const isOther = isSeedmintError(error, "not-found") || isSeedmintError(error, "usage");
    if (!isOther || !agent.isRemote) throw error;
  }
  if (lease !== undefined && mayKnow(call, lease)) return lease;
  // The same words whether there is none or it is another's.
  throw new SeedmintError("not-found", "There is no such lease of yours; see list_leases");
}

/** What an agent is told of a lease. */
export function leaseMembers(call: ToolCall, lease: AgentLease): Record<string, unknown> {
  const { identityFile, ...shown } = lease.members;
  return call.agent.isRemote || identityFile === undefined
    ? { ...shown }
    : { ...shown, identityFile };
}
