/** How the nodes of a cluster come by images: each by its digest, never by a tag. */
import type { Image } from "../../ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { digestOf, manifestOf, RegistryPush } from "./registry_push.ts";

/** Makes images pullable by every node of a cluster. */
export interface ClusterImages {
  /** What pods name the image by, told without asking anybody. @throws {SeedmintError} `invalid`. */
  referenceOf(image: Image): string;
  /** Makes sure that it can be pulled by that name; once per image. */
  publish(image: Image, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** What the names of images begin with that we made. */
export const OURS = "seedmint.local/";

/** Where {@link RegistryImages} puts them. */
export interface RegistryImagesOptions {
  /** The registry as we reach it: `http://10.0.0.5:5056`. */
  readonly url: string;
  /** The registry as nodes name it: `10.0.0.5:5056`, `registry.example.com/leases`. */
  readonly pullFrom: string;
  /** @default {"seedmint"} */
  readonly repository?: string;
  readonly credentials?: { readonly username: string; readonly password: string };
}

/**
 * Pushes images into a registry that the nodes pull from: what exists in the swarm only runs on any
 * cluster then.
 */
export class RegistryImages implements ClusterImages {
  readonly #options: RegistryImagesOptions;
  readonly #push: RegistryPush;

  constructor(options: RegistryImagesOptions) {
    this.#options = options;
    this.#push = new RegistryPush({ ...options, repository: this.#repository });
  }

  get #repository(): string {
    const [, path] = /^[^/]+(?:\/(.+))?$/.exec(this.#options.pullFrom) ?? [];
    const name = this.#options.repository ?? "seedmint";
    return path === undefined ? name : `${path}/${name}`;
  }

  referenceOf(image: Image): string {
    const [host] = this.#options.pullFrom.split("/");
    return `${host}/${this.#repository}@sha256:${digestOf(manifestOf(image).manifest)}`;
  }

  async publish(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#push.push(image, options);
  }
}

/**
 * Leaves images where they are: each node asks its own mirror, by digest. For clusters whose nodes each
 * run a node of ours that containerd or CRI-O asks first.
 */
export class MirroredImages implements ClusterImages {
  referenceOf(image: Image): string {
    const [, name] = /^([a-z0-9][A-Za-z0-9._:/-]*?)(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?$/
      .exec(image.name) ?? [];
    if (name === undefined) {
      throw new SeedmintError(
        "invalid",
        `Cannot run ${image.name.slice(0, 80)} on a cluster: a name of a registry is wanted`,
      );
    }
    return `${name}@sha256:${image.digest}`;
  }

  /** @throws {SeedmintError} `usage` for an image of ours, which no mirror has. */
  // deno-lint-ignore require-await -- a failure is one of the promise
  async publish(image: Image): Promise<void> {
    if (!image.name.startsWith(OURS)) return;
    throw new SeedmintError(
      "usage",
      "Cannot give leases an SSH server: nodes find its image nowhere; name a registry that we may push to and they pull from",
    );
  }
}
