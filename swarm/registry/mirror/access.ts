/**
 * Who may be answered with what.
 *
 * What was had without a credential is open. What was had with one is answered only for a repository
 * that has it, and that our credential was accepted for within the last hour. What nobody here knows
 * anything of is asked about upstream, by a request without a body.
 */
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import { LOCAL_REGISTRY, type MemberKind, type RegistryIndex } from "../index/mod.ts";
import { type Digest, formatRepository, type RepositoryName, sha256Of } from "../names.ts";
import type { Upstream } from "../ports.ts";
import { Deadline } from "./deadline.ts";
import { FROM_PEERS_MAX, type MirrorLimits } from "./limits.ts";
import type { MirrorMode } from "./options.ts";
import { SharedWork } from "./shared_work.ts";

/** What {@link Access} works with. */
export interface AccessOptions {
  readonly store: Pick<BlobStore, "findBySha256">;
  readonly index: RegistryIndex;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** Whether the fleet may hold what only a credential gives: then what it holds is open to nobody yet. */
  readonly sharesPrivate: boolean;
  /** Ends all questions. */
  readonly signal: AbortSignal;
  /** Upstream has this blob now. */
  readonly onUpstream: (name: RepositoryName, digest: Digest, size?: number) => void;
}

/** A repository as a request names it, and what is behind it. */
export interface Target {
  readonly name: RepositoryName;
  readonly upstream: Upstream;
  readonly mode: MirrorMode;
}

/** See the head of this file. */
export class Access {
  readonly #options: AccessOptions;
  readonly #asking = new SharedWork<boolean>();
  /** What peers gave, the newest at the end. */
  readonly #fromPeers = new Set<Digest>();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Whether `digest` may be answered for the repository. Never throws but for `signal`. */
  async may(
    target: Target,
    wanted: { readonly digest: Digest; readonly kind: MemberKind },
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = this.#known(target, wanted.digest);
    if (known !== "unknown") return known === "open";
    const key = `${wanted.kind} ${formatRepository(target.name)}@${wanted.digest}`;
    return await this.#asking.do(key, () => this.#ask(target, wanted), signal);
  }

  /** Whether a blob that a manifest lists, which may be answered, may be answered with it. */
  async mayWith(target: Target, digest: Digest, signal: AbortSignal): Promise<boolean> {
    if (this.#ownersOf(digest).every(isOpen) && !this.#isUnclear(digest)) return true;
    return await this.may(target, { digest, kind: "blob" }, signal);
  }

  /**
   * Whether something that is to be had now belongs to a private repository.
   *
   * @param manifest What lists it: one that was had without a credential makes it open, too.
   */
  isPrivate({ name, upstream }: Target, manifest?: Digest): boolean {
    if (!upstream.hasCredential(name.repository)) return false;
    return manifest === undefined || !this.#options.index.members.isOpen(name, manifest);
  }

  /** Whether what is known of the repository may be told: of a private one, within the hour. */
  mayList(target: Target): boolean {
    return !this.isPrivate(target) || this.#isAuthorized(target.name);
  }

  /** Upstream gave this for the repository, or said that it would. */
  granted(
    target: Target,
    members: readonly { readonly digest: Digest; readonly kind: MemberKind }[],
  ): void {
    const { index, clock } = this.#options;
    const isPrivate = this.isPrivate(target);
    index.transaction(() => {
      for (const { digest, kind } of members) {
        index.members.add(target.name, digest, { kind, isPrivate });
      }
      if (isPrivate) index.authorizations.note(target.name, clock.nowMs());
    });
  }

  /**
   * It came in just now for the repository, from whoever had it: by that it belongs to it. Of what its
   * registry itself gave, {@link granted} says more.
   *
   * @param manifest What lists it.
   */
  brought(
    target: Target,
    member: { readonly digest: Digest; readonly kind: MemberKind },
    manifest?: Digest,
  ): void {
    const { digest, kind } = member;
    const isPrivate = this.isPrivate(target, manifest);
    this.#options.index.members.add(target.name, digest, { kind, isPrivate });
  }

  /** Peers gave it just now: where they hold nothing that only a login gives, it is nobody's secret. */
  broughtByPeers(digest: Digest): void {
    this.#fromPeers.add(digest);
    if (this.#fromPeers.size > FROM_PEERS_MAX) {
      this.#fromPeers.delete(this.#fromPeers.values().next().value!);
    }
  }

  /** Upstream refused our credential, or wants one that we do not have. */
  denied({ name }: Target): void {
    this.#options.index.authorizations.revoke(name);
  }

  /** What is known without asking anybody. */
  #known(target: Target, digest: Digest): "open" | "unknown" {
    const { name } = target;
    const owners = this.#ownersOf(digest);
    if (owners.some(isOpen)) return "open";
    const isOwn = owners.some((owner) =>
      owner.registry === name.registry && owner.repository === name.repository
    );
    if (isOwn) return this.#isAuthorized(name) ? "open" : "unknown";
    // A manifest lists what its author likes. What is private elsewhere, or was pushed here, is not had
    // by listing it.
    return owners.length > 0 || this.#isUnclear(digest)
      ? "unknown"
      : this.#knownByListing(name, digest);
  }

