/** Asking through whatever line there is, and taking nothing but an answer to what was asked. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Answer } from "../wire/mod.ts";
import type { LesseeContext } from "./context.ts";
import { fits, leaseOfRequest } from "./line/expectation.ts";
import type { LineOptions, NamedRequest, ProviderAddress } from "./ports.ts";

/**
 * Asks a provider.
 *
 * @throws {SeedmintError} `protocol` if the answer is of another kind, or about another lease or request;
 * as {@link ProviderLine.ask}.
 */
export async function ask(
  context: Pick<LesseeContext, "line">,
  to: ProviderAddress,
  request: NamedRequest,
  options: LineOptions,
): Promise<Answer> {
  const answer = await context.line.ask(to, request, options);
  const lease = leaseOfRequest(request);
  const isFit = fits({ type: request.type, ...(lease === undefined ? {} : { lease }) }, answer) &&
    (answer.requestId ?? request.requestId) === request.requestId;
  if (isFit) return answer;
  throw new SeedmintError(
    "protocol",
    `Provider ${
      to.provider.slice(0, 8)
    }… answered a request for ${request.type} with ${answer.type} of something else; try again, or another provider`,
    { retryable: true },
  );
}
