/** The names and arguments of earlier systems. */
import { statusOf } from "./lease_tools.ts";
import { listOffers, SPAWN, spawn, topUp } from "./market_tools.ts";
import { type AgentTool, given, LEASE, TOKEN, tool } from "./tool.ts";

const OLD_LEASE = { ...LEASE, description: "The lease, as it was called when it began" };

/** Paygress' tools. */
export const OLD_TOOLS: readonly AgentTool[] = [
  tool({
    name: "get_offers",
    description: "Earlier name of list_offers",
    table: {},
    isReading: true,
    run: (_values, call) => listOffers({}, call),
  }),
  tool({
    name: "spawn_pod",
    description:
      "Earlier name of spawn_lease: pays with a token of yours, and the provider is chosen by " +
      "the owner's policy. Logins are by key, so the password is not used",
    table: {
      cashu_token: { ...TOKEN, required: true },
      pod_image: SPAWN.image,
      ssh_username: {
        type: "string",
        charsMax: 64,
        required: true,
        description: "Not used: lease_status tells whom to log in as",
      },
      ssh_password: { type: "string", charsMax: 128, required: true, description: "Not used" },
      pod_spec_id: SPAWN.tier,
      ssh_public_key: SPAWN.ssh_public_key,
    },
    run: (values, call) =>
      spawn({
        image: values.pod_image,
        token: values.cashu_token,
        ...given({ tier: values.pod_spec_id, ssh_public_key: values.ssh_public_key }),
      }, call),
  }),
  tool({
    name: "topup_pod",
    description: "Earlier name of topup_lease: pays with a token of yours",
    table: { pod_npub: OLD_LEASE, cashu_token: { ...TOKEN, required: true } },
    run: (values, call) => topUp({ lease: values.pod_npub, token: values.cashu_token }, call),
  }),
  tool({
    name: "get_pod_status",
    description: "Earlier name of lease_status",
    table: { pod_npub: OLD_LEASE },
    isReading: true,
    run: (values, call) => statusOf(values.pod_npub, call),
  }),
];
