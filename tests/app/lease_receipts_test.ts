/** Receipts of leases from a provider's journal and a lessee's book. */
import assert from "node:assert/strict";
import { isSha256, type Sha256 } from "../../src/core/hash.ts";
import { systemClock } from "../../src/host/system.ts";
import type { NostrEvent } from "../../src/nostr/mod.ts";
import {
  LeaseReceiptDesk,
  type LeaseReceiptDeskOptions,
  LesseeReceipts,
} from "../../src/app/lifecycle/lease_receipts.ts";
import { platformsIn } from "../../src/app/lifecycle/lease_receipts_images.ts";
import { buildIndex, digestOfBytes } from "../../swarm/registry/manifest/mod.ts";
import { MemoryBlobStore } from "../../swarm/store/mod.ts";
import { IMAGE_DIGEST } from "../support/provisioning/memory_images.ts";
import type { EndedLease } from "../../provisioning/consumer/ports.ts";
import type { Lease } from "../../provisioning/leases/mod.ts";
import { type Answer, formatLeaseId, leaseNameOf } from "../../provisioning/wire/mod.ts";
import { lease as trust, ReceiptStore } from "../../trust/mod.ts";
import { BASIC, type Generation, LeaseWorld } from "../support/provisioning/lease_world.ts";
import { bareToken, PLAY_MINT, safeToken } from "../support/provisioning/memory_till.ts";
import { countingRandom, keyOf, yOf } from "../trust/support.ts";

const PROVIDER_SECRET = new Uint8Array(32).fill(1);
const LESSEE_SECRET = new Uint8Array(32).fill(2);
const PROVIDER = keyOf(PROVIDER_SECRET);
const LESSEE = keyOf(LESSEE_SECRET);
const SIGNAL = new AbortController().signal;

/** A lease of ten minutes that was topped up and stopped after five, with both sides' stores. */
class Rental implements AsyncDisposable {
  readonly world = new LeaseWorld();
  readonly providerStore = ReceiptStore.open(":memory:");
  readonly lesseeStore = ReceiptStore.open(":memory:");
  readonly published: NostrEvent[] = [];
  readonly logged: string[] = [];
  readonly tokens = [safeToken("first", 30), bareToken("more", 6)];
  one!: Generation;
  desk!: LeaseReceiptDesk;
  lessee!: LesseeReceipts;
  stopped!: Answer;

  /** By what the image is named. */
  image = "busybox";
  /** Manifests in a list of platforms, as the lessee knows them. */
  platforms: readonly Sha256[] | undefined;

  static async open(
    options: { readonly publishes?: boolean; readonly list?: Sha256 } = {},
  ): Promise<Rental> {
    const rental = new Rental();
    const { world } = rental;
    if (options.list !== undefined) {
      world.images.list = options.list;
      rental.image = `busybox@sha256:${options.list}`;
    }
    rental.one = await world.start();
    rental.desk = rental.deskWith(options);
    rental.one.provider.onEvent((event) => rental.desk.noteEvent(event));
    rental.lessee = new LesseeReceipts({
      store: () => Promise.resolve(rental.lesseeStore),
      signer: { secretKey: LESSEE_SECRET, publishes: options.publishes ?? false },
      clock: world.clock,
      log: (_level, message) => void rental.logged.push(message),
      evidenceOf: (token) => ({ mint: PLAY_MINT, id: rental.idOf(token), ys: rental.ysOf(token) }),
      publish: (event) => Promise.resolve(void rental.published.push(event)),
      platformsIn: () => Promise.resolve(rental.platforms),
    });
    const access = await world.ask(rental.one, LESSEE, {
      type: "spawn",
      token: rental.tokens[0]!,
      image: rental.image,
      sshUsername: "root",
      sshPassword: "W9ZG2GIUOWiPkYID",
    });
    assert.equal(access.type, "access", JSON.stringify(access));
    const name = leaseNameOf(rental.lease.number);
    const topUp = { type: "topup", lease: name, token: rental.tokens[1]! } as const;
    assert.equal((await world.ask(rental.one, LESSEE, topUp)).type, "topup");
    await world.clock.advance(300_000);
    rental.stopped = await world.ask(rental.one, LESSEE, { type: "stop", lease: name });
    await rental.desk.idle();
    return rental;
  }

