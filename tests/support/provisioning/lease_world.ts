/**
 * The world of a provider test: engine, till, images and a journal on disk, which outlive the provider;
 * and providers that can be killed at any commit and before or after any call.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers";
import { SeedmintError } from "../../../src/core/errors.ts";
import { LeaseJournal, type LeaseSpec } from "../../../provisioning/leases/mod.ts";
import {
  DEFAULT_SETTINGS,
  Provider,
  type ProviderEvent,
  type ProviderSettings,
} from "../../../provisioning/provider/mod.ts";
import type { Answer, Request } from "../../../provisioning/wire/mod.ts";
import { ManualClock } from "../manual_clock.ts";
import { seededRandom } from "../seeded_random.ts";
import { MemoryBackend } from "./memory_backend.ts";
import { MemoryImages } from "./memory_images.ts";
import { MemoryTill } from "./memory_till.ts";

/** Keys of this world. */
export const PROVIDER_KEY = "aa".repeat(32);
export const ALICE = "a1".repeat(32);
export const BOB = "b0".repeat(32);

/** 50 msat a second. */
export const BASIC: LeaseSpec = {
  id: "basic",
  name: "Basic",
  description: "1 vCPU, 1GB RAM",
  cpuMillicores: 1000,
  memoryMb: 1024,
  diskMb: 1024,
  rateMsatPerS: 50,
};

/** Nothing in this world waits for more than promises, so one turn of the event loop settles it. */
class QuickClock extends ManualClock {
  override settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** Thrown where a provider is killed, and by everything that it touches afterwards. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** Counts the points at which a provider can be killed, and kills it at one. */
export class KillSwitch {
  readonly #at: number;
  #count = 0;
  isDead = false;
  /** Where it was killed. */
  place: string | undefined;

  constructor(at = Infinity) {
    this.#at = at;
  }

  point(place: string): void {
    if (!this.isDead && ++this.#count === this.#at) {
      this.isDead = true;
      this.place = place;
    }
    if (this.isDead) throw new Killed(place);
  }

  /** `target` as the provider sees it: it can be killed before each call and after it. */
  around<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const member = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return (...values: unknown[]) => {
          // What is only read changes nothing by a death.
          if (name === "inspect" || name === "idOf" || name === "has") {
            return member.apply(object, values);
          }
          this.point(`before ${String(name)}`);
          const result: unknown = member.apply(object, values);
          if (!(result instanceof Promise)) return result;
          return result.then((value) => {
            this.point(`after ${String(name)}`);
            return value;
          });
        };
      },
    });
  }
}

/** A provider with the parts that die with it. */
export interface Generation extends AsyncDisposable {
  readonly provider: Provider;
  readonly journal: LeaseJournal;
  readonly events: ProviderEvent[];
  readonly kill: KillSwitch;
}

/** The world. */
export class LeaseWorld implements AsyncDisposable {
  readonly clock: ManualClock = new QuickClock();
  readonly random = seededRandom(7);
  readonly backend = new MemoryBackend();
  readonly till = new MemoryTill();
  readonly images = new MemoryImages();
  /** Whether SSH answers. */
  answersSsh = true;
  /** Images in which it does not. */
  readonly silentImages = new Set<string>();
  settings: ProviderSettings = { ...DEFAULT_SETTINGS, name: "Test", specs: [BASIC] };
  readonly #folder = Deno.makeTempDirSync({ prefix: "leases-" });
  readonly #generations: Generation[] = [];

  /** Starts a provider that is killed at point `killAt`. @throws {Killed} */
  async start(killAt = Infinity): Promise<Generation> {
    const kill = new KillSwitch(killAt);
    let journal: LeaseJournal;
    try {
      journal = LeaseJournal.open({
        path: join(this.#folder, "leases.sqlite"),
        beforeCommit: () => kill.point("commit"),
      });
    } catch (error) {
      throw kill.isDead ? new Killed(kill.place) : error;
    }
    const events: ProviderEvent[] = [];
    try {
      const starting = Provider.start({
        provider: PROVIDER_KEY,
        settings: this.settings,
        journal,
        backend: kill.around(this.backend),
        till: kill.around(this.till),
        images: kill.around(this.images),
        ssh: kill.around(this.#ssh()),
        clock: this.clock,
        random: this.random,
      });
      const provider = await starting;
      provider.onEvent((event) => events.push(event));
      const generation: Generation = {
        provider,
        journal,
        events,
        kill,
        [Symbol.asyncDispose]: async () => {
          await provider[Symbol.asyncDispose]();
          journal[Symbol.dispose]();
        },
      };
      this.#generations.push(generation);
      return generation;
    } catch (error) {
      journal[Symbol.dispose]();
      throw kill.isDead ? new Killed(kill.place) : error;
    }
  }

  /** Asks and lets time pass until there is an answer, for up to `ms`. */
  async ask(
    generation: Generation,
    owner: string,
    request: Request,
    options: Parameters<Provider["ask"]>[2] & { readonly ms?: number } = {},
  ): Promise<Answer> {
    const { ms = 120_000, ...rest } = options;
    const asking = generation.provider.ask(owner, request, rest);
    let isDone = false;
    const done = asking.then(() => isDone = true, () => isDone = true);
    await this.clock.settle();
    let stepMs = 50;
    for (let waitedMs = 0; !isDone && waitedMs < ms; waitedMs += stepMs) {
      if (generation.kill.isDead) break;
      await this.clock.advance(stepMs);
      stepMs = Math.min(20_000, stepMs * 3);
    }
    if (generation.kill.isDead && !isDone) {
      asking.catch(() => {});
      throw new Killed(generation.kill.place);
    }
    await done;
    return await asking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const generation of this.#generations) {
      await Promise.resolve(generation[Symbol.asyncDispose]()).catch(() => {});
    }
    await Deno.remove(this.#folder, { recursive: true });
  }

  #ssh() {
    return {
      newHostKey: () =>
        Promise.resolve({
          privateKey: "a key of the host",
          fingerprint: `SHA256:${"f".repeat(43)}`,
        }),
      awaitBanner: async (
        address: { readonly host: string; readonly port: number },
        { signal }: { readonly signal: AbortSignal },
      ) => {
        const isThere = [...this.backend.instances.values()].some((instance) =>
          instance.state === "running" && instance.spec.ssh.hostPort === address.port &&
          !this.silentImages.has(instance.spec.image.name)
        );
        if (this.answersSsh && isThere) return;
        await this.clock.sleep(3_600_000, { signal });
        throw new SeedmintError("unavailable", "No SSH there");
      },
    };
  }
}
