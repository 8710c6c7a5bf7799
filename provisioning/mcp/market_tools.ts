/** Tools that look at the market, and those that pay. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { AgentLease, LeasePayment } from "./agent_desk.ts";
import type { Argument, Arguments, Values } from "./arguments.ts";
import { leaseMembers, leaseOf, nodeIdOf, spend, type ToolCall } from "./call.ts";
import { MCP_LIMITS } from "./limits.ts";
import {
  type AgentTool,
  BUDGET,
  DURATION,
  given,
  LEASE,
  PROVIDER,
  REQUEST_ID,
  TOKEN,
  tool,
} from "./tool.ts";

const OFFER_FILTER = {
  capability: { type: "string", charsMax: 64, description: "One that it must have, such as oci" },
  isolation: {
    type: "choice",
    values: ["shared-kernel", "dedicated-host", "attested-research-tier"],
    description: "How strongly leases are kept apart, at least",
  },
  cpu_millicores: { type: "integer", min: 1, max: 1e6, description: "At least so much processor" },
  memory_mb: { type: "integer", min: 1, max: 1e8, description: "At least so much memory, in MiB" },
  disk_mb: { type: "integer", min: 1, max: 1e9, description: "At least so much disk, in MiB" },
  location: { type: "string", charsMax: 64, description: "Beginning of its location, such as EU" },
  mint: { type: "string", charsMax: 512, description: "A mint that it must take" },
  min_uptime: { type: "integer", min: 0, max: 100, description: "Least uptime, in percent" },
  sort: {
    type: "choice",
    values: ["price", "score", "uptime", "capacity"],
    description: "What comes first (price unless given)",
  },
  include_offline: { type: "boolean", description: "Also those that gave no sign of life lately" },
  limit: {
    type: "integer",
    min: 1,
    max: MCP_LIMITS.offersMax,
    description: `At most so many (${MCP_LIMITS.offersShown})`,
  },
} as const satisfies Arguments;

/** Lists offers. */
export async function listOffers(
  values: Values<typeof OFFER_FILTER>,
  call: ToolCall,
): Promise<unknown> {
  const offers = await call.desk.offers(
    given({
      capability: values.capability,
      isolation: values.isolation,
      cpuMillicoresMin: values.cpu_millicores,
      memoryMbMin: values.memory_mb,
      diskMbMin: values.disk_mb,
      location: values.location,
      mint: values.mint,
      uptimePercentMin: values.min_uptime,
      sort: values.sort,
      withOffline: values.include_offline,
    }),
    call.work,
  );
  const limit = values.limit ?? MCP_LIMITS.offersShown;
  return {
    offers: offers.slice(0, limit),
    count: offers.length,
    shown: Math.min(limit, offers.length),
  };
}

const IMAGE = {
  type: "string",
  charsMax: 512,
  description: "Container image, by name and tag or better by digest (name@sha256:…)",
} as const satisfies Argument;

/** What a spawn takes. */
export const SPAWN = {
  image: { ...IMAGE, required: true },
  provider: PROVIDER,
  tier: {
    type: "string",
    charsMax: 128,
    description: "Tier of the offer; the cheapest by default",
  },
  duration_s: DURATION,
  budget_sat: BUDGET,
  token: TOKEN,
  ssh_public_key: {
    type: "string",
    charsMax: 8192,
    description:
      "Your OpenSSH public key, if you want to log in by yourself; lease_exec runs commands " +
      "without one",
  },
  ssh_user: {
    type: "string",
    charsMax: 64,
    description: "Name to log in with (root; most know no other)",
  },
  env: { type: "texts", countMax: 64, charsMax: 4096, description: "Environment variables" },
  ports: {
    type: "integers",
    countMax: 16,
    min: 1,
    max: 65_535,
    description: "TCP ports of the container to be reached from outside, besides SSH",
  },
  request_id: REQUEST_ID,
} as const satisfies Arguments;

/** Rents. */
export async function spawn(values: Values<typeof SPAWN>, call: ToolCall): Promise<unknown> {
  const requestId = values.request_id ?? call.callId;
  const priced = await priceOf(values, call);
  const { agent, ledger, desk, work, clock } = call;
  const nodeId = nodeIdOf(call, values.request_id);
  const lease = await spend(
    call,
    { tool: "spawn", requestId, payment: priced.payment },
    () => {
      // Before there is anything: what it stops waiting for is the agent's all the same.
      ledger.own(agent.name, nodeId, clock.nowMs());
      return desk.spawn({
        requestId: nodeId,
        image: values.image,
        ...priced,
        ...values.ssh_public_key === undefined
          ? {}
          : { sshPublicKeys: lines(values.ssh_public_key) },
        ...given({ sshUser: values.ssh_user, env: values.env }),
        ...values.ports === undefined ? {} : {
          ports: values.ports.map((containerPort) => ({
            containerPort,
            protocol: "tcp" as const,
            label: `port-${containerPort}`,
          })),
        },
      }, work);
    },
  );
  return { request_id: requestId, lease: leaseMembers(call, lease) };
}

