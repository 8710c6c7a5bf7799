/** A provider over the real runc, with one image and a till in memory. */
import { join } from "node:path";
import { RuncBackend } from "../../../provisioning/backends/runc/mod.ts";
import { LeaseJournal } from "../../../provisioning/leases/mod.ts";
import type { Image, Images } from "../../../provisioning/ports.ts";
import {
  DEFAULT_SETTINGS,
  Provider,
  type ProviderSettings,
  sshKit,
} from "../../../provisioning/provider/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { BASIC, PROVIDER_KEY } from "./lease_world.ts";
import type { MemoryTill } from "./memory_till.ts";

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

/** A provider with its backend; its leases outlive it. */
export interface RuncProvider extends AsyncDisposable {
  readonly provider: Provider;
  readonly backend: RuncBackend;
}

/** Starts a provider whose leases are below `stateDir`: those that are there go on. */
export async function startRuncProvider(
  stateDir: string,
  options: {
    readonly image: Image;
    readonly till: MemoryTill;
    readonly settings?: Partial<ProviderSettings>;
  },
): Promise<RuncProvider> {
  const own = { clock: systemClock, random: systemRandom };
  const backend = await RuncBackend.open({ stateDir, publicHost: "127.0.0.1", ...own });
  const journal = LeaseJournal.open({ path: join(stateDir, "leases.sqlite") });
  const provider = await Provider.start({
    provider: PROVIDER_KEY,
    settings: {
      ...DEFAULT_SETTINGS,
      name: "Test",
      specs: [{ ...BASIC, cpuMillicores: 100, memoryMb: 64, diskMb: 64, rateMsatPerS: 1000 }],
      minDurationMs: 1000,
      ports: { first: 31_500, last: 31_599 },
      ...options.settings,
    },
    journal,
    backend,
    till: options.till,
    images: new OneImage(options.image),
    ssh: sshKit(own),
    ...own,
  });
  return {
    provider,
    backend,
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]();
      journal[Symbol.dispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}
