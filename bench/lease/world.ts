/** A provider over the real runc, with a till in memory: the mint's own time is not measured here. */
import { join } from "node:path";
import { RuncBackend } from "../../provisioning/backends/runc/mod.ts";
import { LeaseJournal } from "../../provisioning/leases/mod.ts";
import type { Image, Images } from "../../provisioning/ports.ts";
import { DEFAULT_SETTINGS, Provider, sshKit } from "../../provisioning/provider/mod.ts";
import type { Answer } from "../../provisioning/wire/mod.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { BASIC, PROVIDER_KEY } from "../../tests/support/provisioning/lease_world.ts";
import { MemoryTill, safeToken } from "../../tests/support/provisioning/memory_till.ts";

const SSH_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8dqBTOpFPz3wXwMcwKyGm0L5m1J5o8v6W7ZkZ0vW0p bench";

/** One image, always here. */
class OneImage implements Images {
  readonly #image: Image;

  constructor(image: Image) {
    this.#image = image;
  }

  bring(): Promise<Image> {
    return Promise.resolve(this.#image);
  }

  has(): boolean {
    return true;
  }
}

/** The provider, and requests of it. */
export class LeaseBenchWorld implements AsyncDisposable {
  readonly backend: RuncBackend;
  readonly provider: Provider;
  readonly #journal: LeaseJournal;
  #count = 0;

  private constructor(parts: {
    readonly backend: RuncBackend;
    readonly provider: Provider;
    readonly journal: LeaseJournal;
  }) {
    this.backend = parts.backend;
    this.provider = parts.provider;
    this.#journal = parts.journal;
  }

  static async open(stateDir: string, image: Image): Promise<LeaseBenchWorld> {
    const backend = await RuncBackend.open({
      stateDir,
      publicHost: "127.0.0.1",
      clock: systemClock,
      random: systemRandom,
    });
    const journal = LeaseJournal.open({ path: join(stateDir, "leases.sqlite") });
    const provider = await Provider.start({
      provider: PROVIDER_KEY,
      settings: {
        ...DEFAULT_SETTINGS,
        name: "Bench",
        specs: [{ ...BASIC, cpuMillicores: 100, memoryMb: 64, diskMb: 64, rateMsatPerS: 1000 }],
        minDurationMs: 1000,
        ports: { first: 31_500, last: 31_599 },
        leasesPerKeyMax: 20,
      },
      journal,
      backend,
      till: new MemoryTill(),
      images: new OneImage(image),
      ssh: sshKit({ clock: systemClock, random: systemRandom }),
      clock: systemClock,
      random: systemRandom,
    });
    return new LeaseBenchWorld({ backend, provider, journal });
  }

  /** From the arrival of a request to its answer, which needs the banner; in milliseconds. */
  async spawn(): Promise<{ readonly ms: number; readonly lease: string; readonly owner: string }> {
    const index = ++this.#count;
    const owner = index.toString(16).padStart(64, "a");
    const startMs = performance.now();
    const answer = await this.provider.ask(owner, {
      type: "spawn",
      token: safeToken(`bench-${index}`, 600),
      image: "busybox",
      sshUsername: "root",
      sshPassword: "",
      sshPublicKey: SSH_KEY,
    });
    const ms = performance.now() - startMs;
    return { ms, lease: leaseIn(answer), owner };
  }

  async stop({ lease, owner }: { readonly lease: string; readonly owner: string }): Promise<void> {
    await this.provider.ask(owner, { type: "stop", lease });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider[Symbol.asyncDispose]();
    this.#journal[Symbol.dispose]();
    await this.backend[Symbol.asyncDispose]();
  }
}

function leaseIn(answer: Answer): string {
  if (answer.type === "access") return answer.lease;
  throw new Error(`The request failed: ${JSON.stringify(answer)}`);
}