  deskWith(options: { readonly publishes?: boolean }, store = this.providerStore) {
    const { world } = this;
    const made: LeaseReceiptDeskOptions = {
      provider: PROVIDER,
      store: () => Promise.resolve(store),
      signer: { secretKey: PROVIDER_SECRET, publishes: options.publishes ?? false },
      clock: world.clock,
      random: countingRandom(),
      log: (_level, message) => void this.logged.push(message),
      publish: (event) => Promise.resolve(void this.published.push(event)),
      payments: (lease) => this.one.journal.payments.ofLease(lease),
      ysOf: (id) => this.ysOf(this.tokens.find((token) => this.idOf(token) === id)!),
    };
    return new LeaseReceiptDesk(made);
  }

  get lease(): Lease {
    return this.one.provider.leases()[0]!;
  }

  get leaseId(): string {
    const { number, createdMs } = this.lease;
    const createdAtS = Math.floor(createdMs / 1000);
    return formatLeaseId({ provider: PROVIDER, lease: leaseNameOf(number), createdAtS });
  }

  idOf(token: string): string {
    return this.world.till.inspect(token).id;
  }

  ysOf(token: string): string[] {
    return [yOf(this.tokens.indexOf(token) + 1)];
  }

  get ended(): EndedLease {
    const { readyMs } = this.lease;
    const refund = this.stopped.type === "stop" ? this.stopped.refund?.amountSat ?? 0 : 0;
    const digest = this.image.split("@sha256:")[1];
    return {
      id: "k3vx9q2a",
      provider: PROVIDER,
      owner: LESSEE,
      leaseId: this.leaseId,
      spec: BASIC,
      image: this.image,
      ...(isSha256(digest) ? { imageDigest: digest } : {}),
      payments: this.tokens.map((token, index) => ({
        paymentId: `p${index}`,
        amountSat: this.world.till.inspect(token).amountSat,
        token,
        outcome: "taken",
      })),
      refundedSat: refund,
      ...(readyMs === undefined ? {} : { readyMs }),
      endedMs: this.world.clock.nowMs(),
      reason: "stopped",
      complaints: [],
    };
  }

  /** As the lessee asks: through JSON. */
  exchange = async (receipt?: Readonly<Record<string, unknown>>) => {
    const { leaseId } = this;
    const request = { type: "receipt", leaseId, ...(receipt ? { receipt } : {}) } as const;
    const answer = await this.desk.answer(
      JSON.parse(JSON.stringify(request)),
      this.lease,
      { signal: SIGNAL },
    );
    return JSON.parse(JSON.stringify(answer)) as typeof answer;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    this.providerStore[Symbol.dispose]();
    this.lesseeStore[Symbol.dispose]();
  }
}

Deno.test("the journal and the book of one lease come to one receipt, and the books agree", async () => {
  await using rental = await Rental.open();
  assert.equal(rental.providerStore.leases.list()[0]?.state, "offered", "written at the end");
  await rental.lessee.ended(rental.ended, { signal: SIGNAL, exchange: rental.exchange });
  const [given] = rental.providerStore.leases.list();
  const [got] = rental.lesseeStore.leases.list();
  assert.deepEqual([given?.state, got?.state, got?.reason], ["agreed", "agreed", undefined]);
  assert.deepEqual(given!.signed, got!.signed);
  assert.equal(trust.standingOf(got!.signed), "both");
  const { receipt } = got!.signed;
  assert.equal(receipt.lease, rental.leaseId);
  assert.equal(receipt.paidMsat, 36_000);
  assert.equal(receipt.ending, "stopped");
  assert.ok(receipt.seconds >= 300 && receipt.seconds < 320, `${receipt.seconds} s`);
  assert.equal(receipt.refundSat, rental.ended.refundedSat);
  const till = rental.world.till.balanceSat * 1000;
  assert.equal(till, receipt.paidMsat - receipt.refundSat * 1000, "what the till kept");
  assert.ok(till - receipt.msat >= 0 && till - receipt.msat < 1000, "less than a sat is left over");
  assert.deepEqual(receipt.payments[0]!.ys, [yOf(1), yOf(2)]);
  assert.equal(got!.image, rental.lease.imageDigest);
  assert.deepEqual(rental.published, [], "nobody let it be published");
  // Asked again, after a crash of either, nothing changes.
  await rental.lessee.ended(rental.ended, { signal: SIGNAL, exchange: rental.exchange });
  assert.deepEqual(rental.lesseeStore.leases.list(), [got]);
});

