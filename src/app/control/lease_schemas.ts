/** Strict schemas of the parameters of the methods about renting compute. */
import { type LeaseMethods, MARKET_SORTS } from "../api/lease_methods.ts";
import { v } from "../schema.ts";

/** Longest name of an image: registry, repository, tag and digest at their longest. */
const IMAGE_CHARS_MAX = 800;
/** Longest id of a lease with its provider's key, and longest name of a provider. */
const NAME_CHARS_MAX = 256;
/** Longest token: as much as a private message takes. */
const TOKEN_CHARS_MAX = 48_000;
/** Longest key of SSH; RSA keys of 16,384 bits have 2,800 characters. */
const KEY_CHARS_MAX = 4096;
/** Most keys, variables or ports of one lease. */
const COUNT_MAX = 64;
/** Longest value of one variable. */
const ENV_CHARS_MAX = 8192;
/** Most arguments of one command. */
const ARGUMENTS_MAX = 256;
/** The longest lease that is asked for at once: ten years. */
const DURATION_S_MAX = 315_360_000;
/** All bitcoin there will be. */
const SAT_MAX = 2_100_000_000_000_000;
/** The longest that a command may run: providers end it earlier. */
const EXEC_MS_MAX = 3_600_000;
/** Most lines of a log. */
const LINES_MAX = 100_000;

const text = (charsMax: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(charsMax));
const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
const name = text(NAME_CHARS_MAX);
const count = whole(0, Number.MAX_SAFE_INTEGER);
const durationS = whole(1, DURATION_S_MAX);
const sat = whole(1, SAT_MAX);
const token = text(TOKEN_CHARS_MAX);
const byLease = v.strictObject({ lease: name });

const filter = {
  capabilities: v.optional(v.pipe(v.array(name), v.maxLength(COUNT_MAX))),
  isolation: v.optional(v.picklist(["shared-kernel", "dedicated-host", "attested-research-tier"])),
  cpuMillicoresMin: v.optional(count),
  memoryMbMin: v.optional(count),
  diskMbMin: v.optional(count),
  location: v.optional(name),
  mint: v.optional(name),
  arch: v.optional(name),
  rateMsatPerSMax: v.optional(count),
  withOffline: v.optional(v.boolean()),
};

const wanted = {
  provider: v.optional(name),
  filter: v.optional(v.strictObject(filter)),
  tier: v.optional(name),
  durationS: v.optional(durationS),
  budgetSat: v.optional(sat),
};

const payment = {
  token: v.optional(token),
  confirmed: v.optional(v.boolean()),
  requestId: v.optional(v.pipe(v.string(), v.regex(/^[\w.:-]{1,40}$/))),
};

/** By name of the method. */
export const LEASE_SCHEMAS: Readonly<Record<keyof LeaseMethods, v.GenericSchema>> = {
  "market.list": v.strictObject({ ...filter, sort: v.optional(v.picklist(MARKET_SORTS)) }),
  "market.show": v.strictObject({ provider: name }),
  "market.quote": v.strictObject({ ...wanted, image: v.optional(text(IMAGE_CHARS_MAX)) }),
  "lease.spawn": v.strictObject({
    ...wanted,
    ...payment,
    image: text(IMAGE_CHARS_MAX),
    sshPublicKeys: v.optional(
      v.pipe(v.array(text(KEY_CHARS_MAX)), v.minLength(1), v.maxLength(COUNT_MAX)),
    ),
    sshUser: v.optional(name),
    env: v.optional(v.pipe(
      v.record(name, v.pipe(v.string(), v.maxLength(ENV_CHARS_MAX))),
      v.check((env) => Object.keys(env).length <= COUNT_MAX, `at most ${COUNT_MAX} wanted`),
    )),
    ports: v.optional(v.pipe(
      v.array(v.strictObject({
        containerPort: whole(1, 65_535),
        protocol: v.picklist(["tcp", "udp"]),
        label: v.pipe(v.string(), v.maxLength(NAME_CHARS_MAX)),
      })),
      v.maxLength(COUNT_MAX),
    )),
    keepaliveBudgetSat: v.optional(sat),
  }),
  "lease.ls": v.strictObject({ all: v.optional(v.boolean()) }),
  "lease.status": byLease,
  "lease.logs": v.strictObject({ lease: name, lineCount: whole(1, LINES_MAX) }),
  "lease.exec": v.strictObject({
    lease: name,
    command: v.pipe(v.array(text(ENV_CHARS_MAX)), v.minLength(1), v.maxLength(ARGUMENTS_MAX)),
    timeoutMs: whole(1, EXEC_MS_MAX),
  }),
  "lease.topup": v.strictObject({
    lease: name,
    durationS: v.optional(durationS),
    budgetSat: v.optional(sat),
    ...payment,
  }),
  "lease.restart": byLease,
  "lease.stop": byLease,
  "lease.keepalive": v.strictObject({
    lease: name,
    budgetSat: whole(0, SAT_MAX),
    stepS: v.optional(durationS),
  }),
  "lease.sync": v.strictObject({}),
};
