/** A provider over the real runc, with a till in memory: the mint's own time is not measured here. */
import type { Image } from "../../provisioning/ports.ts";
import type { Answer } from "../../provisioning/wire/mod.ts";
import { MemoryTill, safeToken } from "../../tests/support/provisioning/memory_till.ts";
import {
  type RuncProvider,
  startRuncProvider,
} from "../../tests/support/provisioning/runc_provider.ts";

const SSH_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8dqBTOpFPz3wXwMcwKyGm0L5m1J5o8v6W7ZkZ0vW0p bench";

/** The provider, and requests of it. */
export class LeaseBenchWorld implements AsyncDisposable {
  readonly #lending: RuncProvider;
  #count = 0;

  private constructor(lending: RuncProvider) {
    this.#lending = lending;
  }

  static async open(stateDir: string, image: Image): Promise<LeaseBenchWorld> {
    const till = new MemoryTill();
    const settings = { name: "Bench", leasesPerKeyMax: 20 };
    return new LeaseBenchWorld(await startRuncProvider(stateDir, { image, till, settings }));
  }

  /** From the arrival of a request to its answer, which needs the banner; in milliseconds. */
  async spawn(): Promise<{ readonly ms: number; readonly lease: string; readonly owner: string }> {
    const index = ++this.#count;
    const owner = index.toString(16).padStart(64, "a");
    const startMs = performance.now();
    const answer = await this.#lending.provider.ask(owner, {
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
    await this.#lending.provider.ask(owner, { type: "stop", lease });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lending[Symbol.asyncDispose]();
  }
}

function leaseIn(answer: Answer): string {
  if (answer.type === "access") return answer.lease;
  throw new Error(`The request failed: ${JSON.stringify(answer)}`);
}