Deno.test("a receipt that both let be published is, by both, as one that anybody can check", async () => {
  await using rental = await Rental.open({ publishes: true });
  await rental.lessee.ended(rental.ended, { signal: SIGNAL, exchange: rental.exchange });
  assert.deepEqual(rental.published.map(({ pubkey }) => pubkey).sort(), [PROVIDER, LESSEE].sort());
  const read = rental.published.map((event) => trust.readLeasePublication(event));
  assert.deepEqual(read[0], read[1]);
  assert.equal(trust.countOnce(read.map((signed) => signed!)).counted.length, 1);
});

Deno.test("the desk tells a receipt of that lease alone, and only once it is over", async () => {
  await using rental = await Rental.open();
  const { leaseId, lease } = rental;
  const ask = async (request: object, of: Lease) => {
    const answer = await rental.desk.answer(
      { type: "receipt", leaseId, ...request },
      of,
      { signal: SIGNAL },
    );
    return answer.type === "error" ? answer.error : answer.type;
  };
  assert.equal(await ask({}, lease), "receipt");
  assert.equal(await ask({ leaseId: leaseId.replace(/:\d+$/, ":5") }, lease), "not_found");
  assert.equal(await ask({}, { ...lease, state: "expiring" }), "not_ready");
  assert.equal(await ask({}, { ...lease, creditMsat: 0 }), "not_found");
  for (const receipt of [{}, { signed: {} }, { signed: 1, opening: 2 }]) {
    assert.equal(await ask({ receipt }, lease), "invalid_request");
  }
  const closed = ReceiptStore.open(":memory:");
  closed[Symbol.dispose]();
  const broken = rental.deskWith({}, closed);
  const answer = await broken.answer({ type: "receipt", leaseId }, lease, { signal: SIGNAL });
  assert.ok(answer.type === "error" && answer.retryMs !== undefined, "no reason to fail");
});

Deno.test("a provider that never answered is written down without asking it", async () => {
  await using rental = await Rental.open();
  const { leaseId: _, readyMs: __, ...rest } = rental.ended;
  const robbed: EndedLease = { ...rest, reason: "robbed", refundedSat: 0 };
  const exchange = () => Promise.reject(new Error("nobody is asked"));
  await rental.lessee.ended(robbed, { signal: SIGNAL, exchange });
  const [kept] = rental.lesseeStore.leases.list();
  assert.deepEqual([kept?.state, kept?.signed.receipt.ending], ["one-sided", "unanswered"]);
  assert.equal(trust.standingOf(kept!.signed), "consumer");
});

Deno.test("a provider whose token came back after its lock is written down, with nothing paid", async () => {
  await using rental = await Rental.open();
  const { leaseId: _, readyMs: __, ...rest } = rental.ended;
  const silent: EndedLease = {
    ...rest,
    reason: "unserved",
    refundedSat: 0,
    payments: rest.payments.map((payment) => ({ ...payment, outcome: "returned" })),
  };
  const exchange = () => Promise.reject(new Error("nobody is asked"));
  await rental.lessee.ended(silent, { signal: SIGNAL, exchange });
  const { ending, paidMsat, payments } = rental.lesseeStore.leases.list()[0]!.signed.receipt;
  assert.deepEqual([ending, paidMsat, payments], ["unanswered", 0, []]);
});

