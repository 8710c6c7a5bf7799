import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import {
  conversationKeyOf,
  MemorySeenIds,
  type NostrEvent,
  nostrPublicKey,
  sealText,
  signEvent,
} from "../../../src/nostr/mod.ts";
import { ContextVm } from "../../../provisioning/mcp/mod.ts";
import {
  KIND_MESSAGE,
  KIND_WRAP,
  KIND_WRAP_EPHEMERAL,
  openWrap,
} from "../../../provisioning/mcp/nostr/events.ts";
import { MemoryRelay } from "../../support/provisioning/post_world.ts";
import { AgentWorld } from "./support.ts";

const SERVER = new Uint8Array(32).fill(41);
const AGENT = new Uint8Array(32).fill(42);
const STRANGER = new Uint8Array(32).fill(43);
const ONCE = new Uint8Array(32).fill(44);
const SERVER_KEY = nostrPublicKey(SERVER);

/** A server on a relay in memory, and what may be sent to it. */
class VmWorld implements AsyncDisposable {
  readonly world = new AgentWorld();
  readonly relay = new MemoryRelay();
  readonly seen = new MemorySeenIds();
  #server: ContextVm | undefined;
  #nonce = 0;

  start(options: { readonly takesClear?: boolean; readonly allowed?: readonly string[] } = {}) {
    this.#server = ContextVm.start({
      pool: this.relay,
      secretKey: SERVER,
      allowed: options.allowed ?? [nostrPublicKey(AGENT)],
      takesClear: options.takesClear ?? false,
      seen: this.seen,
      clock: this.world.clock,
      random: this.world.random,
      serve: (name) => this.world.serve({ name, isRemote: true }),
      onProblem: (problem) => this.world.problems.push(problem),
    });
    return this.#server;
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  get nowS(): number {
    return Math.floor(this.world.clock.nowMs() / 1000);
  }

  /** A signed message. */
  message(
    rpc: object,
    options: { from?: Uint8Array; to?: string; createdAtS?: number; kind?: number } = {},
  ): NostrEvent {
    return signEvent({
      kind: options.kind ?? KIND_MESSAGE,
      created_at: options.createdAtS ?? this.nowS,
      tags: [["p", options.to ?? SERVER_KEY]],
      content: JSON.stringify(rpc),
    }, options.from ?? AGENT);
  }

  wrap(inner: unknown, kind = KIND_WRAP): NostrEvent {
    const nonce = new Uint8Array(32).fill(++this.#nonce);
    const text = JSON.stringify(inner);
    return signEvent({
      kind,
      created_at: this.nowS,
      tags: [["p", SERVER_KEY]],
      content: sealText(text, conversationKeyOf(ONCE, SERVER_KEY), nonce),
    }, ONCE);
  }

  async give(event: NostrEvent): Promise<void> {
    await this.relay.publish(event);
    await settle();
  }

  /** What the server said so far. */
  answers(): NostrEvent[] {
    return this.relay.given.filter((event) =>
      event.tags.some(([name, value]) => name === "p" && value !== SERVER_KEY)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.world[Symbol.asyncDispose]();
  }
}

/** Nothing here waits for more than promises. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((done) => setImmediate(done));
}

const SPAWN = {
  jsonrpc: "2.0",
  id: 7,
  method: "tools/call",
  params: { name: "spawn_lease", arguments: { image: "alpine", budget_sat: 10 } },
};

for (const kind of [KIND_WRAP, KIND_WRAP_EPHEMERAL]) {
  Deno.test(`ContextVm answers an allowed key in a gift wrap of kind ${kind}, to its own id`, async () => {
    await using vm = new VmWorld();
    vm.start();
    const message = vm.message(SPAWN);
    await vm.give(vm.wrap(message, kind));
    const [answer, ...others] = vm.answers();
    assert.equal(others.length, 0);
    assert.equal(answer!.kind, kind);
    assert.notEqual(answer!.pubkey, SERVER_KEY);
    const inner = openWrap(answer!, AGENT)!;
    assert.equal(inner.pubkey, SERVER_KEY);
    assert.deepEqual(inner.tags.slice(0, 2), [["p", nostrPublicKey(AGENT)], ["e", message.id]]);
    const rpc = JSON.parse(inner.content);
    assert.equal(rpc.id, 7);
    assert.match(rpc.result.content[0].text, /lease001/);
    // The id of the event is the id of the request: paid once, whatever else fails.
    assert.equal(JSON.parse(rpc.result.content[0].text).request_id, message.id);
  });
}

Deno.test("what an agent names no request_id for is rented and topped up, by ids that nodes take", async () => {
  await using vm = new VmWorld();
  vm.start();
  const calls: readonly [string, object][] = [
    ["spawn_lease", { image: "alpine", budget_sat: 10 }],
    ["topup_lease", { lease: "lease001", budget_sat: 10 }],
    ["spawn_pod", {
      cashu_token: "cashuBabc",
      pod_image: "alpine",
      ssh_username: "user",
      ssh_password: "W9ZG2GIUOWiPkYID",
    }],
    ["topup_pod", { pod_npub: "lease002", cashu_token: "cashuBdef" }],
  ];
  for (const [index, [name, args]] of calls.entries()) {
    await vm.give(vm.wrap(vm.message({
      ...{ jsonrpc: "2.0", id: index, method: "tools/call" },
      params: { name, arguments: args },
    })));
    const inner = openWrap(vm.answers()[index]!, AGENT)!;
    const { result } = JSON.parse(inner.content);
    assert.notEqual(result.isError, true, `${name}: ${result.content[0].text}`);
  }
  const ids = [...vm.world.desk.orders, ...vm.world.desk.topUps].map(({ requestId }) => requestId);
  assert.equal(new Set(ids).size, 4);
});

Deno.test("whoever is not allowed gets no word, and nothing is done", async () => {
  await using vm = new VmWorld();
  vm.start();
  const strangers = vm.message(SPAWN, { from: STRANGER });
  const forged = { ...vm.message(SPAWN), content: JSON.stringify({ ...SPAWN, id: 8 }) };
  const { id: _, sig: __, ...unsigned } = vm.message(SPAWN);
  const attempts: readonly NostrEvent[] = [
    // In the clear, of a stranger and of the agent itself: relays would read it.
    strangers,
    vm.message(SPAWN),
    vm.wrap(strangers),
    // The name of the agent under a signature that does not fit, and under none.
    vm.wrap(forged),
    vm.wrap({ ...strangers, pubkey: nostrPublicKey(AGENT) }),
    vm.wrap(unsigned),
    // Signed by the agent for another server, which passes it on.
    vm.wrap(vm.message(SPAWN, { to: nostrPublicKey(STRANGER) })),
    // Of another kind, too old, too far ahead.
    vm.wrap(vm.message(SPAWN, { kind: 1 })),
    vm.wrap(vm.message(SPAWN, { createdAtS: vm.nowS - 301 })),
    vm.wrap(vm.message(SPAWN, { createdAtS: vm.nowS + 301 })),
    // No message of JSON-RPC.
    vm.wrap(vm.message({ hello: "there" })),
    vm.wrap(vm.message([])),
    vm.wrap("text"),
    vm.wrap(null),
    signEvent({
      kind: KIND_WRAP,
      created_at: vm.nowS,
      tags: [["p", SERVER_KEY]],
      content: "no ciphertext",
    }, STRANGER),
  ];
  for (const attempt of attempts) await vm.give(attempt);
  assert.deepEqual(vm.answers(), []);
  assert.equal(vm.world.desk.orders.length, 0);
  assert.deepEqual(vm.world.problems, []);
});

Deno.test("a message that comes again, wrapped anew or after a restart, is not done again", async () => {
  await using vm = new VmWorld();
  vm.start();
  const message = vm.message(SPAWN);
  await vm.give(vm.wrap(message));
  await vm.give(vm.wrap(message));
  await vm.give(vm.wrap(message, KIND_WRAP_EPHEMERAL));
  await vm.stop();
  vm.start();
  await vm.give(vm.wrap(message));
  assert.equal(vm.answers().length, 1);
  assert.equal(vm.world.desk.orders.length, 1);
});

Deno.test("messages in the clear are answered in the clear, where the owner lets them", async () => {
  await using vm = new VmWorld();
  vm.start({ takesClear: true });
  await vm.give(vm.message({ jsonrpc: "2.0", id: "a", method: "ping" }));
  await vm.give(vm.message({ jsonrpc: "2.0", id: "a", method: "ping" }, { from: STRANGER }));
  const [answer, ...others] = vm.answers();
  assert.equal(others.length, 0);
  assert.equal(answer!.kind, KIND_MESSAGE);
  assert.deepEqual(JSON.parse(answer!.content), { jsonrpc: "2.0", id: "a", result: {} });
});

Deno.test("a flood of one agent, and of wraps by strangers, is bounded", async () => {
  await using vm = new VmWorld();
  vm.start();
  for (let id = 0; id < 50; id++) {
    await vm.relay.publish(vm.wrap(vm.message({ jsonrpc: "2.0", id, method: "ping" })));
  }
  await settle();
  assert.equal(vm.answers().length, 40);
  for (let index = 0; index < 220; index++) {
    await vm.relay.publish(vm.wrap(vm.message(SPAWN, { from: STRANGER })));
  }
  await vm.give(vm.wrap(vm.message({ jsonrpc: "2.0", id: 1000, method: "ping" })));
  assert.equal(vm.answers().length, 40);
  await vm.world.clock.advance(60_000);
  await vm.give(vm.wrap(vm.message({ jsonrpc: "2.0", id: 1001, method: "ping" })));
  assert.equal(vm.answers().length, 41);
});

Deno.test("an answer that no relay takes is sent again", async () => {
  await using vm = new VmWorld();
  vm.start();
  const ping = vm.wrap(vm.message({ jsonrpc: "2.0", id: 1, method: "ping" }));
  let refusals = 2;
  const publish = vm.relay.publish.bind(vm.relay);
  vm.relay.publish = (event) => {
    const isRefused = event !== ping && refusals-- > 0;
    return isRefused ? Promise.resolve({ acceptedCount: 0, outcomes: [] }) : publish(event);
  };
  await vm.give(ping);
  assert.equal(vm.answers().length, 0);
  await vm.world.clock.advance(10_000);
  assert.equal(vm.answers().length, 1);
});

Deno.test("ContextVm wants at least one allowed key", () => {
  const vm = new VmWorld();
  assert.throws(() => vm.start({ allowed: [] }), /name 1 to 64 keys/);
  return vm[Symbol.asyncDispose]();
});
