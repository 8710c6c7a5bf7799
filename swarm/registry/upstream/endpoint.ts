/** Where a registry answers, and the URLs of what is in it (distribution specification, section "Endpoints"). */
import {
  type Digest,
  isDigest,
  isRepository,
  isTag,
  type Reference,
  registryOf,
} from "../names.ts";

/** Docker Hub's names lead to a web page; its registry is this host. */
const HUB_URL = "https://registry-1.docker.io";

/** A registry's place: its name, and the URL above `/v2/`. */
export class Endpoint {
  /** Canonical host: `docker.io`. */
  readonly registry: string;
  /** Without a slash at its end. */
  readonly #base: string;
  readonly origin: string;
  /** Whether the operator says that it speaks plain HTTP. */
  readonly isPlain: boolean;

  /**
   * @param url Where it answers, if not at `https://` and its name.
   * @throws {SyntaxError} If either cannot be one.
   */
  constructor(registry: string, url?: string) {
    const canonical = registryOf(registry);
    if (canonical === undefined) {
      throw new SyntaxError(
        `Cannot use "${registry.slice(0, 80)}" as a registry: HOST[:PORT] wanted`,
      );
    }
    const text = url ?? (canonical === "docker.io" ? HUB_URL : `https://${canonical}`);
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    const isUsable = parsed !== undefined && /^https?:$/.test(parsed.protocol) &&
      parsed.username === "" && parsed.password === "" && parsed.search === "" &&
      parsed.hash === "";
    if (!isUsable) {
      throw new SyntaxError(
        `Cannot use the URL of registry ${canonical}: http:// or https://, a host and a path are wanted; ` +
          "logins belong into an auth file",
      );
    }
    this.registry = canonical;
    this.origin = parsed.origin;
    this.isPlain = parsed.protocol === "http:";
    this.#base = `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
  }

  manifest(repository: string, reference: Reference): URL {
    const { tag, digest } = reference;
    const isGood = tag === undefined ? isDigest(digest) : isTag(tag);
    if (!isGood) throw new RangeError("Cannot ask for a manifest: neither a tag nor a digest");
    return this.#url(repository, `manifests/${tag ?? digest}`);
  }

  blob(repository: string, digest: Digest): URL {
    return this.#url(repository, `blobs/${checked(digest)}`);
  }

  uploads(repository: string): URL {
    return this.#url(repository, "blobs/uploads/");
  }

  tags(repository: string): URL {
    return this.#url(repository, "tags/list");
  }

  referrers(repository: string, digest: Digest): URL {
    return this.#url(repository, `referrers/${checked(digest)}`);
  }

  /** What is below a repository. Nothing that is not a name gets into a path. */
  #url(repository: string, rest: string): URL {
    if (!isRepository(repository)) {
      throw new RangeError(`Cannot ask registry ${this.registry}: malformed repository`);
    }
    return new URL(`${this.#base}/v2/${repository}/${rest}`);
  }
}

function checked(digest: Digest): Digest {
  if (!isDigest(digest)) throw new RangeError("Cannot ask a registry: malformed digest");
  return digest;
}
