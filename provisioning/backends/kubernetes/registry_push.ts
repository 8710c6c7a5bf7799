/**
 * Puts an image into a registry, as far as the registry does not have it.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#push
 */
import { createHash } from "node:crypto";
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import type { Image, ImageLayer } from "../../ports.ts";
import { REGISTRY_ANSWER_BYTES_MAX, REGISTRY_MS_MAX } from "./limits.ts";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";

/** Where images are put. */
export interface RegistryPushOptions {
  readonly url: string;
  readonly repository: string;
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** An image's manifest and configuration, written anew from what is known of it: always the same bytes. */
export function manifestOf(
  image: Image,
): { readonly manifest: Uint8Array<ArrayBuffer>; readonly config: Uint8Array<ArrayBuffer> } {
  const { user, env, entrypoint, cmd, workingDir, exposedPorts } = image.config;
  const config = bytesOf({
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: {
      ...(user === undefined ? {} : { User: user }),
      Env: env,
      Entrypoint: entrypoint,
      Cmd: cmd,
      ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
      ExposedPorts: Object.fromEntries(exposedPorts.map((port) => [port, {}])),
    },
    rootfs: { type: "layers", diff_ids: image.layers.map(({ diffId }) => `sha256:${diffId}`) },
  });
  const manifest = bytesOf({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: `sha256:${digestOf(config)}`, size: config.length },
    layers: image.layers.map(({ mediaType, sha256, size }) => ({
      mediaType,
      digest: `sha256:${sha256}`,
      size,
    })),
  });
  return { manifest, config };
}

/** SHA-256 in hex. */
export function digestOf(bytes: Uint8Array): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

/** One repository of a registry. */
export class RegistryPush {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** Manifests that were put. */
  readonly #done = new Set<string>();

  constructor(options: RegistryPushOptions) {
    this.#base = `${options.url.replace(/\/+$/, "")}/v2/${options.repository}`;
    const { credentials } = options;
    const pair = new TextEncoder().encode(`${credentials?.username}:${credentials?.password}`);
    this.#headers = credentials === undefined ? {} : { authorization: `Basic ${pair.toBase64()}` };
  }

  /** @throws {SeedmintError} `unavailable`, `denied`. */
  async push(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    const { manifest, config } = manifestOf(image);
    const digest = digestOf(manifest);
    if (this.#done.has(digest)) return;
    const { signal } = options;
    if (!await this.#has(`manifests/sha256:${digest}`, signal)) {
      for (const layer of image.layers) await this.#putBlob(layer, signal);
      await this.#putBlob({ sha256: digestOf(config), size: config.length, open: config }, signal);
      await this.#send("PUT", `${this.#base}/manifests/sha256:${digest}`, signal, {
        headers: { "content-type": MANIFEST_TYPE },
        body: manifest,
      });
    }
    this.#done.add(digest);
  }

  async #has(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#send("HEAD", `${this.#base}/${path}`, signal, {
        headers: { accept: MANIFEST_TYPE },
      });
      return true;
    } catch (error) {
      if (isSeedmintError(error, "not-found")) return false;
      throw error;
    }
  }

  async #putBlob(
    blob: Pick<ImageLayer, "sha256" | "size"> & {
      readonly open: ImageLayer["open"] | Uint8Array<ArrayBuffer>;
    },
    signal: AbortSignal,
  ): Promise<void> {
    if (await this.#has(`blobs/sha256:${blob.sha256}`, signal)) return;
    const begun = await this.#send("POST", `${this.#base}/blobs/uploads/`, signal);
    const place = begun.headers.get("location");
    if (place === null) throw unanswered(this.#base, "it names no place for an upload");
    const target = new URL(place, `${this.#base}/`);
    // Bytes and credentials go to the registry only.
    if (target.origin !== new URL(this.#base).origin) {
      throw unanswered(this.#base, `it sends uploads to ${target.origin}`);
    }
    target.searchParams.set("digest", `sha256:${blob.sha256}`);
    await this.#send("PUT", target.href, signal, {
      headers: { "content-type": "application/octet-stream" },
      body: typeof blob.open === "function" ? await blob.open() : blob.open,
    });
  }

  async #send(
    method: string,
    url: string,
    signal: AbortSignal,
    options: { readonly headers?: Record<string, string>; readonly body?: BodyInit } = {},
  ): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(url, {
        method,
        headers: { ...this.#headers, ...options.headers },
        ...(options.body === undefined ? {} : { body: options.body }),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(REGISTRY_MS_MAX)]),
      });
    } catch (error) {
      signal.throwIfAborted();
      throw unanswered(this.#base, messageOf(error));
    }
    const said = await start(answer);
    if (answer.ok) return answer;
    const code = answer.status === 404
      ? "not-found"
      : answer.status === 401 || answer.status === 403
      ? "denied"
      : "unavailable";
    throw new SeedmintError(
      code,
      `Cannot put an image into ${this.#base}: it answered ${answer.status} to ${method}: ${
        said.slice(0, 200)
      }`,
      { retryable: code === "unavailable" },
    );
  }
}

/** The beginning of an answer; the rest is not read. */
async function start(answer: Response): Promise<string> {
  let text = "";
  if (answer.body === null) return text;
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.length > REGISTRY_ANSWER_BYTES_MAX) break;
  }
  return text;
}

function unanswered(base: string, why: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot put an image into ${base}: ${why}; check that the registry runs and takes pushes`,
    { retryable: true },
  );
}

function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
