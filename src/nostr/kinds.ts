/** Kinds of events and how a relay keeps them (NIP-01). */

/** How a relay treats a kind. */
export type KindClass = "regular" | "replaceable" | "ephemeral" | "addressable";

/** Deletion request (NIP-09). */
export const KIND_DELETION = 5;

/** Answer to a relay's challenge (NIP-42); never stored. */
export const KIND_AUTH = 22242;

/** Messages whose very existence is private: shown to their author and addressees only. */
export const PRIVATE_KINDS: ReadonlySet<number> = new Set([
  4, // NIP-04 direct message
  1059, // NIP-59 gift wrap
]);

/** The class of `kind`. */
export function kindClass(kind: number): KindClass {
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return "replaceable";
  if (kind >= 20_000 && kind < 30_000) return "ephemeral";
  if (kind >= 30_000 && kind < 40_000) return "addressable";
  return "regular";
}

/**
 * The address `kind:pubkey:d` under which a newer event replaces an older one, or undefined for a
 * kind that has none.
 */
export function addressOf(
  event: {
    readonly kind: number;
    readonly pubkey: string;
    readonly tags: readonly (readonly string[])[];
  },
): string | undefined {
  switch (kindClass(event.kind)) {
    case "replaceable":
      return `${event.kind}:${event.pubkey}:`;
    case "addressable": {
      const d = event.tags.find((tag) => tag[0] === "d")?.[1] ?? "";
      return `${event.kind}:${event.pubkey}:${d}`;
    }
    default:
      return undefined;
  }
}
