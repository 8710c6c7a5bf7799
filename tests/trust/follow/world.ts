/** A follower with finders and bytes of a test's making, under a clock that it moves. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Catalog } from "../../../trust/catalog/mod.ts";
import {
  type CatalogBytes,
  type CatalogFinder,
  type CatalogQuery,
  Follower,
  FollowState,
  type FoundPublication,
  type RefreshReport,
} from "../../../trust/follow/mod.ts";
import type { SignedRoot } from "../../../trust/root/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { NOW_MS, type Publisher, type Sealed } from "../publisher.ts";

/** What is in the world: publications that can be found, and bytes that can be had. */
export class World implements AsyncDisposable {
  readonly clock = new ManualClock(NOW_MS);
  readonly state: FollowState;
  readonly follower: Follower;
  /** What the finders show. */
  shown: FoundPublication[] = [];
  find: (query: CatalogQuery) => Iterable<FoundPublication> = () => this.shown;
  readonly #bytes = new Map<string, Uint8Array>();
  readonly accepted: string[] = [];
  fetchCount = 0;

  private constructor(options: { readonly state?: FollowState; readonly development: boolean }) {
    this.state = options.state ?? FollowState.open(":memory:");
    this.follower = new Follower({
      state: this.state,
      finders: [this.#finder()],
      bytes: this.#source(),
      clock: this.clock,
      random: seededRandom(1),
      development: options.development,
      onAccepted: ({ catalog }) => this.accepted.push(`${catalog.name} ${catalog.sequence}`),
    });
  }

  /** A world in which `tools` of a publisher is followed from its first root on. */
  static async of(
    publisher: Publisher,
    options: {
      readonly state?: FollowState;
      readonly development?: boolean;
      readonly pinned?: readonly SignedRoot[];
      readonly names?: readonly string[];
      readonly pins?: readonly string[];
    } = {},
  ): Promise<World> {
    const { development = false, names = ["tools"] } = options;
    const world = new World({ ...options, development });
    const { id: root } = await world.follower.pin(options.pinned ?? publisher.chain.slice(0, 1));
    for (const name of names) {
      const pins = options.pins === undefined ? {} : { pins: options.pins };
      world.follower.follow({ root, name, publishers: [], selectors: [], ...pins });
    }
    return world;
  }

  /** Shows these alone; the bytes of each can be had from now on. */
  show(
    publisher: Publisher,
    ...sealed: readonly (Sealed & { readonly roots?: readonly SignedRoot[] })[]
  ): void {
    this.shown = sealed.map(({ seal, bytes, roots }) => {
      this.#bytes.set(seal.signed.blake3, bytes);
      return { seal, roots: roots ?? publisher.chain, urls: [], from: "the test" };
    });
  }

  /** Other bytes under the name of a catalog. */
  spoil({ seal }: Sealed, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#bytes.delete(seal.signed.blake3);
    else this.#bytes.set(seal.signed.blake3, bytes);
  }

  /** One look for `name`. */
  async look(name = "tools"): Promise<RefreshReport> {
    return await this.follower.refresh(this.follower.keyOf(name));
  }

  /** The codes with which the last look refused. */
  async refusals(name?: string): Promise<readonly string[]> {
    return (await this.look(name)).refused.map(({ code }) => code);
  }

  /** What counts. */
  counts(name = "tools"): Catalog | undefined {
    return this.follower.accepted(this.follower.keyOf(name))?.catalog;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower[Symbol.asyncDispose]();
    this.state[Symbol.dispose]();
  }

  #finder(): CatalogFinder {
    const find = (query: CatalogQuery) => this.find(query);
    return {
      name: "test",
      async *find(query) {
        yield* find(query);
      },
    };
  }

  #source(): CatalogBytes {
    return {
      // deno-lint-ignore require-await
      fetch: async ({ blake3 }) => {
        this.fetchCount++;
        const bytes = this.#bytes.get(blake3);
        if (bytes !== undefined) return bytes;
        throw new SeedmintError("unavailable", "nobody has it");
      },
    };
  }
}
