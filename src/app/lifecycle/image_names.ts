/** How people name images, and which of them were pushed to this node. */
import { SeedmintError } from "../../core/errors.ts";
import {
  type ImageName,
  looksLikeHost,
  parseImageName,
  registryOf,
} from "../../../swarm/registry/names.ts";
import { LOCAL_REGISTRY } from "../../../swarm/registry/index/mod.ts";
import type { HostPort } from "../config/values.ts";

/** Reads names. */
export class ImageNames {
  /** Hosts by which clients push here. */
  readonly #own: ReadonlySet<string>;

  /** @param push Where this node takes pushes, if it does. */
  constructor(push: HostPort | undefined) {
    const hosts = push === undefined ? [] : ["127.0.0.1", "localhost", "[::1]", push.hostname];
    this.#own = new Set(
      hosts.flatMap((host) => registryOf(`${bracketed(host)}:${push!.port}`) ?? []),
    );
  }

  /**
   * Reads a name; one by the address of the push registry is one of its own.
   *
   * @throws {SeedmintError} `usage`
   */
  read(text: string): ImageName {
    try {
      const name = parseImageName(text);
      return this.#own.has(name.registry) ? { ...name, registry: LOCAL_REGISTRY } : name;
    } catch (error) {
      if (error instanceof SyntaxError) throw new SeedmintError("usage", error.message);
      throw error;
    }
  }

  /** Reads where an image is to be pushed. @throws {SeedmintError} `usage` if that is not clear. */
  readTarget(text: string): ImageName & { readonly reference: { readonly tag: string } } {
    const name = this.read(text);
    const { tag } = name.reference;
    if (tag !== undefined && looksLikeHost(text.split("/")[0]!)) {
      return { ...name, reference: { tag } };
    }
    throw new SeedmintError(
      "usage",
      `Cannot push to "${text.slice(0, 80)}": its registry and a tag wanted, ` +
        "as in 127.0.0.1:5056/team/app:1 or docker.io/team/app:1",
    );
  }
}

/** Whether a name is one of what was pushed here. */
export function isLocal(name: { readonly registry: string }): boolean {
  return name.registry === LOCAL_REGISTRY;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
