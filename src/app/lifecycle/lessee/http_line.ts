/** Asks providers over HTTP first, where the settings want it. */
import type { ProviderLine } from "../../../../provisioning/consumer/mod.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import type { Config } from "../../config/settings.ts";

/** `messages` itself, or a line that asks over HTTP before it. */
export async function overHttp(
  messages: ProviderLine,
  options: { readonly config: Pick<Config, "lesseeHttp">; readonly secretKey: Uint8Array },
): Promise<ProviderLine> {
  const { config, secretKey } = options;
  if (config.lesseeHttp === "off") return messages;
  const { HttpFirstLine, HttpLine } = await import("../../../../provisioning/http/mod.ts");
  const http = new HttpLine({
    secretKey,
    clock: systemClock,
    random: systemRandom,
    resolve: addressesOf,
    allowPrivate: config.lesseeHttp === "any",
  });
  return new HttpFirstLine({ http, messages });
}

async function addressesOf(host: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(host, "A"),
    Deno.resolveDns(host, "AAAA"),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}