Deno.test("a lease that its provider gave no id, as Paygress gives none, leaves our own word of its end", async (test) => {
  const endings = { expired: "expired", stopped: "stopped", "cut-short": "evicted" } as const;
  for (const reason of ["expired", "stopped", "cut-short"] as const) {
    await test.step(reason, async () => {
      await using rental = await Rental.open();
      const { leaseId: _, ...nameless } = { ...rental.ended, reason };
      const exchange = () => Promise.reject(new Error("nobody can be asked"));
      for (let time = 0; time < 2; time++) {
        await rental.lessee.ended(nameless, { signal: SIGNAL, exchange });
      }
      assert.deepEqual(rental.logged, []);
      const [kept, ...others] = rental.lesseeStore.leases.list();
      assert.equal(others.length, 0, "once");
      const { receipt } = kept!.signed;
      assert.deepEqual([kept!.state, receipt.ending], ["one-sided", endings[reason]]);
      assert.equal(receipt.lease.startsWith(`${PROVIDER}:request-`), true);
      assert.ok(receipt.seconds >= 300, `${receipt.seconds} s`);
      assert.deepEqual(receipt.payments[0]!.ys, [yOf(1), yOf(2)]);
      assert.match(kept!.reason!, /gave the lease no id/);
    });
  }
});

Deno.test("an image named by the digest of a list for several platforms is no lie of its provider's", async (test) => {
  const list = "11".repeat(32) as Sha256;
  const concluded = async (platforms: readonly Sha256[] | undefined) => {
    await using rental = await Rental.open({ list });
    rental.platforms = platforms;
    await rental.lessee.ended(rental.ended, { signal: SIGNAL, exchange: rental.exchange });
    const [kept] = rental.lesseeStore.leases.list();
    assert.notEqual(rental.lease.imageDigest, list);
    return [kept?.state, kept?.reason, kept?.image];
  };
  await test.step("both sign where the lessee does not have the list", async () => {
    assert.deepEqual(await concluded(undefined), ["agreed", undefined, IMAGE_DIGEST]);
  });
  await test.step("and where the list has that manifest", async () => {
    assert.equal((await concluded([list, IMAGE_DIGEST]))[0], "agreed");
  });
  await test.step("and not where it is another image, or what was named is no list", async () => {
    for (const platforms of [["22".repeat(32) as Sha256], []]) {
      const [state, reason] = await concluded(platforms);
      assert.equal(state, "one-sided");
      assert.match(reason!, /names another image/);
    }
  });
});

Deno.test("platformsIn() says which manifests a list has, if it is here", async () => {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const text = new TextEncoder().encode("no manifest");
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const child = { mediaType, digest: digestOfBytes(text), size: text.length };
  const index = buildIndex([child]);
  const digestOf = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex() as Sha256;
  const digest = await digestOf(index.bytes);
  assert.equal(await platformsIn(store, digest), undefined);
  await store.importBytes(index.bytes);
  await store.importBytes(text);
  assert.deepEqual(await platformsIn(store, digest), [await digestOf(text)]);
  assert.equal(await platformsIn(store, await digestOf(text)), undefined);
});

Deno.test("a lease that no receipt can say is told once, and not tried again", async () => {
  await using rental = await Rental.open();
  const { ended } = rental;
  const exchange = () => Promise.reject(new Error("nobody is asked"));
  const free = { ...ended, reason: "robbed", spec: { ...ended.spec, rateMsatPerS: 0 } } as const;
  const { leaseId: _, ...nameless } = free;
  await rental.lessee.ended(nameless, { signal: SIGNAL, exchange });
  await rental.lessee.ended({ ...ended, provider: LESSEE }, { signal: SIGNAL, exchange });
  assert.equal(rental.lesseeStore.leases.count, 0);
  assert.deepEqual(rental.logged, ["no receipt can say what the book has of a lease"]);
});

Deno.test("a provider that knows no receipts leaves our own word", async () => {
  await using rental = await Rental.open();
  const exchange = () =>
    Promise.resolve({ type: "error", error: "invalid_request", message: "unknown" } as const);
  await rental.lessee.ended(rental.ended, { signal: SIGNAL, exchange });
  const [kept] = rental.lesseeStore.leases.list();
  assert.equal(kept?.state, "one-sided");
  assert.match(kept!.reason!, /gives no receipt: invalid_request/);
});
