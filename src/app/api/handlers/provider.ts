/** Methods of a node that lends compute. */
import { SeedmintError } from "../../../core/errors.ts";
import { parsePublicKey } from "../../../nostr/nostr.ts";
import type { Handler, NodeParts } from "../parts.ts";
import type { ProviderAccess } from "../provider.ts";
import type { ProviderMethods } from "../provider_methods.ts";

/** Begins to lend. */
const startProvider: Handler<"provider.start"> = async (parts, _, { signal }) => {
  const provider = providerOf(parts);
  await provider.start({ signal });
  return provider.report();
};

/** Ends it. */
const stopProvider: Handler<"provider.stop"> = async (parts, { evict }, context) => {
  const provider = providerOf(parts);
  await provider.stop({
    evict,
    signal: context.signal,
    onNote: (message) => context.emit({ event: "note", message }),
  });
  return provider.report();
};

/** What it lends, and how it fares. */
const providerStatus: Handler<"provider.status"> = (parts) =>
  Promise.resolve(providerOf(parts).report());

/** Takes no new leases, or takes them again. */
const drainProvider: Handler<"provider.drain"> = (parts, { on }) => {
  const provider = providerOf(parts);
  provider.drain(on);
  return Promise.resolve(provider.report());
};

/** Leases of anybody. */
const lentLeases: Handler<"provider.leases"> = (parts, params) =>
  Promise.resolve({ leases: providerOf(parts).leases(params) });

/** Lends nothing more to a key, or of an image. */
const denyLessee: Handler<"provider.deny"> = (parts, params) => {
  const { kind, reason } = params;
  const name = denialName(kind, params.name);
  return Promise.resolve({ denied: providerOf(parts).deny({ kind, name, reason }) });
};

/** Takes a denial back. */
const allowLessee: Handler<"provider.allow"> = (parts, { kind, name }) =>
  Promise.resolve({ denied: providerOf(parts).allow(kind, denialName(kind, name)) });

/** Ends a lease. */
const evictLease: Handler<"provider.evict"> = async (parts, params, { signal }) =>
  await providerOf(parts).evict({ ...params, signal });

/** All of them. */
export const PROVIDER_HANDLERS: {
  readonly [Name in keyof ProviderMethods]: Handler<Name>;
} = {
  "provider.start": startProvider,
  "provider.stop": stopProvider,
  "provider.status": providerStatus,
  "provider.drain": drainProvider,
  "provider.leases": lentLeases,
  "provider.deny": denyLessee,
  "provider.allow": allowLessee,
  "provider.evict": evictLease,
};

function providerOf(parts: NodeParts): ProviderAccess {
  if (parts.provider !== undefined) return parts.provider;
  throw new SeedmintError(
    "unavailable",
    "No node runs here: start one with provider start, or with start --provider",
  );
}

function denialName(kind: "key" | "image", text: string): string {
  if (kind === "image") {
    const name = text.trim();
    if (/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/.test(name)) return name;
    throw new SeedmintError(
      "usage",
      `"${name.slice(0, 40)}" is no start of an image's name, nor a digest`,
    );
  }
  const key = parsePublicKey(text.trim());
  if (key !== undefined) return key;
  throw new SeedmintError(
    "usage",
    `"${text.slice(0, 24)}" is no Nostr key: npub1… or 64 hex digits wanted`,
  );
}
