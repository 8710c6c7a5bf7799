/** NUT-06, and NUT-01 and NUT-02 to read. */
import type { MintContext } from "./context.ts";
import { RequestError } from "./errors.ts";
import { paysParts } from "./lightning_port.ts";
import type { MintKeyset } from "./keysets.ts";
import { QUOTE_SAT_MAX, QUOTE_SAT_MIN } from "./mint_quotes.ts";
import type { JsonObject } from "./requests.ts";

/** Said wherever the mint says who it is. */
export const DEVELOPMENT_ONLY =
  "DEVELOPMENT ONLY, NO CUSTODY: this mint makes play money. Its ecash is worth nothing and may vanish at any time.";

/** Paths whose answers are kept for NUT-19. */
export const CACHED_PATHS: readonly string[] = ["/v1/swap", "/v1/mint/bolt11", "/v1/melt/bolt11"];

/** GET /v1/info. */
export function info(context: MintContext): JsonObject {
  const { behaviour } = context.settings;
  const methods = [{
    method: "bolt11",
    unit: "sat",
    min_amount: Number(QUOTE_SAT_MIN),
    max_amount: Number(QUOTE_SAT_MAX),
    options: { description: true, amountless: true },
  }];
  const nuts: Record<string, unknown> = {
    4: { methods, disabled: !context.settings.hasNut(4) },
    5: { methods, disabled: !context.settings.hasNut(5) },
    ...(paysParts(context.lightning)
      ? { 15: { methods: [{ method: "bolt11", unit: "sat" }] } }
      : {}),
    17: {
      supported: [{
        method: "bolt11",
        unit: "sat",
        commands: ["bolt11_mint_quote", "bolt11_melt_quote", "proof_state"],
      }],
    },
    19: {
      ttl: behaviour.cacheTtlS,
      cached_endpoints: CACHED_PATHS.map((path) => ({ method: "POST", path })),
    },
  };
  for (const nut of [7, 8, 9, 10, 11, 12, 14, 20]) nuts[nut] = { supported: true };
  for (const nut of behaviour.disabledNuts) if (nut !== 4 && nut !== 5) delete nuts[nut];
  return {
    name: `${context.name} (development only)`,
    version: "Seedmint-devmint/0.1.0",
    description: DEVELOPMENT_ONLY,
    motd: DEVELOPMENT_ONLY,
    time: context.clock.nowS(),
    nuts,
  };
}

/** GET /v1/keysets. */
export function keysetList(context: MintContext): JsonObject {
  return { keysets: context.keysets.all().map((keyset) => keyset.summary()) };
}

/** GET /v1/keys, and with an id GET /v1/keys/:id. */
export function keys(context: MintContext, id?: string): JsonObject {
  const found = id === undefined ? context.keysets.active : context.keysets.find(id);
  if (!found) throw new RequestError(404, "Keyset not found");
  return { keysets: [withKeys(found)] };
}

function withKeys(keyset: MintKeyset): JsonObject {
  return { ...keyset.summary(), keys: keyset.publicKeys };
}
