/** The other side is `@contextvm/sdk`: its client against our server, and its gateway before our server. */
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  ApplesauceRelayPool,
  EncryptionMode,
  GiftWrapMode,
  NostrClientTransport,
  NostrMCPGateway,
  PrivateKeySigner,
  type RelayHandler,
} from "@contextvm/sdk";
import { ChildProcess } from "../../../devnet/processes.ts";
import { PERMISSION_FLAGS } from "../../../src/app/permissions.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  type Filter,
  MemorySeenIds,
  type NostrEvent,
  nostrPublicKey,
  npub,
  RelayPool,
  RelayServer,
} from "../../../src/nostr/mod.ts";
import {
  AgentLedger,
  agentServer,
  type AgentServerOptions,
  ContextVm,
} from "../../../provisioning/mcp/mod.ts";
import { MemoryAgentDesk } from "../../support/provisioning/memory_agent_desk.ts";

const SERVER = new Uint8Array(32).fill(41);
const AGENT = new Uint8Array(32).fill(42);
const STRANGER = new Uint8Array(32).fill(43);

/** Timers and sockets of the other side outlive its `close`. */
const LOOSE = { sanitizeOps: false, sanitizeResources: false } as const;

function optionsOf(desk: MemoryAgentDesk, ledger: AgentLedger): AgentServerOptions {
  return {
    desk,
    ledger,
    limits: { perCallSat: 500, perDaySat: 1000 },
    version: "1",
    clock: systemClock,
    random: systemRandom,
  };
}

/**
 * Our relay shows stored gift wraps to those only who prove their key (NIP-42), which the pool of the
 * SDK cannot do: with those wraps its transport gets a pool of ours.
 */
class ProvingPool implements RelayHandler {
  readonly #pool: RelayPool;

  constructor(url: string, authSecretKey: Uint8Array) {
    this.#pool = new RelayPool({
      relays: [url],
      clock: systemClock,
      random: systemRandom,
      authSecretKey,
    });
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  async disconnect(): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  async publish(event: NostrEvent): Promise<void> {
    const { acceptedCount } = await this.#pool.publish(event);
    assert.ok(acceptedCount > 0);
  }

  subscribe(filters: unknown[], onEvent: (event: never) => void): Promise<() => void> {
    return Promise.resolve(
      this.#pool.subscribe(filters as Filter[], { onEvent: (event) => onEvent(event as never) }),
    );
  }

  unsubscribe(): void {}

  getRelayUrls(): string[] {
    return [...this.#pool.urls];
  }
}

function clientOf(
  url: string,
  secretKey: Uint8Array,
  giftWrapMode: GiftWrapMode,
  serverPubkey = nostrPublicKey(SERVER),
) {
  const transport = new NostrClientTransport({
    signer: new PrivateKeySigner(secretKey.toHex()),
    relayHandler: giftWrapMode === GiftWrapMode.EPHEMERAL
      ? new ApplesauceRelayPool([url])
      : new ProvingPool(url, secretKey),
    serverPubkey,
    encryptionMode: EncryptionMode.REQUIRED,
    giftWrapMode,
    logLevel: "silent",
  });
  const client = new Client({ name: "agent", version: "1" });
  return { client, transport };
}

async function toolNames(client: Client): Promise<string[]> {
  const { tools } = await client.listTools() as { tools: { name: string }[] };
  return tools.map(({ name }) => name);
}

function textOf(result: unknown): string {
  const [first] = (result as { content: { text: string }[] }).content;
  return first!.text;
}

/** A relay and our server on it. */
async function open() {
  const stack = new AsyncDisposableStack();
  const relay = stack.use(
    await RelayServer.listen({
      hostname: "127.0.0.1",
      port: 0,
      storage: "memory",
      clock: systemClock,
      random: systemRandom,
    }),
  );
  const ledger = stack.use(AgentLedger.open(":memory:"));
  const pool = stack.use(
    new RelayPool({
      relays: [relay.url],
      clock: systemClock,
      random: systemRandom,
      authSecretKey: SERVER,
    }),
  );
  const desk = new MemoryAgentDesk();
  return { stack, relay, ledger, pool, desk };
}

