/** Strict schemas of the parameters of every method: a request is JSON from outside. */
import type { MethodName } from "../api/methods.ts";
import { v } from "../schema.ts";
import { PRICE_MSAT_PER_MIB_MAX } from "../config/money_values.ts";
import { IMAGE_SCHEMAS } from "./image_schemas.ts";
import { LEASE_SCHEMAS } from "./lease_schemas.ts";
import { PROVIDER_SCHEMAS } from "./provider_schemas.ts";
import { SELLING_SCHEMAS } from "./selling_schemas.ts";
import { TRUST_SCHEMAS } from "./trust_schemas.ts";
import { WALLET_SCHEMAS } from "./wallet_schemas.ts";

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(16_384));
const path = v.pipe(
  v.string(),
  v.maxLength(4096),
  v.regex(/^\/[^\0]*$/, "an absolute path wanted"),
);
const targets = v.pipe(v.array(text), v.maxLength(10_000));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const visibility = v.picklist(["public", "fleet", "private"]);
const nothing = v.strictObject({});

const attributes = {
  visibility: v.optional(visibility),
  pinned: v.boolean(),
  tag: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(255))),
  mediaType: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(255))),
};

/** Query parameters of an upload, as text. */
export const uploadSchema = v.strictObject({
  ...attributes,
  pinned: v.pipe(v.picklist(["true", "false"]), v.transform((value) => value === "true")),
  name: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(255))),
});

/** By name of the method. */
export const PARAM_SCHEMAS: Readonly<Record<MethodName, v.GenericSchema>> = {
  status: nothing,
  peers: nothing,
  list: v.strictObject({ kind: v.optional(v.picklist(["blob", "collection"])) }),
  add: v.strictObject({
    ...attributes,
    paths: v.pipe(v.array(path), v.minLength(1), v.maxLength(10_000)),
    mode: v.picklist(["copy", "link", "in-place"]),
  }),
  get: v.strictObject({
    target: text,
    output: v.optional(path),
    overwrite: v.boolean(),
    origin: v.optional(v.pipe(v.string(), v.maxLength(8192), v.regex(/^https?:\/\//))),
    headers: v.optional(v.record(v.pipe(v.string(), v.maxLength(256)), text)),
    sha256: v.optional(v.pipe(v.string(), v.maxLength(80))),
    policy: v.picklist(["swarm-first", "race", "origin-first", "swarm-only"]),
    originDelayMs: count,
    originFloorBytesPerSecond: count,
    findTimeoutMs: count,
    peers: v.pipe(v.array(text), v.maxLength(256)),
    pinned: v.boolean(),
    visibility: v.optional(visibility),
    as: v.picklist(["auto", "blob", "collection"]),
    payment: v.optional(v.strictObject({
      pays: v.optional(v.boolean()),
      thrift: v.optional(v.picklist(["cheapest", "balanced", "fastest"])),
      priceMaxMsatPerMiB: v.optional(v.pipe(count, v.maxValue(PRICE_MSAT_PER_MIB_MAX))),
      budgetSat: v.optional(count),
    })),
  }),
  find: v.strictObject({
    target: text,
    timeoutMs: count,
    peers: v.pipe(v.array(text), v.maxLength(256)),
    ask: v.boolean(),
  }),
  pin: v.strictObject({ targets }),
  unpin: v.strictObject({ targets }),
  remove: v.strictObject({ targets }),
  gc: v.strictObject({ dryRun: v.boolean() }),
  verify: v.strictObject({ targets }),
  export: v.strictObject({ target: text, output: path, overwrite: v.boolean() }),
  ticket: v.strictObject({ target: text }),
  ...IMAGE_SCHEMAS,
  ...LEASE_SCHEMAS,
  ...PROVIDER_SCHEMAS,
  ...SELLING_SCHEMAS,
  ...TRUST_SCHEMAS,
  ...WALLET_SCHEMAS,
};
