/** Asking a seller for credit back that is left there. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { Network, PeerAddress } from "../ports.ts";
import { namePeer } from "./failure.ts";
import { PaymentLine } from "./payment_line.ts";

/** What a seller gives back. */
export interface Refund {
  readonly token: string;
  readonly amountSat: number;
}

/**
 * Dials `peer` and asks. Asked again before the token is redeemed, it is the same.
 *
 * @throws {SeedmintError} `denied` in words when it gives nothing back now, `reset` or `timeout`.
 * @throws `signal.reason`
 */
export async function askRefund(
  options: {
    readonly network: Network;
    readonly peer: PeerAddress;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Refund> {
  const { peer, clock, signal } = options;
  using line = new PaymentLine(options);
  try {
    return await line.refund({ signal, clock });
  } catch (error) {
    signal.throwIfAborted();
    if (isSeedmintError(error, "denied")) {
      throw new SeedmintError("denied", `No refund from peer ${peer.peerId}: ${error.message}`);
    }
    throw namePeer(error, peer.peerId, "a refund");
  }
}
