/** What a lease would cost, and whether it could be had: nothing is reserved. */
import { fits, leftOf, satFor } from "../leases/mod.ts";
import type { QuoteAnswer, QuoteRequest } from "../wire/mod.ts";
import { checkWelcome, LOCKTIME_MIN, specFor } from "./check_spawn.ts";
import type { ProviderContext } from "./context.ts";
import { imageProblem, imageReference } from "./image_rules.ts";
import { Refusal } from "./refusal.ts";

/** @throws {Refusal} */
export function quote(
  request: QuoteRequest,
  owner: string,
  context: ProviderContext,
): QuoteAnswer {
  const { settings, till, images } = context;
  const spec = specFor(request.specId, context);
  const minDurationS = Math.ceil(settings.minDurationMs / 1000);
  const maxDurationS = Math.floor(settings.maxDurationMs / 1000);
  const durationS = Math.min(Math.max(request.durationS ?? 3600, minDurationS), maxDurationS);
  const image = request.image === undefined ? undefined : imageReference({
    image: request.image,
    ...(request.imageDigest === undefined ? {} : { imageDigest: request.imageDigest }),
  });
  const note = hindrance(request, { owner, image, context });
  return {
    type: "quote",
    specId: spec.id,
    rateMsatPerS: spec.rateMsatPerS,
    durationS,
    amountSat: satFor(durationS * 1000, spec.rateMsatPerS),
    minDurationS,
    maxDurationS,
    mints: till.mints,
    paymentKey: till.paymentKey,
    locktimeMin: LOCKTIME_MIN,
    isAvailable: note === undefined,
    ...(note === undefined ? {} : { note }),
    ...(image === undefined ? {} : { isImageHere: images.has(image) }),
  };
}

/** Why such a lease could not be had now. */
function hindrance(
  request: QuoteRequest,
  options: {
    readonly owner: string;
    readonly image: string | undefined;
    readonly context: ProviderContext;
  },
): string | undefined {
  const { owner, image, context } = options;
  const { settings, journal, total } = context;
  try {
    checkWelcome(owner, context);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  const problem = image === undefined
    ? undefined
    : imageProblem(image, settings.images, journal.policy);
  if (problem !== undefined) return problem;
  const portCount = request.portCount ?? 0;
  if (portCount > settings.portCountMax) {
    return `A lease has at most ${settings.portCountMax} ports besides SSH`;
  }
  const freePorts = settings.ports.last - settings.ports.first + 1 - journal.leases.portCount();
  const isRoom = fits(specFor(request.specId, context), leftOf(total(), journal.leases.taken()));
  return isRoom && freePorts > portCount ? undefined : "There is no room for it at the moment";
}
