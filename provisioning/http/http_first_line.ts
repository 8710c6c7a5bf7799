/** Asks over HTTP where a provider has an address, and by messages where it has none or does not answer. */
import { isSeedmintError } from "../../src/core/errors.ts";
import type {
  LineOptions,
  NamedRequest,
  ProviderAddress,
  ProviderLine,
  UnaskedAnswer,
} from "../consumer/ports.ts";
import type { Answer } from "../wire/mod.ts";
import { HTTP_LINE_LIMITS } from "./limits.ts";

/** Why the other way is tried: nothing is known of the request, and its id makes it harmless. */
const TRY_ELSEWHERE: ReadonlySet<string> = new Set(["unavailable", "timeout", "protocol"]);

/** Both lines sign with one key, so a request is the same by either way, and done once. */
export class HttpFirstLine implements ProviderLine {
  readonly #http: ProviderLine;
  readonly #messages: ProviderLine;

  constructor(lines: { readonly http: ProviderLine; readonly messages: ProviderLine }) {
    this.#http = lines.http;
    this.#messages = lines.messages;
  }

  async ask(to: ProviderAddress, request: NamedRequest, options: LineOptions): Promise<Answer> {
    if (!to.isOurs || to.apiEndpoint === undefined) {
      return await this.#messages.ask(to, request, options);
    }
    try {
      const timeoutMs = Math.min(options.timeoutMs ?? Infinity, HTTP_LINE_LIMITS.firstMs);
      return await this.#http.ask(to, request, { ...options, timeoutMs });
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isSeedmintError(error) || !TRY_ELSEWHERE.has(error.code)) throw error;
      return await this.#messages.ask(to, request, options);
    }
  }

  onUnasked(listener: (message: UnaskedAnswer) => void): () => void {
    return this.#messages.onUnasked?.(listener) ?? (() => {});
  }
}
