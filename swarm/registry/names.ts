/**
 * Names of the OCI distribution specification (1.1): registries, repositories, tags and digests. A
 * registry is named by its canonical host, `docker.io` for all names of Docker Hub.
 */
import { isSha256, type Sha256 } from "../../src/core/hash.ts";

declare const digestBrand: unique symbol;

/** `sha256:` and 64 lower-case hex digits: the one algorithm that registries speak here. */
export type Digest = `sha256:${string}` & { readonly [digestBrand]: true };

/** A repository of a registry. */
export interface RepositoryName {
  /** Canonical host with its port if it has one: `docker.io`, `ghcr.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** Path below it, `library/` written out for Docker Hub: `library/nginx`. */
  readonly repository: string;
}

/** What a manifest is asked by. */
export type Reference =
  | { readonly tag: string; readonly digest?: never }
  | { readonly digest: Digest; readonly tag?: never };

/** An image as people write it: `nginx`, `ghcr.io/acme/web:1.2`, `quay.io/a/b@sha256:…`. */
export interface ImageName extends RepositoryName {
  readonly reference: Reference;
}

/** The most characters of a repository's path, as registries and clients hold it. */
export const REPOSITORY_CHARS_MAX = 255;

const REPOSITORY =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?$/;
const HOST_CHARS_MAX = 259;

/** Docker Hub's many names. */
const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** Whether `text` is a digest that is understood. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && text.startsWith("sha256:") && isSha256(text.slice(7));
}

/** The digest of content whose SHA-256 is known. */
export function digestOf(sha256: Sha256): Digest {
  return `sha256:${sha256}` as Digest;
}

/** The SHA-256 that a digest holds. */
export function sha256Of(digest: Digest): Sha256 {
  return digest.slice(7) as Sha256;
}

/** Whether `text` is a tag. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Whether `text` is a repository's path. */
export function isRepository(text: string): boolean {
  return text.length <= REPOSITORY_CHARS_MAX && REPOSITORY.test(text);
}

/** The canonical host of a registry, or undefined if `text` is none. */
export function registryOf(text: string): string | undefined {
  const host = text.toLowerCase();
  if (host.length > HOST_CHARS_MAX || !HOST.test(host)) return undefined;
  return DOCKER_HUB.has(host) ? "docker.io" : host;
}

/** A repository with its canonical names; undefined where either is malformed. */
export function repositoryName(registry: string, repository: string): RepositoryName | undefined {
  const host = registryOf(registry);
  if (host === undefined || !isRepository(repository)) return undefined;
  const isOfficial = host === "docker.io" && !repository.includes("/");
  return { registry: host, repository: isOfficial ? `library/${repository}` : repository };
}

/** Reads a tag or a digest as it stands in a URL; undefined if it is neither. */
export function parseReference(text: string): Reference | undefined {
  if (isDigest(text)) return { digest: text };
  return isTag(text) ? { tag: text } : undefined;
}

/** Whether the first part of a path names a registry, as docker and containers/image tell it. */
export function looksLikeHost(part: string): boolean {
  return part.includes(".") || part.includes(":") || part === "localhost";
}

/**
 * Reads an image's name as people write it; what it leaves out is `docker.io` and `:latest`.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parseImageName(text: string): ImageName {
  const wrong = (what: string) =>
    new SyntaxError(`Cannot read "${text.slice(0, 80)}" as an image: ${what}`);
  const [, path, tag, digest] = /^(.*?)(?::([^:/@]*))?(?:@(.*))?$/.exec(text.trim())!;
  const slash = path!.indexOf("/");
  const first = slash < 0 ? "" : path!.slice(0, slash);
  const [registry, repository] = looksLikeHost(first)
    ? [first, path!.slice(slash + 1)]
    : ["docker.io", path!];
  const name = repositoryName(registry, repository);
  if (name === undefined) {
    throw wrong("wanted [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], all in lower case");
  }
  if (digest !== undefined) {
    if (!isDigest(digest)) throw wrong("its digest is not sha256: and 64 hex digits");
    return { ...name, reference: { digest } };
  }
  if (tag !== undefined && !isTag(tag)) throw wrong(`"${tag}" is no tag`);
  return { ...name, reference: { tag: tag ?? "latest" } };
}

/** A repository as text: `docker.io/library/nginx`. */
export function formatRepository({ registry, repository }: RepositoryName): string {
  return `${registry}/${repository}`;
}

/** An image as text, canonical: `docker.io/library/nginx:latest`. */
export function formatImageName(name: ImageName): string {
  const { tag, digest } = name.reference;
  return `${formatRepository(name)}${tag === undefined ? `@${digest}` : `:${tag}`}`;
}
