/** Of which images a role or a catalog may say what their tags mean. */

/** A host, and a repository or all below a path: `ghcr.io/acme/web`, `ghcr.io/acme/`, `ghcr.io/`. */
const SCOPE =
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?\/(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/|$))*$/;

/** Characters of a scope at most: a reference has no more. */
const SCOPE_CHARS_MAX = 300;

/**
 * Whether `text` names images that somebody may speak of: a repository with its registry, all
 * repositories below a path or of a registry when it ends with `/`, or `*` for whatever it likes.
 */
export function isPinScope(text: string): boolean {
  return text === "*" || (text.length <= SCOPE_CHARS_MAX && SCOPE.test(text));
}

/** Whether any of `scopes` has the image that `reference` (`registry/repository:tag`) names. */
export function isInScope(scopes: readonly string[], reference: string): boolean {
  const repository = reference.slice(0, reference.lastIndexOf(":"));
  return scopes.some((scope) =>
    scope === "*" || (scope.endsWith("/") ? repository.startsWith(scope) : repository === scope)
  );
}