for (const mode of [GiftWrapMode.OPTIONAL, GiftWrapMode.EPHEMERAL]) {
  Deno.test({
    name: `a client of ContextVM with ${mode} gift wraps rents through our server over Nostr`,
    ...LOOSE,
    async fn() {
      const { stack, relay, ledger, pool, desk } = await open();
      await using _ = stack;
      await using server = ContextVm.start({
        pool,
        secretKey: SERVER,
        allowed: [nostrPublicKey(AGENT)],
        seen: new MemorySeenIds(),
        clock: systemClock,
        random: systemRandom,
        serve: (name) => agentServer({ name, isRemote: true }, optionsOf(desk, ledger)),
      });
      await server.ready;
      const { client, transport } = clientOf(relay.url, AGENT, mode);
      await client.connect(transport);
      const tools = await toolNames(client);
      assert.ok(tools.includes("spawn_lease"));
      assert.ok(tools.includes("spawn_pod"));
      const steps: string[] = [];
      const spawned = await client.callTool(
        { name: "spawn_lease", arguments: { image: "alpine:3", duration_s: 600 } },
        undefined,
        { onprogress: ({ message }: { message?: string }) => steps.push(message ?? "") },
      );
      assert.equal(JSON.parse(textOf(spawned)).lease.id, "lease001", textOf(spawned));
      assert.equal(textOf(spawned).includes("/home/"), false);
      assert.deepEqual(steps, ["asking"]);
      assert.equal(desk.spentSat, 62);
      await client.close();
    },
  });
}

Deno.test({
  name: "the gateway of ContextVM brings our server over stdio to Nostr",
  ...LOOSE,
  async fn() {
    const { stack, relay } = await open();
    await using _ = stack;
    const data = await Deno.makeTempDir({ prefix: "agents-" });
    stack.defer(() => Deno.remove(data, { recursive: true }));
    const gateway = new NostrMCPGateway({
      mcpClientTransport: new StdioClientTransport({
        command: Deno.execPath(),
        args: ["run", "-A", "node.ts", "mcp", "--data", data],
        stderr: "ignore",
      }),
      nostrTransportOptions: {
        signer: new PrivateKeySigner(SERVER.toHex()),
        relayHandler: new ApplesauceRelayPool([relay.url]),
        encryptionMode: EncryptionMode.REQUIRED,
        giftWrapMode: GiftWrapMode.EPHEMERAL,
        allowedPublicKeys: [nostrPublicKey(AGENT)],
        logLevel: "silent",
      },
    });
    await gateway.start();
    const { client, transport } = clientOf(relay.url, AGENT, GiftWrapMode.EPHEMERAL);
    await client.connect(transport);
    assert.ok((await toolNames(client)).includes("list_offers"));
    const limits = await client.callTool({ name: "spending_limits", arguments: {} });
    assert.equal(JSON.parse(textOf(limits)).per_call_sat, 200);
    await client.close();
    await gateway.stop();
  },
});

Deno.test({
  name: "the verb mcp --nostr answers a client of ContextVM whose key is allowed",
  ...LOOSE,
  async fn() {
    const { stack, relay } = await open();
    await using _ = stack;
    const data = await Deno.makeTempDir({ prefix: "agents-" });
    stack.defer(() => Deno.remove(data, { recursive: true }));
    const process = new ChildProcess({
      script: "node.ts",
      flags: PERMISSION_FLAGS,
      args: [
        ...["mcp", "--nostr", "--json", "--data", data, "--relay", relay.url],
        ...["--mcp-agent", npub(nostrPublicKey(AGENT))],
      ],
    });
    stack.defer(async () => void await process.stop());
    const ready = await process.waitFor((line) => line.event === "ready", 30_000);
    const server = String(ready.publicKey);
    const { client, transport } = clientOf(relay.url, AGENT, GiftWrapMode.EPHEMERAL, server);
    await client.connect(transport);
    const limits = await client.callTool({ name: "spending_limits", arguments: {} });
    assert.equal(JSON.parse(textOf(limits)).per_day_sat, 1000);
    const stranger = clientOf(relay.url, STRANGER, GiftWrapMode.EPHEMERAL, server);
    await assert.rejects(
      stranger.client.connect(stranger.transport, { timeout: 1500 }),
      /timed out/i,
    );
    await client.close();
    await stranger.client.close();
  },
});
