/** Strict schemas of the parameters of the methods about lending compute. */
import type { ProviderMethods } from "../api/provider_methods.ts";
import { v } from "../schema.ts";

/** Longest name of an image or a key. */
const NAME_CHARS_MAX = 800;
/** Longest reason for people. */
const REASON_CHARS_MAX = 500;

const nothing = v.strictObject({});
const kind = v.picklist(["key", "image"]);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_CHARS_MAX));
const reason = v.pipe(v.string(), v.maxLength(REASON_CHARS_MAX));

/** By name of the method. */
export const PROVIDER_SCHEMAS: Readonly<Record<keyof ProviderMethods, v.GenericSchema>> = {
  "provider.start": nothing,
  "provider.stop": v.strictObject({ evict: v.boolean() }),
  "provider.status": nothing,
  "provider.drain": v.strictObject({ on: v.boolean() }),
  "provider.leases": v.strictObject({ all: v.boolean(), lease: v.optional(name) }),
  "provider.deny": v.strictObject({ kind, name, reason }),
  "provider.allow": v.strictObject({ kind, name }),
  "provider.evict": v.strictObject({ lease: name, reason }),
};
