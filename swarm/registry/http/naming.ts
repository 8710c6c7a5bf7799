/**
 * Which repository a request means. Clients name the registry behind a mirror in three ways: in
 * `?ns=`, as the first part of the path, or not at all (research: containerd does the first, those
 * built on containers/image the second, Docker the third). Pure.
 */
import { looksLikeHost, registryOf, type RepositoryName, repositoryName } from "../names.ts";
import { nameInvalid, nameUnknown } from "./oci_error.ts";

/** What a mirror answers for. */
export interface MirrorNames {
  /** The registry of names without a host. */
  readonly defaultRegistry: string;
  isMirrored(registry: string): boolean;
}

/** A repository, and how it was asked for. */
export interface Named {
  readonly name: RepositoryName;
  /** The repository as the URL has it: answers that are to be followed begin with it. */
  readonly path: string;
  /** The registry as `?ns=` had it. */
  readonly namespace?: string;
}

/** @throws {Refusal} 400 for no name, 404 for a registry that is not mirrored. */
export function mirrorName(
  path: string,
  ns: string | null,
  { defaultRegistry, isMirrored }: MirrorNames,
): Named {
  const slash = path.indexOf("/");
  const first = slash < 0 ? "" : path.slice(0, slash);
  const hostInPath = looksLikeHost(first) ? registryOf(first) : undefined;
  let registry = defaultRegistry;
  let repository = path;
  if (ns !== null) {
    const host = registryOf(ns);
    if (host === undefined) throw nameInvalid();
    registry = host;
    // containerd sends both when a mirror's URL has the host in it.
    if (hostInPath === host) repository = path.slice(slash + 1);
  } else if (hostInPath !== undefined) {
    registry = hostInPath;
    repository = path.slice(slash + 1);
  }
  const name = repositoryName(registry, repository);
  if (name === undefined) throw nameInvalid();
  if (!isMirrored(name.registry)) {
    throw nameUnknown(
      `${name.registry} is not mirrored here; ask it, or add it to mirror-registry`,
    );
  }
  return { name, path, ...(ns === null ? {} : { namespace: ns }) };
}

/**
 * The push registry has its own names, and none of another registry: a client that takes it for a
 * mirror must not be given what somebody pushed under the same name.
 *
 * @throws {Refusal} 400 for no name, 404 for another registry's.
 */
export function localName(
  path: string,
  ns: string | null,
  own: { readonly registry: string; readonly host: string },
): Named {
  if (ns !== null && ns !== own.host && ns !== own.registry) {
    throw nameUnknown("This registry has its own names only; it mirrors nothing");
  }
  const name = repositoryName(own.registry, path);
  if (name === undefined) throw nameInvalid();
  return { name, path, ...(ns === null ? {} : { namespace: ns }) };
}