/** What a spawn costs, and with whom: fixed before anything is paid, so that it costs no more. */
async function priceOf(
  values: Values<typeof SPAWN>,
  call: ToolCall,
): Promise<{ readonly payment: LeasePayment; readonly provider?: string; readonly tier?: string }> {
  const { provider, tier, image, token, budget_sat: budgetSat, duration_s: durationS } = values;
  const where = given({ provider, tier });
  const ways = [token, budgetSat, durationS].filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw new SeedmintError("usage", "Give one of duration_s, budget_sat and token, not several");
  }
  if (token !== undefined) return { ...where, payment: { token } };
  if (budgetSat !== undefined) return { ...where, payment: { budgetSat } };
  const quote = await call.desk.quote({ ...where, image, durationS: durationS ?? 3600 }, call.work);
  if (!quote.isAvailable) {
    throw new SeedmintError(
      "unavailable",
      `It cannot be had now: ${quote.note ?? "no reason told"}`,
    );
  }
  return {
    provider: quote.provider,
    tier: quote.tier,
    payment: { budgetSat: quote.amountSat },
  };
}

const TOP_UP = {
  lease: LEASE,
  duration_s: DURATION,
  budget_sat: BUDGET,
  token: TOKEN,
  request_id: REQUEST_ID,
} as const satisfies Arguments;

/** Tops up. */
export async function topUp(values: Values<typeof TOP_UP>, call: ToolCall): Promise<unknown> {
  const requestId = values.request_id ?? call.callId;
  const lease = await leaseOf(call, values.lease);
  const payment = await topUpPayment(values, lease, call);
  const done = await spend(
    call,
    { tool: "topup", requestId, payment },
    () =>
      call.desk.topUp({
        requestId: nodeIdOf(call, values.request_id),
        lease: lease.id,
        payment,
      }, call.work),
  );
  return { request_id: requestId, ...done.members };
}

async function topUpPayment(
  values: Omit<Values<typeof TOP_UP>, "lease">,
  lease: AgentLease,
  call: ToolCall,
): Promise<LeasePayment> {
  const { token, budget_sat: budgetSat, duration_s: durationS } = values;
  if ([token, budgetSat, durationS].filter((way) => way !== undefined).length > 1) {
    throw new SeedmintError("usage", "Give one of duration_s, budget_sat and token, not several");
  }
  if (token !== undefined) return { token };
  if (budgetSat !== undefined) return { budgetSat };
  const { provider, tier } = lease;
  // Whether there is room for a new one does not matter here.
  const quote = await call.desk.quote({
    provider,
    ...tier === undefined ? {} : { tier },
    durationS: durationS ?? 3600,
  }, call.work);
  return { budgetSat: quote.amountSat };
}

/** Tools of the market and of money. */
export const MARKET_TOOLS: readonly AgentTool[] = [
  tool({
    name: "list_offers",
    description:
      "Lists who lends compute, with tiers, prices in msat a second, and what is known of " +
      "each. Texts in it are the providers' own claims",
    table: OFFER_FILTER,
    isReading: true,
    otherNames: ["list_providers"],
    run: listOffers,
  }),
  tool({
    name: "quote_lease",
    description:
      "Says what a lease would cost and whether it could be had; nothing is begun or paid",
    table: {
      provider: PROVIDER,
      tier: SPAWN.tier,
      image: IMAGE,
      duration_s: DURATION,
      budget_sat: BUDGET,
    },
    isReading: true,
    run: async (values, call) => {
      const { provider, tier, image, duration_s: durationS, budget_sat: budgetSat } = values;
      const wish = given({ provider, tier, image, budgetSat });
      const quote = await call.desk.quote(
        budgetSat === undefined ? { ...wish, durationS: durationS ?? 3600 } : wish,
        call.work,
      );
      return { quote: quote.members };
    },
  }),
  tool({
    name: "spawn_lease",
    description:
      "Rents a container and waits until its SSH answers (up to some minutes). Pays from " +
      "the owner's wallet within the limits that spending_limits shows; what was not delivered is " +
      "paid back",
    table: SPAWN,
    run: spawn,
  }),
];

/** Makes a lease last longer. */
export const TOP_UP_TOOL: AgentTool = tool({
  name: "topup_lease",
  description: "Makes a lease last longer, paid from the owner's wallet within the limits",
  table: TOP_UP,
  run: topUp,
});

function lines(text: string): readonly string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}
