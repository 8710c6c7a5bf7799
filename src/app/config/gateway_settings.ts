/** Settings of serving public blobs over HTTP. */
import { setting } from "./setting.ts";
import {
  booleanSchema,
  hostPortSchema,
  httpUrlSchema,
  ipAddressSchema,
  listSchema,
  publicKeySchema,
} from "./values.ts";

/** The rows; `settings.ts` puts them among the others. */
export const GATEWAY_SETTINGS = {
  gatewayListen: setting<{ hostname: string; port: number } | undefined>({
    placeholder: "HOST:PORT",
    default: undefined,
    description: "Serve public blobs over HTTP and as a Blossom server here; off unless given",
    schema: hostPortSchema,
  }),
  gatewayUrl: setting<string | undefined>({
    placeholder: "URL",
    default: undefined,
    description: "Where clients reach --gateway-listen, when a proxy with TLS is in front of it",
    schema: httpUrlSchema,
  }),
  gatewayProxy: setting<readonly string[]>({
    placeholder: "IP",
    default: [],
    description: "Addresses of such proxies, whose X-Forwarded-For names the client",
    schema: listSchema(ipAddressSchema),
    isList: true,
  }),
  gatewayUploadKey: setting<readonly string[]>({
    placeholder: "HEX",
    default: [],
    description: "Nostr public keys that may upload to --gateway-listen; nobody when none is named",
    schema: listSchema(publicKeySchema),
    isList: true,
  }),
  blossomCache: setting<boolean>({
    default: "no",
    description:
      "Serve public blobs to programs of this machine at 127.0.0.1:24242, as Blossom says",
    schema: booleanSchema,
    isSwitch: true,
  }),
} as const;
