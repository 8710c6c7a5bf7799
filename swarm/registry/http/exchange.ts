/** One request to the registry and its answer. */
import { utf8 } from "../../../src/core/bytes.ts";
import { HttpExchange, type HttpExchangeParts } from "../../http/exchange.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import type { Refusal } from "../../http/refusal.ts";
import type { Digest } from "../names.ts";
import { asOci } from "./oci_error.ts";

/** Headers of every answer. No page may read any, and none is ever compressed. */
const COMMON: ReplyHeaders = [
  ["Docker-Distribution-Api-Version", "registry/2.0"],
  ["X-Content-Type-Options", "nosniff"],
];

/** An exchange that speaks as registries do. */
export class RegistryExchange extends HttpExchange {
  /** What it was about, once that was found: for who counts. */
  digest: Digest | undefined;

  constructor(parts: Omit<HttpExchangeParts, "common" | "takesChunks">) {
    super({ ...parts, common: COMMON, takesChunks: true });
  }

  get isHead(): boolean {
    return this.head.method === "HEAD";
  }

  /** A JSON answer of whatever media type. */
  async json(status: number, value: unknown, headers: ReplyHeaders = []): Promise<void> {
    const hasType = headers.some(([name]) => name === "Content-Type");
    await this.reply(
      status,
      hasType ? headers : [["Content-Type", "application/json"], ...headers],
      utf8(JSON.stringify(value)),
    );
  }

  async refuse(refusal: Refusal): Promise<void> {
    await this.json(refusal.status, asOci(refusal), refusal.headers);
  }
}
