/** The registries that this node asks and pushes to, each client made once. */
import type { Clock } from "../../core/ports.ts";
import {
  credentialFiles,
  Credentials,
  RegistryClient,
} from "../../../swarm/registry/upstream/mod.ts";
import type { Config } from "../config/settings.ts";
import type { UpstreamFigures } from "../image_metrics.ts";

/** The most registries whose clients are kept: pushes may go anywhere, the mirrored ones are few. */
const CLIENTS_MAX = 64;

/** Variables that say where logins are kept, besides the settings. */
const VARIABLES = [
  "REGISTRY_AUTH_FILE",
  "XDG_RUNTIME_DIR",
  "XDG_CONFIG_HOME",
  "DOCKER_CONFIG",
  "HOME",
];

/** Registry clients by name. */
export class Upstreams {
  readonly #config: Pick<Config, "mirrorUpstream">;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  /** Files that the settings name and that were not there. */
  readonly #missing: readonly string[];
  /** The one asked last at the end. */
  readonly #clients = new Map<string, RegistryClient>();

  private constructor(
    config: Pick<Config, "mirrorUpstream">,
    credentials: Credentials,
    clock: Clock,
    missing: readonly string[],
  ) {
    this.#config = config;
    this.#missing = missing;
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** Reads the node's logins. */
  static async open(
    config: Pick<Config, "mirrorUpstream" | "registryAuth">,
    clock: Clock,
  ): Promise<Upstreams> {
    const env = Object.fromEntries(VARIABLES.map((name) => [name, variable(name)]));
    const files = credentialFiles(config.registryAuth, env);
    const missing: string[] = [];
    for (const file of config.registryAuth) if (!await exists(file)) missing.push(file);
    return new Upstreams(config, await Credentials.open({ files, clock }), clock, missing);
  }

  /** The client of a registry, by its canonical host. */
  of(registry: string): RegistryClient {
    const known = this.#clients.get(registry);
    const url = this.#urlOf(registry);
    const client = known ?? new RegistryClient({
      registry,
      ...(url === undefined ? {} : { url }),
      credentials: this.#credentials,
      clock: this.#clock,
    });
    this.#clients.delete(registry);
    this.#clients.set(registry, client);
    if (this.#clients.size > CLIENTS_MAX) this.#clients.delete(this.#clients.keys().next().value!);
    return client;
  }

  /** What is wrong with the logins. */
  problems(): readonly string[] {
    const missing = this.#missing.map((file) =>
      `There is no file ${file} with logins, which registry-auth names`
    );
    return [...missing, ...this.#credentials.problems()];
  }

  /** What registries that were asked say of their limits, in order of name. */
  figures(): readonly (UpstreamFigures & { readonly limitedMs: number })[] {
    return [...this.#clients.values()].map((client) => {
      const { registry, remaining, limitedCount, limitedMs } = client.limits();
      return {
        registry,
        limitedCount,
        limitedMs: Math.max(0, ...Object.values(limitedMs)),
        ...(remaining === undefined ? {} : { remaining }),
      };
    }).sort((a, b) => a.registry < b.registry ? -1 : 1);
  }

  #urlOf(registry: string): string | undefined {
    const said = this.#config.mirrorUpstream.find((one) => one.registry === registry);
    if (said !== undefined) return said.value;
    // On this machine registries speak plain HTTP, as every client takes it.
    const host = registry.replace(/:\d+$/, "");
    return /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(host) ? `http://${registry}` : undefined;
  }
}

/** A variable, if this process may see it. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(
    () => true,
    (error) => !(error instanceof Deno.errors.NotFound),
  );
}
