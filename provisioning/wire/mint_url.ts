/** Addresses of mints, which everybody writes a little differently. */

/**
 * The one form of a mint's address: scheme and host in lower case, no slash at the end.
 *
 * @returns Undefined if it is no http address, or one with credentials, a query or a fragment.
 */
export function canonicalMint(address: string): string | undefined {
  if (address.length > 512 || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}

/** Whether a mint is one of a list, however either is written. */
export function hasMint(mints: readonly string[], mint: string): boolean {
  const wanted = canonicalMint(mint);
  return wanted !== undefined && mints.some((one) => canonicalMint(one) === wanted);
}
