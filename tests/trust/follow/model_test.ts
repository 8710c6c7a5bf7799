/** A follower in random worlds of publishers, thieves, clocks and restarts: what may never happen. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Catalog } from "../../../trust/catalog/mod.ts";
import { FollowState } from "../../../trust/follow/mod.ts";
import { delegation, revocation, rotation, type SignedRoot } from "../../../trust/root/mod.ts";
import { DAY_S, keyOf, NOW_S, Publisher, type Sealed } from "../publisher.ts";
import { World } from "./world.ts";

const ROLE = { threshold: 1, catalogs: ["tools"] } as const;

type Step =
  /** Somebody signs a catalog; `by` may hold no such right, or have lost it. */
  | { readonly do: "sign"; readonly by: number; readonly sequence: number; readonly days: number }
  /** The follower is shown some of all that was ever signed, with some versions of the root. */
  | { readonly do: "show"; readonly which: readonly number[]; readonly versions: number }
  | { readonly do: "revoke" }
  | { readonly do: "renew" }
  | { readonly do: "wait"; readonly days: number }
  | { readonly do: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("sign" as const),
      by: fc.nat({ max: 4 }),
      sequence: fc.integer({ min: 1, max: 8 }),
      days: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("show" as const),
      which: fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 4 }),
      versions: fc.nat({ max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("renew" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      days: fc.integer({ min: 0, max: 30 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

/** Everything outside of the follower, and what must hold of it. */
class Model implements AsyncDisposable {
  readonly publisher: Publisher;
  readonly path: string;
  readonly #pinned: readonly SignedRoot[];
  #world: World;
  /** All that was ever signed, with the label of who did. */
  readonly #all: (Sealed & { readonly by: string })[] = [];
  /** The label that the role signs with now; earlier ones are revoked. */
  #role = 0;
  #days = 0;
  #before: Catalog | undefined;

  private constructor(publisher: Publisher, path: string, world: World) {
    this.publisher = publisher;
    this.path = path;
    this.#pinned = publisher.chain;
    this.#world = world;
  }

  static async open(): Promise<Model> {
    const publisher = await Publisher.begin();
    const keys = [await keyOf("ci/1")];
    await publisher.change(delegation("ci", { ...ROLE, keys }));
    const path = await Deno.makeTempFile();
    return new Model(publisher, path, await World.of(publisher, { state: FollowState.open(path) }));
  }

  async run(next: Step): Promise<void> {
    switch (next.do) {
      case "sign":
        return await this.#sign(next);
      case "show":
        return await this.#show(next);
      case "revoke":
        return await this.#revoke();
      case "renew":
        return await this.publisher.change(
          rotation({ add: [], remove: [], expiresS: this.#nowS + 400 * DAY_S }),
          ["root"],
          this.#nowS,
        );
      case "wait":
        this.#days += next.days;
        return this.#world.clock.jump(next.days * DAY_S * 1000);
      case "restart":
        return await this.#restart();
      default:
        next satisfies never;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
    await Deno.remove(this.path);
  }

  get #nowS(): number {
    return NOW_S + this.#days * DAY_S;
  }

  async #sign(next: Extract<Step, { do: "sign" }>): Promise<void> {
    const by = ["root", "stranger", "ci/1", "ci/2", "ci/3"][next.by]!;
    const { sequence, days } = next;
    const expiresS = this.#nowS + days * DAY_S;
    const made = await this.publisher.seal({
      sequence,
      labels: [by],
      issuedS: this.#nowS,
      expiresS,
      version: `${this.#all.length}.0`,
    });
    this.#all.push({ ...made, by });
  }

  /** The role's key is replaced; the last one stays, for there is nobody after it. */
  async #revoke(): Promise<void> {
    if (this.#role >= 2) return;
    this.#role++;
    await this.publisher.change(
      revocation({
        key: await keyOf(`ci/${this.#role}`),
        reason: "stolen",
        atS: this.#nowS,
        replacement: await keyOf(`ci/${this.#role + 1}`),
      }),
      ["root"],
      this.#nowS,
    );
  }

  async #show({ which, versions }: Extract<Step, { do: "show" }>): Promise<void> {
    const shown = which.flatMap((index) =>
      this.#all.at(index % Math.max(1, this.#all.length)) ?? []
    );
    const roots = this.publisher.chain.slice(0, 1 + versions);
    this.#world.show(this.publisher, ...shown.map((one) => ({ ...one, roots })));
    const before = this.#before;
    const { outcome, rootVersion } = await this.#world.look();
    const now = this.#world.counts();
    const known = this.publisher.chain[rootVersion - 1]!.signed;
    const revoked = new Set(known.revocations.map(({ key }) => key));
    if (before !== undefined && now?.sequence !== before.sequence) {
      const isBack = now === undefined || now.sequence < before.sequence;
      const gone = await keyOf(this.#whoSigned(before));
      assert.ok(!isBack || revoked.has(gone), "it went back, and nobody was revoked");
    }
    if (outcome === "new") {
      assert.ok(now!.expiresS > this.#nowS && known.expiresS > this.#nowS, "it has expired");
      const by = this.#whoSigned(now!);
      const key = await keyOf(by);
      const [role] = known.delegations;
      assert.ok(known.keys.includes(key) || role!.keys.includes(key), `${by} may not sign`);
      assert.ok(shown.some(({ catalog }) => isSame(catalog, now!)), "nobody showed it");
    } else if (before !== undefined && now !== undefined) {
      assert.ok(isSame(before, now), "another counts, and nothing is new");
    }
    if (now !== undefined) assert.ok(!revoked.has(await keyOf(this.#whoSigned(now))));
    this.#before = now;
  }

  #whoSigned(catalog: Catalog): string {
    return this.#all.find((one) => isSame(one.catalog, catalog))!.by;
  }

  async #restart(): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
    const state = FollowState.open(this.path);
    this.#world = await World.of(this.publisher, { state, pinned: this.#pinned });
    this.#world.clock.jump(this.#days * DAY_S * 1000);
    const now = this.#world.counts();
    assert.deepEqual(now, this.#before);
  }
}

function isSame(a: Catalog, b: Catalog): boolean {
  return a.sequence === b.sequence && a.releases[0]!.version === b.releases[0]!.version;
}

Deno.test("in no random world does a follower go back, take what nobody may sign, or forget", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
      await using model = await Model.open();
      for (const next of steps) await model.run(next);
    }),
    { numRuns: 60 },
  );
});
