/** Private messages that a provider answers a second: unwrapped, served, answered, wrapped. */
import { cpuUsage } from "node:process";
import type { PrivateKind } from "../../src/nostr/mod.ts";
import { PostWorld } from "../../tests/support/provisioning/post_world.ts";

/** How fast messages are answered. */
export interface MessageRate {
  readonly perSecond: number;
  /** Of the processor, for each message: the same on a machine that others keep busy. */
  readonly cpuMs: number;
}

/** Sends `count` questions about leases at once. */
export async function messageRate(kind: PrivateKind, count: number): Promise<MessageRate> {
  await using world = new PostWorld();
  await using _one = await world.start();
  // Each from a key of its own, as the rates of one key are limited.
  const senders = Array.from({ length: count }, (_, index) => secretOf(index));
  const text = (index: number) =>
    JSON.stringify({ seedmint: "leases", request_id: `bench-${index}` });
  const letters = [];
  world.relay.isUp = false;
  for (const [index, sender] of senders.entries()) {
    letters.push(await world.send(text(index), sender, kind));
  }
  world.relay.isUp = true;
  const base = world.relay.given.length;
  const startMs = performance.now();
  const startCpu = cpuUsage();
  for (const letter of letters) await world.relay.publish(letter);
  // The letters are published once more, and each is answered once.
  const wanted = base + letters.length * 2;
  while (world.relay.given.length < wanted) {
    if (performance.now() - startMs > 60_000) {
      throw new Error(`${world.relay.given.length - base - letters.length} of ${count} answered`);
    }
    await world.leases.clock.advance(10);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = cpuUsage(startCpu);
  return { perSecond: count / seconds, cpuMs: (user + system) / 1000 / count };
}

function secretOf(index: number): Uint8Array {
  const secret = new Uint8Array(32).fill(7);
  new DataView(secret.buffer).setUint32(0, index + 1);
  return secret;
}