  /** A blob that a manifest of the repository lists is what the manifest is. */
  #knownByListing(name: RepositoryName, digest: Digest): "open" | "unknown" {
    const { manifests, members } = this.#options.index;
    const parents = manifests.parentsOf(digest)
      .filter((parent) => members.has(name, parent, "manifest"));
    if (parents.some((parent) => members.isOpen(name, parent))) return "open";
    return parents.length > 0 && this.#isAuthorized(name) ? "open" : "unknown";
  }

  /**
   * Whether it belongs to no repository, and may be somebody's secret: it was added here for this node
   * or its fleet alone, or may lie with the fleet because one of it has a login.
   */
  #isUnclear(digest: Digest): boolean {
    if (this.#ownersOf(digest).length > 0) return false;
    const record = this.#options.store.findBySha256(sha256Of(digest));
    return record === undefined ? this.#options.sharesPrivate : record.visibility !== "public";
  }

  #ownersOf(digest: Digest) {
    return this.#options.index.members.repositoriesOf(digest);
  }

  #isAuthorized(name: RepositoryName): boolean {
    const { index, clock, limits } = this.#options;
    const atMs = index.authorizations.atMs(name);
    if (atMs === undefined) return false;
    const ageMs = clock.nowMs() - atMs;
    // A clock that was set back must not make an authorisation last.
    return ageMs >= 0 && ageMs < limits.authorizedMs;
  }

  async #ask(
    target: Target,
    wanted: { readonly digest: Digest; readonly kind: MemberKind },
  ): Promise<boolean> {
    if (target.mode === "miss-404" && !this.isPrivate(target)) {
      return this.#mayUnasked(target, wanted);
    }
    const { clock, limits, signal, onUpstream } = this.#options;
    const { upstream, name } = target;
    using deadline = new Deadline(clock, {
      ms: limits.upstreamMs,
      what: "the registry's answer",
      signals: [signal],
    });
    const options = { signal: deadline.signal };
    try {
      const answer = wanted.kind === "blob"
        ? await upstream.blobSize(name.repository, wanted.digest, options)
        : await upstream.manifest(name.repository, { digest: wanted.digest }, {
          ...options,
          isHead: true,
        });
      switch (answer.status) {
        case "found":
        case "unchanged":
          this.granted(target, [wanted]);
          if (wanted.kind === "blob") {
            onUpstream(name, wanted.digest, "size" in answer ? answer.size : undefined);
          }
          return true;
        case "denied":
          this.denied(target);
          return false;
        case "missing":
          return false;
        case "limited":
          return this.#mayUnasked(target, wanted);
        default:
          return answer satisfies never;
      }
    } catch {
      return this.#mayUnasked(target, wanted);
    }
  }

  /**
   * Nobody can be asked. What is not known to be anybody's secret is given: a registry that is down
   * must keep nobody from public images. Where the fleet shares what only a login gives, nothing that it
   * holds is known to be none.
   */
  #mayUnasked(
    target: Target,
    wanted: { readonly digest: Digest; readonly kind: MemberKind },
  ): boolean {
    const { index, store, sharesPrivate } = this.#options;
    const { digest } = wanted;
    if (this.isPrivate(target) || index.members.isPrivate(digest)) return false;
    const visibility = store.findBySha256(sha256Of(digest))?.visibility;
    if (visibility === "public") return true;
    if (sharesPrivate) return false;
    if (visibility !== "private") return true;
    if (!this.#fromPeers.delete(digest)) return false;
    this.brought(target, wanted);
    return true;
  }
}

/** Whether what this repository has may be shown to all. What was pushed here is no registry's elsewhere. */
function isOpen(
  { registry, isPrivate }: { readonly registry: string; readonly isPrivate: boolean },
): boolean {
  return registry !== LOCAL_REGISTRY && !isPrivate;
}
