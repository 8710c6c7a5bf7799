/** What the gateway says no with. */
import { Refusal } from "../http/refusal.ts";

/** That it is not here, in the very same words whatever the reason. */
export function notFound(): Refusal {
  return new Refusal(404, "Not here; ask another server");
}
