/** Public blobs over HTTP: the gateway for the world, and the Blossom cache of this machine. */
import { hkdfSync } from "node:crypto";
import { messageOf } from "../../core/errors.ts";
import type { Gate } from "../../../swarm/ports.ts";
import type { GatewayOptions, MediaFetch, PaymentRequests } from "../../../swarm/gateway/mod.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import type { Common } from "./compose.ts";

/** Where programs look for a Blossom cache on their own machine. */
const CACHE_ADDRESS = { hostname: "127.0.0.1", port: 24_242 };

const SESSION_KEY_LABEL = "seedmint/gateway/sessions/v1";
const SESSION_KEY_BYTES = 32;

/** The encodings of payment requests, as the wallet knows them. */
export async function paymentRequests(): Promise<PaymentRequests> {
  const codec = await import("../../../wallet/payment_request.ts");
  return {
    encodePaymentRequest: codec.encodePaymentRequest,
    decodePaymentRequest: codec.decodePaymentRequest,
    readToken: codec.readClaimedToken,
  };
}

/**
 * Starts what the settings ask for; what cannot listen is told in `problems`.
 *
 * @returns The URLs that are served.
 */
export async function startGateways(
  options: Common & {
    readonly gate: Gate;
    readonly metrics: Metrics | undefined;
    /** Plays what is not here yet to programs and pages of this machine. */
    readonly media?: MediaFetch;
    /** Where the Blossom cache listens. @default {CACHE_ADDRESS} */
    readonly cacheAddress?: { readonly hostname: string; readonly port: number };
  },
): Promise<readonly string[]> {
  const { config, store, gate, cacheAddress = CACHE_ADDRESS } = options;
  const media = options.media === undefined ? {} : { media: { fetch: options.media } };
  const urls: (string | undefined)[] = [];
  const { gatewayListen, gatewayUrl, gatewayProxy, gatewayUploadKey: keys } = config;
  if (gatewayListen !== undefined) {
    urls.push(
      await start(options, {
        ...gatewayListen,
        ...media,
        ...(gatewayUrl === undefined ? {} : { publicUrl: gatewayUrl }),
        proxies: gatewayProxy,
        gate,
        payments: await paymentRequests(),
        sessionKey: sessionKeyOf(options.identity.nostrSecret),
        ...(keys.length === 0
          ? {}
          : { uploads: { keys, isNeeded: (hash) => store.isListed(hash) } }),
      }),
    );
  }
  // What this node has, programs of its own user have: they are asked no price. Web pages are, and
  // without the gate they would read for nothing what strangers pay for.
  if (config.blossomCache) {
    const { fetchFromServers } = await import("../../../swarm/origin/mod.ts");
    const localCache = { fetchBySha256: fetchFromServers({ store, clock: systemClock }) };
    urls.push(await start(options, { ...cacheAddress, ...media, gate, localCache }));
  }
  return urls.filter((url) => url !== undefined);
}

async function start(
  { store, stack, problems, metrics }: Common & { readonly metrics: Metrics | undefined },
  settings: Omit<GatewayOptions, "store" | "clock" | "random" | "onServed">,
): Promise<string | undefined> {
  const log = logOf("gateway");
  try {
    const { Gateway } = await import("../../../swarm/gateway/mod.ts");
    const gateway = stack.use(
      await Gateway.start({
        ...settings,
        store,
        clock: systemClock,
        random: systemRandom,
        onServed: (event) => {
          const { method, status, bytes, ms } = event;
          if (method === "GET") metrics?.served({ outcome: `${status}`, path: "http", bytes, ms });
          log("debug", "served", { ...event });
        },
      }),
    );
    return gateway.url;
  } catch (error) {
    problems.push(`nothing is served over HTTP: ${messageOf(error)}`);
    log("error", "the gateway did not start", { error });
    return undefined;
  }
}

/** Sessions and their credit outlive a restart: their key is the node's. */
function sessionKeyOf(nostrSecret: Uint8Array): Uint8Array<ArrayBuffer> {
  const key = hkdfSync("sha256", nostrSecret, "", SESSION_KEY_LABEL, SESSION_KEY_BYTES);
  return new Uint8Array(key);
}
