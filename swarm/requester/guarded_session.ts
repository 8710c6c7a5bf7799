/** A wallet that fails must not fail what it was asked to pay for. */
import type { PaySession } from "../ports.ts";

/** `session`, which throws no more: what it cannot pay is declined, what it cannot count is lost. */
export function guardedSession(session: PaySession): PaySession {
  return {
    terms: session.terms,
    async next(options) {
      try {
        return await session.next(options);
      } catch {
        // Its words may hold what nobody else should read.
        return { due: "declined", reason: "the wallet failed" };
      }
    },
    answered: (id, answer) => quietly(() => session.answered(id, answer)),
    told: (creditMsat) => quietly(() => session.told(creditMsat)),
    verified: (bytes) => quietly(() => session.verified(bytes)),
    onDue: (listener) => session.onDue(listener),
    async [Symbol.asyncDispose]() {
      try {
        await session[Symbol.asyncDispose]();
      } catch {
        // It is the wallet's to remember what it holds.
      }
    },
  };
}

function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // The next question to the session will say what is wrong.
  }
}
